"""Filters by address: what passes, the chip that says so, and what is refused in words."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import QueryDict
from django.test import Client

from search.forms.searching import SearchForm
from search.models import Dataset, Encoder, Image

AddImage = Callable[..., Image]


@pytest.fixture
def query(add_image: AddImage) -> Image:
    """An image to search with, and four that may answer."""
    rows = [
        ("tomato", {"label": "warm", "tags": ["fruit", "red"], "format": "JPEG", "width": 800, "height": 600}, 1),
        ("orange", {"label": "warm", "tags": ["fruit"], "width": 300, "height": 900}, 2),
        ("blue", {"label": "cold", "tags": ["sea"], "width": 400, "height": 400}, 3),
        ("navy", {"label": "cold", "source": "trip/100%_sea.png"}, 4),
    ]
    for colour, facts, day in rows:
        image = add_image(colour, **facts)
        # What was found out at the embedding is put back.
        Image.objects.filter(pk=image.pk).update(
            created_at=datetime(2024, 5, day, 12, tzinfo=UTC), **{"tags": [], **facts}
        )
    return add_image("red")


def names(response: Any) -> set[str]:
    return {hit.name.removesuffix(".png") for hit in response.context["results"].hits}


def chips(response: Any) -> dict[str, str]:
    """Return what the filters that are set say, and where each leads that removes it."""
    found = re.findall(r'<a class="chip is-filter" href="([^"]*)"><span>(.*?)</span>', response.text)
    return {html.unescape(words): html.unescape(address) for address, words in found}


FILTERS = [
    ({"words": "SEA"}, {"blue", "100%_sea"}, "Words: SEA"),
    ({"words": "100%"}, {"100%_sea"}, "Words: 100%"),
    ({"label": "warm"}, {"tomato", "orange"}, "Label: warm"),
    ({"tag": "fruit"}, {"tomato", "orange"}, "Tag: fruit"),
    ({"format": "JPEG"}, {"tomato"}, "Format: JPEG"),
    ({"orientation": "landscape"}, {"tomato", "100%_sea"}, "Orientation: landscape"),
    ({"orientation": "portrait"}, {"orange"}, "Orientation: portrait"),
    ({"orientation": "square"}, {"blue"}, "Orientation: square"),
    ({"min_edge": "800"}, {"tomato", "orange"}, "Longer side from, pixels: 800"),
    ({"max_edge": "800"}, {"tomato", "blue", "100%_sea"}, "to, pixels: 800"),
    ({"since": "2024-05-03"}, {"blue", "100%_sea"}, "Added from: 3 May 2024"),
    ({"until": "2024-05-03"}, {"tomato", "orange", "blue"}, "to: 3 May 2024"),
    ({"least": "80"}, {"tomato", "orange"}, "Similarity at least, %: 80"),
]


@pytest.mark.parametrize(("asked", "passing", "words"), FILTERS, ids=["=".join(*one[0].items()) for one in FILTERS])
def test_each_filter_lets_pass_what_it_says_and_is_removed_by_its_chip(
    client: Client, query: Image, asked: dict[str, str], passing: set[str], words: str
) -> None:
    response = client.get("/", {"image": query.pk, **asked})
    assert names(response) == passing
    assert chips(response) == {words: f"/?image={query.pk}"}


def test_a_chip_removes_its_own_filter_and_leaves_the_rest(client: Client, query: Image) -> None:
    asked = {"image": query.pk, "label": "warm", "min_edge": "700", "sort": "newest", "k": "5"}
    without = client.get(chips(client.get("/", asked))["Label: warm"])
    assert list(chips(without)) == ["Longer side from, pixels: 700"]
    assert (without.context["asked"]["sort"], without.context["asked"]["k"]) == ("newest", "5")


def test_a_tag_has_to_be_the_whole_tag_and_a_label_the_whole_label(client: Client, query: Image) -> None:
    assert names(client.get("/", {"image": query.pk, "tag": "frui"})) == set()
    response = client.get("/", {"image": query.pk, "label": "war"})
    assert names(response) == set()
    assert "No image passes these filters" in response.text


def test_every_word_has_to_be_there_wherever_it_is(client: Client, query: Image) -> None:
    assert names(client.get("/", {"image": query.pk, "words": "sea cold"})) == {"blue", "100%_sea"}
    assert names(client.get("/", {"image": query.pk, "words": "sea trip"})) == {"100%_sea"}
    assert names(client.get("/", {"image": query.pk, "words": "sea warm"})) == set()


@pytest.mark.parametrize("words", ["%", "_", "\\", "100\\%", "a%"])
def test_the_signs_of_a_pattern_stand_for_themselves(client: Client, query: Image, words: str) -> None:
    expected = {"100%_sea"} if words in {"%", "_"} else set()
    assert names(client.get("/", {"image": query.pk, "words": words})) == expected


@pytest.mark.parametrize(
    "asked",
    [
        {"label": "pick", "sort": "newest"},
        {"tag": "pick", "min_edge": "10", "max_edge": "100", "orientation": "landscape", "format": "PNG"},
        {"words": "pick", "since": "2000-01-01", "until": "9999-12-31"},
        {"label": "pick", "tag": "pick", "words": "colours pick", "least": "1"},
    ],
)
def test_no_combination_shortens_a_page(client: Client, add_image: AddImage, asked: dict[str, str]) -> None:
    query = add_image("#000000")
    for place in range(12):  # the ones that are asked for stand among nearer ones
        picked = {"label": "pick", "tags": ["pick"]} if place % 2 else {}
        image = add_image(f"#{10 + 12 * place:02x}2040", **picked)
        Image.objects.filter(pk=image.pk).update(tags=picked.get("tags", []))
    pages = [client.get("/", {"image": query.pk, "k": 3, "offset": offset, **asked}) for offset in (0, 3)]
    assert [len(page.context["results"].hits) for page in pages] == [3, 3]
    assert {hit.label for page in pages for hit in page.context["results"].hits} == {"pick"}
    assert pages[0].context["results"].n_searched == 6


BAD = [
    ("min_edge", "wide", "Enter a whole number."),
    ("min_edge", "-1", "greater than or equal to 1"),
    ("max_edge", "0", "greater than or equal to 1"),
    ("max_edge", "9" * 5000, "Enter a whole number."),
    ("since", "yesterday", "Enter a valid date."),
    ("since", "2024-02-30", "Enter a valid date."),
    ("until", "99999-01-01", "Enter a valid date."),
    ("until", "-1", "Enter a valid date."),
    ("least", "half", "Enter a number."),
    ("least", "-1", "greater than or equal to 0"),
    ("least", "101", "less than or equal to 100"),
    ("least", "nan", "Enter a number."),
    ("least", "1e400", "Enter a number."),
    ("format", "EXE", "is not one of the available choices"),
    ("orientation", "diagonal", "is not one of the available choices"),
    ("sort", "best", "is not one of the available choices"),
    ("words", "x" * 10_000, "at most 200 characters"),
    ("label", "x" * 10_000, "at most 200 characters"),
    ("tag", "x" * 10_000, "at most 100 characters"),
    ("dataset", "x" * 10_000, "There is no dataset"),
    ("encoder", "x" * 10_000, "There is no encoder named"),
    ("image", "x" * 10_000, "An image is named by its number."),
    ("image", "-1", "An image is named by its number."),
    ("q", "../../etc", "This address names no picture."),
    ("crop", "x" * 10_000, "at most 100 characters"),
    ("crop", "1,2,3", "four numbers"),
    ("offset", "first", "Enter a whole number."),
    ("offset", "-1", "greater than or equal to 0"),
    ("after", "near", "damaged"),
    ("after", "nan~5", "damaged"),
    ("after", "inf~5", "damaged"),
    ("after", "0.5~-5", "damaged"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD, ids=[f"{name} {value[:12]}" for name, value, _ in BAD])
def test_a_value_that_makes_no_sense_is_refused_in_words(
    client: Client, encoder: Encoder, name: str, value: str, reason: str
) -> None:
    response = client.get("/", {name: value})
    assert response.status_code == 400
    assert reason in html.unescape(response.text)


@pytest.mark.parametrize("crop", ["0,0,2,1", "-1,0,1,1", "0.5,0,0.6,1", "0,0,0,1", "nan,0,1,1", "inf,0,1,1"])
def test_a_part_outside_the_picture_is_refused_in_words(client: Client, query: Image, crop: str) -> None:
    response = client.get("/", {"image": query.pk, "crop": crop})
    assert response.status_code == 422
    assert "The crop must be x, y, width, height" in response.text


@pytest.mark.parametrize("name", ["words", "label", "tag", "dataset", "encoder", "q", "sort", "since", "crop", "after"])
def test_a_nul_is_refused_wherever_it_stands(client: Client, encoder: Encoder, name: str) -> None:
    response = client.get("/", {name: "a\0b"})
    assert response.status_code == 400
    assert "<h1>" in response.text


@pytest.mark.parametrize(("since", "until"), [("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31")])
def test_days_at_the_ends_of_the_calendar_are_only_days(client: Client, query: Image, since: str, until: str) -> None:
    assert names(client.get("/", {"image": query.pk, "since": since, "until": until})) == set()


def test_a_place_past_every_image_is_the_end(client: Client, query: Image) -> None:
    response = client.get("/", {"image": query.pk, "offset": 4, "after": "1e308~9999999999999999999"})
    assert response.status_code == 200
    assert "There are no more" in response.text


STATES = [
    "image=12&image=15~2.5&less=9&crop=0.1235,0,0.8765,1",
    "image=12&crop=0.123456,0.2,0.876544,0.8",
    "q=abc_-9&q=def~0.5&dataset=colours&k=7&sort=newest",
    "image=1&words=100%25+a_b&label=red+%26+blue&tag=%C3%84pfel&format=PNG&orientation=square",
    "image=1&min_edge=1000&max_edge=2000&since=2024-02-29&until=9999-12-31&least=99.99999",
    "image=1&encoder=shapes&beside=colours&blind=1",
    "image=1&offset=24&after=0.12345678901234567~1234567",
    "image=1&least=0",
]


@pytest.mark.parametrize("state", STATES)
def test_an_address_holds_the_whole_state(state: str, add_encoder: Callable[[str], Encoder], dataset: Dataset) -> None:
    add_encoder("shapes")
    first = SearchForm(QueryDict(state), user=AnonymousUser())
    assert first.is_valid(), first.errors
    address = first.address()
    again = SearchForm(QueryDict(address.urlencode()), user=AnonymousUser())
    assert again.is_valid(), again.errors
    assert again.cleaned_data == first.cleaned_data
    assert sorted(address) == sorted(QueryDict(state))


def test_an_address_leaves_out_what_goes_without_saying(encoder: Encoder, dataset: Dataset) -> None:
    form = SearchForm(QueryDict("image=1&k=24&encoder=colours&offset=0&words=&blind=&sort="), user=AnonymousUser())
    assert form.is_valid()
    assert form.address().urlencode() == "image=1"


@pytest.mark.parametrize("crop", [(0.12345, 0.0, 0.87655, 1.0), (1 / 3, 2 / 3, 2 / 3, 1 / 3)])
def test_a_part_stays_inside_its_picture_from_address_to_address(
    client: Client, query: Image, crop: tuple[float, ...]
) -> None:
    response = client.get("/", {"image": query.pk, "crop": ",".join(map(str, crop))})
    again = client.get(f"/?{response.context['asked'].urlencode()}")
    assert again.status_code == 200
    assert again.context["form"].cleaned_data["crop"] == pytest.approx(crop, abs=1e-8)


def test_the_form_carries_every_filter_for_the_next_search(client: Client, query: Image) -> None:
    asked = {"since": "2024-05-01", "least": "12.5", "min_edge": "1000", "words": 'a "b"'}
    text = client.get("/", {"image": query.pk, **asked}, headers={"Accept-Language": "de"}).text
    for name, value in asked.items():
        (field,) = re.findall(rf'<input[^>]* name="{name}"[^>]*>', text)[:1]
        assert f'value="{html.escape(value)}"' in field
