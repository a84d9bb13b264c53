"""Installing from the browser: a worker does it, and the job says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from embeddings.install import InstalledEncoder
from embeddings.specs import SPECS
from embeddings.weights import WeightsUnavailable
from search.encoders import installing, removing
from search.models import Embedding, Encoder, Image, Job
from search.work import jobs

AddImage = Callable[..., Image]
Work = Callable[[], None]


def installed(name: str, folder: Path, *, report: Callable[[str], None], **_: Any) -> InstalledEncoder:
    """Do as if an encoder were fetched and converted."""
    report("Reading the weights")
    folder.mkdir()
    report(f"{name} is installed in {folder}")
    return InstalledEncoder(spec=SPECS[name], weights_sha256="3" * 64, folder=folder, parity={}, reused=False)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing.files, "install", installed)


def test_every_encoder_is_offered_with_what_there_is_to_know(other: Encoder, admin_client: Client) -> None:
    page = admin_client.get("/encoders/install/").text
    for name, spec in SPECS.items():
        assert f'value="{name}"' in page
        assert f"manage.py install_encoder {name} --weights FILE" in page
        assert str(spec.source) in page
    assert "8.0\xa0MB" in page
    assert "Apache-2.0" in page


def test_a_worker_installs_it_and_the_job_tells(
    other: Encoder, admin_client: Client, sent: list[Any], work: Work, files: None
) -> None:
    answer = admin_client.post("/encoders/install/", {"encoder": "vit_tiny"})
    job = Job.objects.get()
    assert answer["Location"] == job.get_absolute_url()
    assert sent == [("search.tasks.upkeep", [job.pk])]
    assert f'<a href="/jobs/{job.pk}/">' in admin_client.get("/encoders/install/").text
    assert admin_client.post("/encoders/install/", {"encoder": "vit_tiny"})["Location"] == job.get_absolute_url()
    work()
    page = admin_client.get(job.get_absolute_url()).text
    assert "vit_tiny is installed. Embed with it before it answers searches." in page
    assert 'href="/encoders/vit_tiny/"' in page
    row = Encoder.objects.get(name="vit_tiny")
    assert (row.dim, row.is_default, row.weights_sha256) == (192, False, "3" * 64)
    assert 'value="vit_tiny"' not in admin_client.get("/encoders/install/").text
    row.folder.rmdir()
    assert 'value="vit_tiny"' in admin_client.get("/encoders/install/").text


def test_why_it_failed_stands_in_the_job(other: Encoder, work: Work, monkeypatch: Any) -> None:
    reason = "could not get it. Without a network, fetch that file elsewhere and run: manage.py install_encoder"
    failed = WeightsUnavailable(reason)
    monkeypatch.setattr(installing.files, "install", lambda *_, **__: (_ for _ in ()).throw(failed))
    job = installing.ask("vit_tiny")
    work()
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", reason)
    assert not Encoder.objects.filter(name="vit_tiny").exists()


def test_it_shows_its_step_and_stops_after_it(other: Encoder, work: Work, files: None, monkeypatch: Any) -> None:
    told: list[str] = []

    def looked_at(job: Job, step: str) -> None:
        tell(job, step)
        told.append(Job.objects.get().message)
        jobs.cancel(job)

    tell = installing._tell
    monkeypatch.setattr(installing, "_tell", looked_at)
    job = installing.ask("vit_tiny")
    work()
    job.refresh_from_db()
    assert told == ["Reading the weights"]
    assert (job.state, job.message) == ("failed", "Stopped. Nothing was installed.")
    assert not Encoder.objects.filter(name="vit_tiny").exists()


def test_one_that_is_being_removed_is_not_installed(
    other: Encoder, admin_client: Client, sent: list[Any], files: None
) -> None:
    row = Encoder.objects.create(name="vit_tiny", family="vit", dim=192, weights_sha256="3" * 64)
    removing.ask(row)
    answer = admin_client.post("/encoders/install/", {"encoder": "vit_tiny"}, follow=True)
    assert "vit_tiny is being removed. Install it when it is gone." in answer.text
    with pytest.raises(CommandError, match="vit_tiny is being removed"):
        call_command("install_encoder", "vit_tiny")


def test_other_weights_do_not_take_the_place_of_those_that_made_the_vectors(
    other: Encoder, files: None, monkeypatch: Any, add_image: AddImage
) -> None:
    image, asked = add_image(), list[str | None]()

    def noted(*arguments: Any, **options: Any) -> InstalledEncoder:
        asked.append(options["weights_sha256"])
        return installed(*arguments, **options)

    monkeypatch.setattr(installing.files, "install", noted)
    row = installing.install("vit_tiny", None, report=print)
    row.folder.rmdir()
    installing.install("vit_tiny", None, report=print)
    Embedding.objects.create(encoder=row, image=image, dataset=image.dataset, vector=[1.0] + [0.0] * 191)
    row.folder.rmdir()
    installing.install("vit_tiny", None, report=print)
    assert asked == [None, None, "3" * 64]


def test_an_encoder_that_was_trained_is_not_installed_over(other: Encoder, files: None) -> None:
    job = jobs.begin(Job.Kind.TRAIN, {"preset": "vit", "name": "vit_tiny"})
    Encoder.objects.create(name="vit_tiny", family="vit", dim=192, weights_sha256="3" * 64, job=job)
    with pytest.raises(CommandError, match="An encoder named vit_tiny was trained here"):
        call_command("install_encoder", "vit_tiny")


def test_what_is_not_known_is_not_found(admin_client: Client) -> None:
    assert admin_client.post("/encoders/install/", {"encoder": "nothing"}).status_code == 404
    assert admin_client.post("/encoders/install/").status_code == 404


def test_only_who_may_add_encoders_does(client: Client, django_user_model: Any, db: None) -> None:
    assert client.get("/encoders/install/").status_code == 302
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.post("/encoders/install/", {"encoder": "vit_tiny"}).status_code == 403
    assert not Job.objects.exists()
