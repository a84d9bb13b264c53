"""An encoder whose files are gone or another's: each door says so and what to run, and pictures keep waiting."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from embeddings.encoder import EncoderDamaged, EncoderMissing
from embeddings.stored import StoredEncoder, sha256_of
from search import encoders, tasks
from search.encoders import checking
from search.language.wording import told
from search.models import Dataset, Encoder, Image, Job
from search.work import queue, reconciling
from tests.conftest import png
from tests.fakes import COLOUR_SPEC

MEND = "run `manage.py install_encoder colours`"


@pytest.fixture
def default(db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """The row of a default encoder without files."""
    settings.ENCODERS_ROOT = tmp_path
    monkeypatch.setattr(checking, "_seen", {})
    facts = {"family": COLOUR_SPEC.family, "dim": COLOUR_SPEC.dim, "spec": {"input_size": COLOUR_SPEC.input_size}}
    return Encoder.objects.create(name="colours", **facts, weights_sha256="0" * 64, is_default=True)


@pytest.fixture
def write_files(default: Encoder) -> Callable[..., Path]:
    """Write the encoder's files, of some weights; return the one that it would be run from."""

    def write(weights_sha256: str = default.weights_sha256) -> Path:
        default.folder.mkdir(exist_ok=True)
        weights = default.folder / "colours.bin"
        weights.write_bytes(b"weights")
        files = {weights.name: sha256_of(weights)}
        facts = {"parity": {}, "n_samples": 0, "versions": {}}
        StoredEncoder(spec=COLOUR_SPEC, weights_sha256=weights_sha256, files=files, **facts).write(default.folder)
        return weights

    return write


@pytest.fixture
def waiting(default: Encoder, dataset: Dataset) -> Image:
    """A picture that waits for its embedding, of an import that does."""
    job = Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.EMBEDDING)
    facts = {"file": "originals/a.png", "width": 64, "height": 48, "n_bytes": 99}
    return Image.objects.create(dataset=dataset, sha256="a" * 64, source="a.png", job=job, **facts)


def test_files_are_looked_at_again_when_they_were_touched(default: Encoder, write_files: Callable[..., Path]) -> None:
    with pytest.raises(EncoderMissing, match=f"the encoder colours has no files; {MEND}"):
        encoders.check(default)
    weights = write_files()
    encoders.check(default)
    weights.write_bytes(b"damaged")
    with pytest.raises(EncoderDamaged, match=rf"colours is damaged: colours\.bin has changed; {MEND}"):
        encoders.check(default)
    weights.unlink()
    with pytest.raises(EncoderDamaged, match=r"colours\.bin is missing"):
        encoders.check(default)
    write_files()
    encoders.check(default)


def test_files_that_were_not_touched_are_not_read_again(
    default: Encoder, write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files()
    encoders.check(default)
    monkeypatch.setattr(checking, "verify", lambda *_: pytest.fail("it was read again"))
    encoders.check(default)


def test_files_of_other_weights_are_none(default: Encoder, write_files: Callable[..., Path]) -> None:
    write_files(weights_sha256="1" * 64)
    with pytest.raises(EncoderDamaged, match=r"its files are those of other weights \(colours, 12 numbers\)"):
        encoders.network(default)


def test_what_was_trained_here_cannot_be_installed(default: Encoder) -> None:
    default.job = Job.objects.create(kind=Job.Kind.TRAIN)
    assert encoders.why_unusable(default).endswith("put its folder back from a backup, or train it again")


def test_it_is_told_in_german(default: Encoder, write_files: Callable[..., Path]) -> None:
    write_files().unlink()
    with translation.override("de"):
        assert told(encoders.why_unusable(default)).startswith(
            "der Encoder colours ist beschädigt: colours.bin fehlt; bitte `manage.py install_encoder colours`"
        )


def test_pages_say_what_waits_for_what(admin_client: Client, waiting: Image) -> None:
    for path in ("/encoders/", "/encoders/colours/", "/jobs/", "/jobs/workers/", f"/jobs/{waiting.job_id}/"):
        assert MEND in admin_client.get(path).content.decode(), path


def test_a_site_whose_files_are_whole_says_nothing(
    admin_client: Client, waiting: Image, write_files: Callable[..., Path]
) -> None:
    write_files()
    for path in ("/encoders/", "/jobs/", f"/jobs/{waiting.job_id}/"):
        assert MEND not in admin_client.get(path).content.decode(), path


@pytest.mark.parametrize("name", ["", "colours"])
def test_a_program_is_told_to_come_back(client: Client, default: Encoder, name: str) -> None:
    sent = {"image": SimpleUploadedFile("a.png", png("red")), "encoder": name}
    response = client.post("/api/v1/search", sent)
    assert (response.status_code, response.json()["code"]) == (503, "no_encoder")
    assert MEND in response.json()["detail"]


@pytest.mark.usefixtures("servers")
def test_a_site_that_cannot_embed_is_not_ready(client: Client, default: Encoder) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["encoder"] == f"the encoder colours has no files; {MEND}"


def test_a_batch_waits_without_a_traceback(default: Encoder, waiting: Image, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="search.tasks"):
        tasks.embed(default.pk, [waiting.pk])
    assert f"1 images wait: the encoder colours has no files; {MEND}" in caplog.text
    waiting.refresh_from_db()
    assert (waiting.status, waiting.n_attempts) == ("pending", 0)


def test_the_sweeper_sends_nothing_in_vain(
    default: Encoder, waiting: Image, write_files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_embed", lambda encoder_id, ids, *_: sent.extend(ids))
    monkeypatch.setattr(queue, "n_waiting", lambda *_: 0)
    assert (reconciling.reconcile().n_sent, sent) == (0, [])
    write_files()
    assert (reconciling.reconcile().n_sent, sent) == (1, [waiting.pk])


def test_an_import_that_waits_says_why_nothing_comes(
    default: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "red.png").write_bytes(png("red"))
    monkeypatch.setattr("search.ingest.waiting._SECONDS_STANDING_STILL", 0.0)
    monkeypatch.setattr(queue, "n_workers", lambda *_: 1)
    monkeypatch.setattr(queue, "send_embed", lambda *_: None)
    with pytest.raises(CommandError, match=f"The pictures are in and wait: the encoder colours has no files; {MEND}"):
        call_command("import_images", os.fspath(pictures), dataset="red", wait=True)
    assert Image.objects.get().status == "pending"
