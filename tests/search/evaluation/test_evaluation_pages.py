"""The pages of evaluations: what they show, to whom, and beginning one in the browser."""

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client

from search.curating import trash
from search.evaluation import running
from search.models import Dataset, Encoder, Evaluation, Image, IndexAudit, Job


@pytest.fixture
def evaluation(muddled: list[Image]) -> Evaluation:
    call_command("evaluate_search", dataset="colours")
    return Evaluation.objects.get()


def test_an_evaluation_shows_figures_plots_and_pictures(evaluation: Evaluation, client: Client) -> None:
    page = client.get(f"/evaluations/{evaluation.pk}/").content.decode()
    for words in (
        "How good is colours on Colours?",
        "Hit rate",
        "Precision over recall",
        "Pairs of the same class and of another",
        "What a similarity is worth",
        "Promised and kept",
        "What is taken for what",
        "The worst queries",
        "Labels that may be wrong",
        "By label",
        "Latency and circumstances",
    ):
        assert words in page, words
    assert f"/?dataset=colours&amp;encoder=colours&amp;image={evaluation.details['map']['points'][0][0]}" in page
    assert "style=" not in page
    assert "Edit" not in page


def test_images_that_were_deleted_or_labelled_anew_leave_no_trace_behind(
    evaluation: Evaluation, muddled: list[Image], client: Client
) -> None:
    Image.objects.filter(pk=muddled[3].pk).update(label="warm")
    muddled[0].delete()
    answer = client.get(f"/evaluations/{evaluation.pk}/")
    assert answer.status_code == 200
    shown = answer.context["shown"]
    assert [one.image.pk for one in shown.contradicted] == [muddled[13].pk]
    assert len(shown.points) == 19


def test_what_labels_did_not_tell_is_explained(colours: list[Image], client: Client) -> None:
    Image.objects.update(label="")
    call_command("evaluate_search", dataset="colours")
    page = client.get(f"/evaluations/{Evaluation.objects.get().pk}/").content.decode()
    assert "No figures of quality: No image among the queries has a label" in page
    assert "Map" in page
    assert "nan" not in page


def test_the_dataset_and_the_encoder_lead_to_it(evaluation: Evaluation, client: Client) -> None:
    address = f"/evaluations/{evaluation.pk}/"
    assert address in client.get("/datasets/colours/").content.decode()
    assert address in client.get("/encoders/colours/").content.decode()
    call_command("evaluate_search", dataset="colours")
    page = client.get("/encoders/colours/").content.decode()
    assert "and 1 before" in page
    assert "mAP on Colours over time" in page
    assert address in client.get(f"/evaluations/{Evaluation.objects.order_by('-pk')[0].pk}/").content.decode()


def test_encoders_are_compared_and_the_table_can_be_taken_away(evaluation: Evaluation, client: Client) -> None:
    page = client.get("/datasets/colours/comparison/?by=precision@1").content.decode()
    assert 'aria-sort="descending"' in page
    assert "mAP" in page
    for kind, start in {"csv": "encoder,", "md": "Colours, each", "html": "<!doctype html>", "json": "{"}.items():
        answer = client.get(f"/datasets/colours/comparison.{kind}")
        assert answer.content.decode().startswith(start)
        assert f'filename="colours-encoders.{kind}"' in answer.headers["Content-Disposition"]
    assert json.loads(answer.content)["encoders"][0]["encoder"] == "colours"
    assert client.get("/datasets/colours/comparison.exe").status_code == 404
    assert client.get("/datasets/colours/comparison/?by=nonsense").status_code == 200


def test_before_the_first_evaluation_pages_say_how_to_begin(colours: list[Image], client: Client) -> None:
    page = client.get("/datasets/colours/comparison/").content.decode()
    assert "manage.py compare_encoders --dataset colours" in page
    assert client.get("/datasets/colours/comparison.csv").status_code == 404


def test_a_private_dataset_shows_through_nothing(
    evaluation: Evaluation, dataset: Dataset, client: Client, admin_client: Client
) -> None:
    Dataset.objects.update(is_public=False)
    addresses = [f"/evaluations/{evaluation.pk}/", "/datasets/colours/comparison/", "/datasets/colours/comparison.json"]
    for address in addresses:
        assert client.get(address).status_code == 404
        assert admin_client.get(address).status_code == 200
    assert "Colours" not in client.get("/encoders/colours/").content.decode()


@pytest.mark.parametrize("way", ["moved", "deleted"])
def test_of_images_that_have_left_nothing_is_shown_that_they_have_become(
    evaluation: Evaluation, muddled: list[Image], client: Client, way: str
) -> None:
    gone = muddled[3]
    before = client.get(f"/api/v1/evaluations/{evaluation.pk}").json()["report"]["contradictions"]
    assert gone.pk in {row["image"] for row in before}
    if way == "moved":
        Image.objects.filter(pk=gone.pk).update(dataset=Dataset.objects.create(name="Mine", is_public=False))
    else:
        trash.discard([gone.pk])
    Image.objects.filter(pk=gone.pk).update(source="patient-smith.png", label="diagnosis")
    page = client.get(f"/evaluations/{evaluation.pk}/").text
    assert "patient-smith" not in page
    assert "diagnosis" not in page
    assert f"image={gone.pk}&quot;" not in page
    report = client.get(f"/api/v1/evaluations/{evaluation.pk}").json()["report"]
    assert gone.pk not in {row["image"] for row in report["contradictions"]}


def test_nobody_is_told_how_many_vectors_an_index_has(evaluation: Evaluation, client: Client) -> None:
    audit = {"recall": 1.0, "k": 10, "n_queries": 5, "n_vectors": 27, "exact_ms": 1.0, "index_ms": 1.0}
    Evaluation.objects.update(details={**evaluation.details, "audit": audit})
    index = client.get(f"/api/v1/evaluations/{evaluation.pk}").json()["report"]["index"]
    assert index.keys() == audit.keys() - {"n_vectors"}


def test_queries_of_a_private_dataset_keep_an_evaluation_private(
    colours: list[Image], dataset: Dataset, client: Client, add_image: Any
) -> None:
    mine = Dataset.objects.create(name="Mine", is_public=False)
    for number, image in enumerate(colours[::7]):
        add_image(content=image.original.read_bytes() + bytes([number]), label=image.label, dataset=mine)
    call_command("evaluate_search", dataset="colours", queries="mine")
    address = f"/evaluations/{Evaluation.objects.get().pk}/"
    assert client.get(address).status_code == 404
    page = client.get("/datasets/colours/comparison/").content.decode()
    assert "Nothing was evaluated here yet" in page
    for path in ("/datasets/colours/", "/encoders/colours/"):
        page = client.get(path).content.decode()
        assert "Mine" not in page
        assert address not in page
        assert "mAP" not in page


def test_queries_of_a_private_dataset_do_not_hide_what_is_public(
    evaluation: Evaluation, client: Client, add_image: Any, muddled: list[Image]
) -> None:
    mine = Dataset.objects.create(name="Mine", is_public=False)
    add_image(content=muddled[0].original.read_bytes(), label="warm", dataset=mine)
    call_command("evaluate_search", dataset="colours", queries="mine")
    assert f"/evaluations/{evaluation.pk}/" in client.get("/datasets/colours/comparison/").content.decode()
    assert f"/evaluations/{evaluation.pk}/" in client.get("/datasets/colours/").content.decode()


def test_staff_begin_an_evaluation_on_the_page(
    divided: list[Image], admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(running.queue, "send_evaluate", sent.append)
    Encoder.objects.create(name="bare", family="fake", dim=3, weights_sha256="1" * 64)
    page = admin_client.get("/datasets/colours/evaluate/").content.decode()
    assert "has embedded none" in page
    answer = admin_client.post("/datasets/colours/evaluate/", {"encoders": ["colours"]})
    job = Job.objects.get()
    assert answer.headers["Location"] == f"/jobs/{job.pk}/"
    assert (sent, job.state, job.owner.username) == ([job.pk], "waiting", "admin")
    running.carry_out_for_worker(job.pk)
    shown = admin_client.get(f"/jobs/{job.pk}/").content.decode()
    assert f"/evaluations/{Evaluation.objects.get().pk}/" in shown


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"encoders": ["gone"]}, "There is no encoder named gone any more."),
        ({"encoders": ["colours"], "gallery_split": "val"}, "has no image of the split val"),
        ({"encoders": ["colours"], "gallery_split": "x"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_evaluated_is_said_beside_the_form(
    divided: list[Image], admin_client: Client, form: dict[str, Any], reason: str
) -> None:
    answer = admin_client.post("/datasets/colours/evaluate/", form)
    assert (answer.status_code, Job.objects.count()) == (422, 0)
    assert reason in answer.content.decode()


def test_only_staff_with_the_permission_evaluate(client: Client, colours: list[Image]) -> None:
    path = "/datasets/colours/evaluate/"
    assert client.post(path).headers["Location"].startswith("/login/")
    client.force_login(get_user_model().objects.create_user("somebody"))
    assert client.post(path).status_code == 403
    staff = get_user_model().objects.create_user("staff", is_staff=True)
    client.force_login(staff)
    assert client.post(path).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="add_evaluation"))
    assert client.get(path).status_code == 200


def test_a_waiting_evaluation_can_be_stopped(divided: list[Image], admin_client: Client) -> None:
    job = Job.objects.create(kind="evaluate", state="waiting")
    assert "Stop" in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    admin_client.post(f"/jobs/{job.pk}/stop/")
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "Stopped before it began.")
    running.carry_out_for_worker(job.pk)
    assert not Evaluation.objects.exists()


def test_a_removal_cannot_be_stopped_on_its_page(admin_client: Client) -> None:
    job = Job.objects.create(kind="remove")
    assert "Stop" not in admin_client.get(f"/jobs/{job.pk}/").content.decode()
    assert admin_client.post(f"/jobs/{job.pk}/stop/").status_code == 404


def test_a_random_grid_is_the_same_for_the_same_draw(colours: list[Image], client: Client) -> None:
    def order(address: str) -> list[int]:
        return [image.pk for image in client.get(address).context["page"]]

    drawn = order("/datasets/colours/?draw=7")
    assert drawn == order("/datasets/colours/?draw=7")
    assert drawn != order("/datasets/colours/?draw=8")
    assert sorted(drawn) == order("/datasets/colours/")
    assert set(order("/datasets/colours/?draw=7&label=warm")) == {image.pk for image in colours[:10]}


def test_an_evaluation_can_be_taken_away_as_json(evaluation: Evaluation, client: Client) -> None:
    told = json.loads(client.get(f"/evaluations/{evaluation.pk}.json").content)
    assert (told["metrics"], told["evaluation"]) == (evaluation.metrics, evaluation.pk)
    Dataset.objects.update(is_public=False)
    assert client.get(f"/evaluations/{evaluation.pk}.json").status_code == 404


def test_another_dataset_can_ask_on_the_page(
    divided: list[Image], admin_client: Client, add_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.queue, "send_evaluate", lambda job_id: None)
    phone = Dataset.objects.create(name="Phone")
    add_image(content=divided[0].original.read_bytes(), label="warm", dataset=phone)
    admin_client.post("/datasets/colours/evaluate/", {"encoders": ["colours"], "queries": "phone"})
    assert Job.objects.get().parameters["protocol"] == "Phone against all"
    answer = admin_client.post("/datasets/colours/evaluate/", {"encoders": ["colours"], "queries": "gone"})
    assert "Choose one of the datasets to ask with." in answer.content.decode()


def test_evaluations_and_audits_are_listed_in_the_admin(evaluation: Evaluation, admin_client: Client) -> None:
    IndexAudit.objects.create(
        encoder=evaluation.encoder, recall=0.97, k=10, n_queries=50, n_vectors=400, exact_ms=9, index_ms=1
    )
    assert f"{evaluation.metrics['map']:.4f}" in admin_client.get("/admin/search/evaluation/").content.decode()
    assert admin_client.get(f"/admin/search/evaluation/{evaluation.pk}/change/").status_code == 200
    assert "0.97" in admin_client.get("/admin/search/indexaudit/").content.decode()
