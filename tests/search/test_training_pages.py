"""The pages of trainings: who may begin one, what is asked, what a job shows, stopping and going on."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from embeddings.training.config import TrainingConfig
from search.models import Dataset, Encoder, Image, Job
from search.training import curves, running
from search.work import jobs, queue, reconciling
from tests.conftest import still

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


def test_samples_are_shown_on_the_page_and_nothing_begins(
    admin_client: Client, labelled: Dataset, sent: list[int]
) -> None:
    form = {"dataset": "colours", "preset": "mobilenet-classifier", "epochs": "3", "show": "samples"}
    page = admin_client.post("/train/", form).content.decode()
    assert "horizontal flip, random brightness contrast" in page
    (address,) = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert PIL.Image.open(io.BytesIO(base64.b64decode(address))).size == (7 * 120 - 8, 6 * 120 - 8)
    assert 'name="epochs" value="3"' in page
    assert (sent, Job.objects.count()) == ([], 0)


def test_the_samples_are_of_the_changes_that_are_ticked(admin_client: Client, labelled: Dataset) -> None:
    form = {"dataset": "colours", "preset": "mobilenet-classifier", "show": "samples", "augmenting": "own"}
    page = admin_client.post("/train/", form | {"augmentation": ["blur", "to_gray"]}).content.decode()
    assert "in their place: blur, to gray." in page
    assert page.count('name="augmentation" value="blur" checked') == 1
    assert page.count('name="augmentation" value="clahe" checked') == 0
    assert "This recipe changes nothing" in admin_client.post("/train/", form).content.decode()


def test_the_changes_that_are_ticked_are_trained_with(
    admin_client: Client, labelled: Dataset, sent: list[int], tmp_path: Path
) -> None:
    form = {"dataset": "colours", "preset": "metric-pairs", "augmenting": "own", "augmentation": ["flip"]}
    admin_client.post("/train/", form)
    assert TrainingConfig.read(tmp_path / "runs" / str(sent[0])).augmentation == ("flip",)


def test_a_change_that_there_is_none_of_is_refused(admin_client: Client, labelled: Dataset) -> None:
    form = {"dataset": "colours", "preset": "metric-pairs", "augmenting": "own", "augmentation": ["melt"]}
    assert admin_client.post("/train/", form).status_code == 422


def test_an_autoencoder_shows_what_it_draws(
    admin_client: Client, client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.VAR = tmp_path
    job = training()
    address = f"/jobs/{job.pk}/reconstructions.png"
    assert address not in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    assert admin_client.get(address).status_code == 404
    (tmp_path / "runs" / str(job.pk)).mkdir(parents=True)
    (tmp_path / "runs" / str(job.pk) / "reconstructions.png").write_bytes(b"drawn")
    assert address in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    answer = admin_client.get(address)
    assert answer.content == b"drawn"
    seen = {"HTTP_IF_MODIFIED_SINCE": answer.headers["Last-Modified"]}
    assert admin_client.get(address, **seen).status_code == 304
    assert client.get(address).headers["Location"].startswith("/login/")


def test_the_page_of_an_encoder_tells_staff_how_it_was_trained(
    admin_client: Client, client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.VAR = tmp_path
    history = [{"epoch": 1, "loss": 2.0, "valid_accuracy": 0.5}, {"epoch": 2, "loss": 1.0, "valid_accuracy": 0.75}]
    facts = {"preset": "mobilenet-classifier", "dataset": "Secret", "test_accuracy": 0.8125, "n_tested": 16}
    spec = {"description": "Trained on Secret.", "training": {**facts, "history": history}}
    job = training(state="done")
    Encoder.objects.create(name="named", family="x", dim=4, weights_sha256="3" * 64, spec=spec, job=job)
    page = admin_client.get("/encoders/named/").content.decode()
    assert "81.2\N{NO-BREAK SPACE}%" in page
    assert "Accuracy on validation images" in page
    assert f'href="/jobs/{job.pk}/"' in page
    assert 'href="/encoders/named/"' in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    for address in ("/encoders/", "/encoders/named/"):
        assert "Trained on Secret" in admin_client.get(address).content.decode()
        page = client.get(address).content.decode()
        assert "named" in page
        assert "Secret" not in page
    assert client.get("/encoders/nothing/").status_code == 404


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


def test_one_that_fails_says_why_even_where_no_row_can_hold_the_words(db: None) -> None:
    job = training()
    with pytest.raises(ValueError, match="cannot be read"), jobs.failing(job, by_hand="Stopped by hand."):
        raise ValueError("photo-\udcff\0.png cannot be read")
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "photo-?\N{REPLACEMENT CHARACTER}.png cannot be read")


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


def test_one_whose_worker_was_killed_goes_on_by_itself_but_not_for_ever(
    encoder: Encoder, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "n_waiting", lambda turn, name="": 0)

    def killed(job: Job, *_: Any, **__: Any) -> None:
        Job.objects.filter(pk=job.pk).update(**still())
        raise SystemExit

    monkeypatch.setattr(running, "carry_out", killed)
    job = training(state="waiting")
    for state in ("waiting", "waiting", "failed"):
        with pytest.raises(SystemExit):
            running.carry_out_for_worker(job.pk)
        reconciling.reconcile()
        job.refresh_from_db()
        assert job.state == state
    assert sent == [job.pk, job.pk]


def test_one_of_a_command_that_was_killed_is_left_to_whoever_began_it(encoder: Encoder, sent: list[int]) -> None:
    job = training(**still())
    reconciling.reconcile()
    job.refresh_from_db()
    assert (job.state, sent) == ("failed", [])


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
