"""Jobs, encoders and evaluations by the API."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from search.models import Dataset, Encoder, Evaluation, Image, Job, Refusal
from search.work import queue
from tests.search.api.conftest import Program

AddImage = Callable[..., Image]
MakeProgram = Callable[..., Program]
pytestmark = pytest.mark.usefixtures("encoder")


def make_job(owner: Any = None, kind: str = Job.Kind.IMPORT, **fields: Any) -> Job:
    return Job.objects.create(kind=kind, owner=owner, **fields)


def test_one_sees_ones_own_jobs_and_staff_all(mine: Program, program: MakeProgram, owner: Any, chief: Any) -> None:
    own, other = make_job(owner), make_job()
    assert [job["id"] for job in mine.get("/jobs").json()["items"]] == [own.pk]
    assert [job["id"] for job in program(chief).get("/jobs").json()["items"]] == [other.pk, own.pk]
    assert mine.get(f"/jobs/{other.pk}").status_code == 404
    assert mine.get("/jobs", kind="train").json()["items"] == []
    assert len(mine.get("/jobs", kind="import", state="running").json()["items"]) == 1


def test_a_job_tells_what_it_refused(mine: Program, owner: Any) -> None:
    job = make_job(owner, n_failed=1)
    Refusal.objects.create(job=job, source="a.txt", code="not_an_image", reason="It is none.")
    told = mine.get(f"/jobs/{job.pk}").json()
    assert told["refusals"] == [{"source": "a.txt", "code": "not_an_image", "reason": "It is none."}]
    assert (told["kind"], told["state"], told["n_failed"]) == ("import", "running", 1)


def test_a_job_is_stopped_by_those_who_may(mine: Program, program: MakeProgram, owner: Any, chief: Any) -> None:
    job = make_job(owner, Job.Kind.EVALUATE, state=Job.State.WAITING)
    assert mine.post(f"/jobs/{job.pk}/stop").status_code == 403
    told = program(chief).post(f"/jobs/{job.pk}/stop").json()
    assert (told["state"], told["is_cancelled"]) == ("failed", True)
    assert program(chief).post(f"/jobs/{job.pk}/stop").json()["code"] == "not_running"


def test_a_removal_cannot_be_stopped(program: MakeProgram, chief: Any) -> None:
    assert program(chief).post(f"/jobs/{make_job(chief, Job.Kind.REMOVE).pk}/stop").status_code == 403


def test_encoders_are_told_with_what_they_embedded_of_what_one_sees(
    anybody: Program, mine: Program, add_image: AddImage
) -> None:
    add_image("red")
    told = anybody.get("/encoders").json()["items"]
    assert [(one["name"], one["dim"], one["is_default"], one["n_embedded"]) for one in told] == [
        ("colours", 12, True, 1)
    ]
    Dataset.objects.update(is_public=False)
    assert anybody.get("/encoders/colours").json()["n_embedded"] == 0
    assert mine.get("/encoders/colours").json()["n_embedded"] == 1
    assert anybody.get("/encoders/other").status_code == 404


def test_what_an_encoder_was_trained_on_is_not_told(anybody: Program) -> None:
    Encoder.objects.update(spec={"input_size": 32, "training": {"dataset": "Private pictures"}})
    assert "Private" not in anybody.get("/encoders/colours").content.decode()


@pytest.fixture
def evaluation(add_image: AddImage) -> Evaluation:
    for colour, label in {"red": "warm", "orange": "warm", "blue": "cold", "cyan": "cold"}.items():
        add_image(colour, label=label)
    call_command("evaluate_search", dataset="colours")
    return Evaluation.objects.get()


def test_an_evaluation_is_told_to_those_who_see_its_dataset(
    anybody: Program, mine: Program, evaluation: Evaluation
) -> None:
    told = anybody.get(f"/evaluations/{evaluation.pk}").json()
    assert (told["encoder"], told["dataset"], told["n_queries"]) == ("colours", "colours", 4)
    assert told["report"]["metrics"] == told["metrics"] == evaluation.metrics
    assert len(anybody.get("/evaluations", dataset="colours", encoder="colours").json()["items"]) == 1
    assert anybody.get("/evaluations", dataset="other").json()["items"] == []
    Dataset.objects.update(is_public=False)
    assert anybody.get(f"/evaluations/{evaluation.pk}").status_code == 404
    assert anybody.get("/evaluations").json()["items"] == []
    assert mine.get(f"/evaluations/{evaluation.pk}").status_code == 200


def test_an_evaluation_is_asked_for(
    program: MakeProgram, chief: Any, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_evaluate", sent.append)
    response = program(chief).post("/evaluations", dataset="colours", encoders=["colours"], max_queries=3)
    told = response.json()
    assert (response.status_code, response["Location"]) == (202, f"/api/v1/jobs/{told['id']}")
    assert (told["kind"], told["state"], told["parameters"]["max_queries"]) == ("evaluate", "waiting", 3)
    assert sent == [told["id"]]


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"dataset": "nowhere"}, 404, "not_found"),
        ({"dataset": "colours"}, 422, "cannot_evaluate"),
        ({"dataset": "colours", "encoders": ["other"]}, 422, "no_encoder"),
        ({"dataset": "colours", "queries_split": "half"}, 422, "invalid"),
    ],
)
def test_an_evaluation_that_cannot_be_is_told_why(
    program: MakeProgram, chief: Any, dataset: Dataset, fields: dict[str, Any], status: int, code: str
) -> None:
    response = program(chief).post("/evaluations", **fields)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Job.objects.exists()


def test_evaluations_are_for_staff(mine: Program) -> None:
    assert mine.post("/evaluations", dataset="colours").status_code == 403
