"""The pages of trainings: who may begin one, what is asked, what a job shows, stopping and going on."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from search.models import Dataset, Encoder, Image, Job
from search.training import curves, running
from search.work import jobs, queue, reconciling

AddImage = Callable[..., Image]
PARAMETERS = {"preset": "metric-pairs", "dataset": "Colours", "name": "tiny", "epochs": 2}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were left to the worker that trains."""
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_train", sent.append)
    return sent


@pytest.fixture
def labelled(add_image: AddImage, settings: Any, tmp_path: Any) -> Dataset:
    settings.VAR = tmp_path
    for label, colours in {"warm": ["red", "orange", "tomato"], "cold": ["blue", "cyan", "navy"]}.items():
        for colour in colours:
            add_image(colour, label=label)
    return Dataset.objects.get()


def training(**fields: Any) -> Job:
    job = jobs.begin(Job.Kind.TRAIN, PARAMETERS)
    Job.objects.filter(pk=job.pk).update(**fields)
    return Job.objects.get(pk=job.pk)


def test_a_training_begins_on_the_page_and_leads_to_its_job(
    admin_client: Client, labelled: Dataset, sent: list[int]
) -> None:
    page = admin_client.get("/train/").content.decode()
    assert "metric-pairs" in page
    assert "linear-head" in page
    form = {"dataset": "colours", "preset": "metric-pairs", "epochs": "3", "dim": "5"}
    answer = admin_client.post("/train/", form)
    job = Job.objects.get(kind="train")
    assert (answer.headers["Location"], sent) == (f"/jobs/{job.pk}/", [job.pk])
    assert (job.state, job.owner.username) == ("waiting", "admin")
    assert (job.parameters["epochs"], job.parameters["dim"]) == (3, 5)


def test_what_cannot_be_learnt_from_is_said_in_place(admin_client: Client, labelled: Dataset, sent: list[int]) -> None:
    Image.objects.update(label="")
    answer = admin_client.post("/train/", {"dataset": "colours", "preset": "metric-pairs"})
    assert (answer.status_code, sent, Job.objects.count()) == (422, [], 0)
    assert "No image of Colours outside the test split has a label" in answer.content.decode()


@pytest.mark.parametrize(
    "fields", [{"epochs": "0"}, {"preset": "nothing"}, {"dataset": "nowhere"}, {"name": "No Name"}, {"loss": "x"}]
)
def test_words_that_make_no_sense_are_refused(
    admin_client: Client, labelled: Dataset, sent: list[int], fields: dict[str, str]
) -> None:
    answer = admin_client.post("/train/", {"dataset": "colours", "preset": "metric-pairs", **fields})
    assert (answer.status_code, sent, Job.objects.count()) == (422, [], 0)


@pytest.mark.parametrize("path", ["/train/", "/jobs/1/stop/", "/jobs/1/go-on/"])
def test_only_staff_with_the_permission_train(client: Client, db: None, path: str) -> None:
    assert client.post(path).headers["Location"].startswith("/login/")
    client.force_login(get_user_model().objects.create_user("somebody"))
    assert client.post(path).status_code == 403
    client.force_login(get_user_model().objects.create_user("staff", is_staff=True))
    assert client.post(path).status_code == 403


def test_a_running_training_can_be_stopped_once(admin_client: Client, sent: list[int]) -> None:
    job = training(progress={"history": [{"loss": 2.0, "valid_map": 0.1}, {"loss": 1.0, "valid_map": 0.3}]})
    page = admin_client.get(f"/jobs/{job.pk}/").content.decode()
    assert "mAP among validation images" in page
    assert "Stop" in page
    admin_client.post(f"/jobs/{job.pk}/stop/")
    job.refresh_from_db()
    assert job.is_cancelled
    assert "Stop</button>" not in admin_client.get(f"/jobs/{job.pk}/").content.decode()


def test_one_that_was_stopped_goes_on(admin_client: Client, sent: list[int]) -> None:
    job = training(state="failed", is_cancelled=True, message="Stopped.")
    assert "Go on" in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    admin_client.post(f"/jobs/{job.pk}/go-on/")
    job.refresh_from_db()
    assert (job.state, job.is_cancelled, sent) == ("waiting", False, [job.pk])


def test_one_that_waits_is_stopped_before_it_begins(admin_client: Client, sent: list[int]) -> None:
    job = training(state="waiting")
    admin_client.post(f"/jobs/{job.pk}/stop/")
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "Stopped before it began.")
    running.carry_out_for_worker(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"


def test_one_whose_message_was_lost_is_sent_again(encoder: Encoder, sent: list[int], monkeypatch: Any) -> None:
    job = training(state="waiting")
    monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 0)
    reconciling.reconcile()
    assert sent == [job.pk]
    monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 1)
    reconciling.reconcile()
    assert sent == [job.pk]


def test_one_that_is_done_neither_stops_nor_goes_on(admin_client: Client, sent: list[int]) -> None:
    job = training(state="done")
    admin_client.post(f"/jobs/{job.pk}/stop/")
    admin_client.post(f"/jobs/{job.pk}/go-on/")
    job.refresh_from_db()
    assert (job.state, job.is_cancelled, sent) == ("done", False, [])


def test_heads_cannot_be_trained_on(admin_client: Client, labelled: Dataset, encoder: Encoder) -> None:
    Encoder.objects.create(name="ahead", family="linear_head", dim=2, weights_sha256="2" * 64, spec={"backbone": "x"})
    page = admin_client.get("/train/").content.decode()
    assert f'<option value="{encoder.name}">' in page
    assert '<option value="ahead">' not in page


def test_a_curve_runs_from_left_to_right_and_its_best_is_at_the_top() -> None:
    (curve,) = curves.curves([{"loss": 3.0}, {"loss": 1.0}, {"loss": 2.0}])
    assert curve.points == "0.0,0.0 150.0,90.0 300.0,45.0"
    assert (curve.least, curve.most, curve.last, curve.n_epochs) == (1.0, 3.0, 2.0, 3)


def test_without_epochs_there_is_no_curve() -> None:
    assert curves.curves([]) == []
