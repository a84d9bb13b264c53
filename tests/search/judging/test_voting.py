"""Votes from the page: one a voter and question, whoever that is; and what is no vote."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search import embedding
from search.models import Dataset, Encoder, Image, Vote

AddImage = Callable[..., Image]


@pytest.fixture
def question(add_image: AddImage, encoder: Encoder) -> dict[str, Any]:
    """A search through two encoders."""
    images = [add_image(colour) for colour in ("red", "orange", "blue")]
    facts = {"family": "fake", "dim": encoder.dim, "spec": encoder.spec, "weights_sha256": "1" * 64}
    embedding.embed(Encoder.objects.create(name="shapes", **facts), [image.pk for image in images])
    return {"image": str(images[0].pk), "beside": "shapes", "blind": "1"}


def letters(client: Client, question: dict[str, Any]) -> dict[str, str]:
    """Return the letter of each encoder."""
    shown = client.get("/", question).context["comparison"].columns
    return {column.encoder.name: column.letter for column in shown}


def vote(client: Client, question: dict[str, Any], choice: str, **options: Any) -> Any:
    return client.post("/vote/", {**question, "choice": choice}, **options)


def test_a_vote_names_who_was_chosen_and_which_was_which(client: Client, question: dict[str, Any]) -> None:
    letter = letters(client, question)
    response = vote(client, question, letter["shapes"], follow=True)
    assert "You chose shapes. Your vote is counted." in response.text
    assert f"{letter['shapes']}: shapes" in response.text
    assert f"{letter['colours']}: colours" in response.text
    cast = Vote.objects.get()
    assert (cast.winner.name, cast.dataset, cast.user) == ("shapes", None, None)
    assert {one.name for one in cast.encoders.all()} == {"colours", "shapes"}


def test_a_vote_leads_to_the_same_search_with_names(client: Client, question: dict[str, Any]) -> None:
    response = vote(client, question, "none")
    assert response.status_code == 303
    assert response["Location"] == f"/?image={question['image']}&beside=shapes"


def test_none_is_better_is_a_vote_too(client: Client, question: dict[str, Any]) -> None:
    assert "Your vote is counted." in vote(client, question, "none", follow=True).text
    assert Vote.objects.get().winner is None


def test_who_votes_again_changes_the_vote(client: Client, question: dict[str, Any]) -> None:
    letter = letters(client, question)
    for name in ("shapes", "colours"):
        vote(client, question, letter[name])
    assert Vote.objects.get().winner.name == "colours"


def test_another_question_is_another_vote(client: Client, question: dict[str, Any]) -> None:
    vote(client, question, "A")
    vote(client, {**question, "words": "blue"}, "A")
    vote(client, {**question, "k": "7"}, "B")  # the first question, with more results
    assert Vote.objects.count() == 2


def test_visitors_without_an_account_are_told_apart(client: Client, question: dict[str, Any]) -> None:
    for one in (client, client, Client()):
        vote(one, question, "A")
    assert Vote.objects.count() == 2


def test_the_cookie_that_tells_them_apart_is_signed(client: Client, question: dict[str, Any]) -> None:
    cookie = vote(client, question, "A").cookies["voter"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    forged = Client()
    forged.cookies["voter"] = cookie.value.replace(":", "x:", 1)
    response = vote(forged, question, "B")
    assert response.status_code == 303
    assert response.cookies["voter"].value.partition(":")[0] != cookie.value.partition(":")[0] + "x"
    assert Vote.objects.count() == 2


def test_an_account_is_one_voter_in_every_browser(question: dict[str, Any], django_user_model: type[User]) -> None:
    ann = django_user_model.objects.create_user("ann")
    for browser in (Client(), Client()):
        browser.force_login(ann)
        assert "voter" not in vote(browser, question, "A").cookies
    assert Vote.objects.get().user == ann


@pytest.mark.parametrize("choice", ["C", "Z", "", "shapes", "a", "AB"])
def test_a_letter_that_was_not_shown_is_refused(client: Client, question: dict[str, Any], choice: str) -> None:
    response = vote(client, question, choice)
    assert response.status_code == 400
    assert "This is no vote between encoders." in response.text
    assert not Vote.objects.exists()


@pytest.mark.parametrize("change", [{"beside": ""}, {"image": ""}, {"beside": "unknown"}, {"dataset": "unknown"}])
def test_what_is_no_comparison_is_refused(client: Client, question: dict[str, Any], change: dict[str, str]) -> None:
    response = vote(client, {**question, **change}, "A")
    assert response.status_code == 400
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert not Vote.objects.exists()


def test_a_vote_needs_the_token_of_the_page(question: dict[str, Any]) -> None:
    stranger = Client(enforce_csrf_checks=True)
    assert vote(stranger, question, "A").status_code == 403
    page = stranger.get("/", question).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    assert vote(stranger, {**question, "csrfmiddlewaretoken": token[1]}, "A").status_code == 303
    assert stranger.get("/vote/").status_code == 405


def test_votes_are_counted_on_the_page_that_compares_encoders(client: Client, question: dict[str, Any]) -> None:
    asked = {**question, "dataset": "colours"}
    letter = letters(client, asked)
    for one in (client, Client(), Client()):
        vote(one, asked, letter["shapes"])
    vote(Client(), asked, "none")
    text = client.get("/datasets/colours/comparison/").text
    (row,) = re.findall(r'<th scope="row">shapes</th>.*?</tr>', text)
    assert re.findall(r'is-number">([^<]*)', row) == ["4", "3", "1", "100.0\N{NO-BREAK SPACE}%"]


def test_a_dataset_that_is_called_by_its_name_is_the_same_one(client: Client, question: dict[str, Any]) -> None:
    Dataset.objects.create(name="Other")
    vote(client, {**question, "dataset": "Colours"}, "A")
    vote(client, {**question, "dataset": "colours"}, "A")
    assert Vote.objects.get().dataset.slug == "colours"


@pytest.mark.parametrize("change", [{"image": "", "q": "made-up"}, {"blind": ""}])
def test_a_vote_on_answers_that_nobody_saw_blindly_does_not_count(
    client: Client, question: dict[str, Any], change: dict[str, str]
) -> None:
    response = vote(client, {**question, **change}, "A")
    assert response.status_code in {303, 400}
    assert not Vote.objects.exists()


def test_a_blind_page_shows_no_numbers_that_tell_encoders_apart(client: Client, question: dict[str, Any]) -> None:
    assert "tile-number" not in client.get("/", question).text
    assert "tile-number" in client.get("/", {**question, "blind": ""}).text
