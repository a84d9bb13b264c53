"""The pages of duplicates: who sees them, and what their buttons do."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search.models import Dataset, DuplicateReview, Image, Job
from search.reviewing import deciding, running
from search.work import queue
from search.work.progress import Bars
from tests.search.reviewing.conftest import AddPicture, whole

PAGE = "/datasets/colours/duplicates/"


@pytest.fixture
def found(ann: User, dataset: Dataset, add_picture: AddPicture) -> list[Image]:
    """Two groups of two."""
    images = []
    for seed in (3, 7):
        images += [add_picture(whole(seed)), add_picture(whole(seed).resize((160, 120)))]
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    return images


@pytest.fixture
def hers(client: Client, ann: User) -> Client:
    client.force_login(ann)
    return client


def ids(*images: Image) -> str:
    return ",".join(str(image.pk) for image in images)


def told(client: Client) -> str:
    return html.unescape(" ".join(str(message) for message in client.get(PAGE).context["messages"]))


def press(client: Client, do: str, **fields: Any) -> Any:
    response = client.post(PAGE, {"do": do, **fields})
    assert response.status_code == 303
    return response


def test_they_are_for_those_who_may_change_the_dataset(
    client: Client, found: list[Image], dataset: Dataset, django_user_model: type[User]
) -> None:
    pages = [PAGE, f"{PAGE}decided/", f"{PAGE}{found[0].pk}-{found[1].pk}/"]
    for user, answered in ((None, 302), (django_user_model.objects.create_user("bob"), 403)):
        if user:
            client.force_login(user)
        assert {client.get(page).status_code for page in pages} == {answered}
        for do in ("find", "keep", "keep-all", "suggested", "undo", "stop"):
            assert client.post(PAGE, {"do": do, "group": ids(*found[:2]), "kept": found[0].pk}).status_code == answered
        assert PAGE not in client.get(dataset.get_absolute_url()).text
    client.force_login(dataset.owner)
    assert {client.get(page).status_code for page in pages} == {200}
    assert PAGE in client.get(dataset.get_absolute_url()).text
    assert dataset.images.count() == 4


def test_the_page_shows_groups_and_why(hers: Client, found: list[Image]) -> None:
    page = html.unescape(hers.get(PAGE).text)
    assert "2 pictures are there more than once. 2 images could go." in page
    assert "Suggested because it has the most pixels: 400 × 300, the next 160 × 120." in page
    assert page.count('name="kept"') == 4
    checked = re.findall(r'name="kept" value="(\d+)" checked', page)
    assert checked == [str(found[0].pk), str(found[2].pk)]


def test_the_chosen_one_is_kept_and_undo_brings_the_other_back(
    hers: Client, found: list[Image], dataset: Dataset
) -> None:
    press(hers, "keep", group=ids(*found[:2]), kept=found[1].pk)
    assert set(dataset.images.values_list("pk", flat=True)) == {one.pk for one in found[1:]}
    said = told(hers)
    assert "1 image is in the trash, for a day." in said
    batch = re.search(r'name="batch" value="([^"]+)"', said)
    assert batch
    press(hers, "undo", batch=batch[1])
    assert "The decision is undone. 1 image is back." in told(hers)
    assert dataset.images.count() == 4
    press(hers, "undo", batch=batch[1])
    assert "This was undone already." in told(hers)


def test_all_are_kept_and_the_decision_is_listed(hers: Client, found: list[Image], dataset: Dataset) -> None:
    press(hers, "keep-all", group=ids(*found[:2]))
    assert "They are no duplicates." in told(hers)
    assert hers.get(PAGE).text.count('name="kept"') == 2
    listed = hers.get(f"{PAGE}decided/").text
    assert "no duplicates" in listed
    assert "ann" in listed
    batch = DuplicateReview.objects.get().batch
    assert press(hers, "undo", batch=batch, back="decisions")["Location"] == f"{PAGE}decided/"
    assert hers.get(PAGE).text.count('name="kept"') == 4


def test_different_labels_are_asked_for(hers: Client, found: list[Image], dataset: Dataset) -> None:
    Image.objects.filter(pk=found[0].pk).update(label="sea")
    Image.objects.filter(pk=found[1].pk).update(label="sky")
    assert "Which one stays?" in hers.get(PAGE).text
    press(hers, "keep", group=ids(*found[:2]), kept=found[0].pk)
    assert "They have different labels: sea, sky. Say which one stays." in told(hers)
    press(hers, "keep", group=ids(*found[:2]), kept=found[0].pk, label="sky")
    assert Image.objects.get(pk=found[0].pk).label == "sky"


def test_the_suggestion_is_applied_to_all_after_asking(hers: Client, found: list[Image], dataset: Dataset) -> None:
    asked = hers.post(PAGE, {"do": "suggested", "page": "1"})
    assert "Put 2 images into the trash?" in asked.text
    assert dataset.images.count() == 4
    shown = re.findall(r'name="suggested" value="([^"]+)"', asked.text)
    assert shown == [ids(*found[:2]), ids(*found[2:])]
    press(hers, "suggested", page="1", sure="1", suggested=shown)
    assert set(dataset.images.values_list("pk", flat=True)) == {found[0].pk, found[2].pk}
    assert "2 images are in the trash" in told(hers)
    assert len({review.batch for review in DuplicateReview.objects.all()}) == 1
    press(hers, "undo", batch=DuplicateReview.objects.all()[0].batch)
    assert dataset.images.count() == 4


def test_groups_of_different_labels_are_left_for_people(hers: Client, found: list[Image], dataset: Dataset) -> None:
    Image.objects.filter(pk=found[0].pk).update(label="sea")
    Image.objects.filter(pk=found[1].pk).update(label="sky")
    asked = hers.post(PAGE, {"do": "suggested"}).text
    assert "Put 1 image into the trash?" in asked
    assert "1 group of different labels is left for you to decide." in asked
    press(hers, "suggested", sure="1", suggested=[ids(*found[:2]), ids(*found[2:])])
    assert dataset.images.count() == 3
    assert "Nothing to apply" in hers.post(PAGE, {"do": "suggested"}).text


def test_what_others_decided_meanwhile_is_not_decided_again(
    hers: Client, ann: User, found: list[Image], dataset: Dataset
) -> None:
    deciding.keep_best(dataset, found[0].pk, [found[0].pk, found[1].pk], ann)
    press(hers, "keep", group=ids(*found[:2]), kept=found[1].pk)
    assert "These pictures have changed meanwhile" in told(hers)
    assert Image.objects.get(pk=found[0].pk).dataset == dataset


@pytest.mark.parametrize(
    "fields", [{}, {"group": "x,,-1"}, {"group": "99999999999999999999"}, {"group": "1,2", "kept": "\0"}]
)
@pytest.mark.parametrize("do", ["keep", "keep-all"])
def test_damaged_forms_change_nothing(hers: Client, found: list[Image], do: str, fields: dict[str, str]) -> None:
    press(hers, do, **fields, page="9" * 30)
    assert "Nothing was done." in told(hers)
    assert hers.post(PAGE, {"do": "anything"}).status_code == 404
    assert press(hers, "undo", batch="\0").status_code == 303


def test_two_pictures_are_compared_without_scripts(hers: Client, found: list[Image]) -> None:
    address = f"{PAGE}{found[1].pk}-{found[0].pk}/"
    assert address.replace(f"{found[1].pk}-{found[0].pk}", f"{found[0].pk}-{found[1].pk}") in hers.get(PAGE).text
    for view in ("side", "overlay", "difference"):
        assert f'class="compared is-{view}"' in hers.get(f"{address}?view={view}").text
    assert 'class="compared is-side"' in hers.get(f"{address}?view=none").text
    assert hers.get(f"{PAGE}{found[0].pk}-{found[2].pk}/").status_code == 404
    assert hers.get(f"{PAGE}1-{'9' * 25}/").status_code == 404


def test_a_button_begins_the_search_once_and_stops_it(
    hers: Client, ann: User, dataset: Dataset, add_picture: AddPicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_find_duplicates", sent.append)
    mine, other = Dataset.objects.create(name="Mine", owner=ann), Dataset.objects.create(name="Not mine")
    add_picture(whole())
    assert 'value="mine"' in hers.get(PAGE).text
    press(hers, "find", also=["mine", other.slug, "\0"])
    job = Job.objects.get(kind="duplicates")
    assert sent == [job.pk]
    assert (job.state, job.owner, job.parameters["also_ids"]) == ("waiting", ann, [mine.pk])
    press(hers, "find")
    assert sent == [job.pk]
    assert "Waiting for a worker." in hers.get(PAGE).text
    press(hers, "stop")
    job.refresh_from_db()
    assert job.state == "failed"
    assert "Stopped before it began." in hers.get(PAGE).text
    press(hers, "find")
    running.carry_out_for_worker(sent[1])
    page = hers.get(PAGE, headers={"HX-Request": "true"}).text
    assert "No duplicates among 1 image." in page
    add_picture(whole(5))
    assert "1 image was added since." in hers.get(PAGE).text
