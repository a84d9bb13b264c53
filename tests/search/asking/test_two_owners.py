"""Whatever one of two owners of nearly the same pictures asks, nothing of the other's shows, and no page is short."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from search import indexing
from search.models import Dataset, Encoder, Image
from search.neighbours import planning
from search.quality import auditing
from tests.search.asking.two_owners import EVERYBODY, OWNERS, Fact, Visitor, visitors

AddImage = Callable[..., Image]
Make = Callable[[int], dict[str, Visitor]]
API = "/api/v1/search"
SORTS = ("newest", "oldest", "largest", "smallest")
# Distances of halves differ so much from those of doubles.
EDGE = 1e-3
ABSENT = 7_999_999
_NEXT_PAGE = re.compile(r"hx-get=\"([^\"]*)\" hx-trigger=\"[^\"]*\" hx-target=\"#hits\"")
THOROUGH = pytest.mark.thorough


@pytest.fixture
def make(
    transactional_db: None,
    encoder: Encoder,
    add_encoder: Callable[[str], Encoder],
    add_image: AddImage,
    django_user_model: type[User],
) -> Make:
    """Make the visitors of datasets of so many images: `make(300)["quokka"]`."""
    encoders = [encoder, add_encoder("shapes")]
    return lambda n: visitors(n, n // 5, encoders, add_image, django_user_model)


@pytest.fixture
def index(encoder: Encoder, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have searches walk through the index, in which an owner's pictures are half of what is there."""

    def build() -> None:
        settings.EXACT_SEARCH_UP_TO = 10
        monkeypatch.setattr(planning, "_COMPARED_IN_A_STEP", 0)
        monkeypatch.setattr(planning, "_COMPARED_IN_A_SECOND", 0)
        indexing.build(encoder)

    return build


@pytest.mark.parametrize(("n_images", "n_searches"), [(40, 120), pytest.param(300, 4_000, marks=THOROUGH)])
def test_no_search_shows_what_is_the_others(make: Make, n_images: int, n_searches: int) -> None:
    search(make(n_images), n_searches)


@pytest.mark.parametrize(("n_images", "n_searches"), [(40, 60), pytest.param(300, 4_000, marks=THOROUGH)])
def test_nor_does_one_through_the_index(make: Make, index: Callable[[], None], n_images: int, n_searches: int) -> None:
    everybody = make(n_images)
    index()
    for visitor in everybody.values():
        visitor.passed_by = 0.02
    search(everybody, n_searches)
    answers = [answer for visitor in everybody.values() for answer in visitor.answers]
    walked = [answer for answer in answers if '"exact": false' in answer or "found through the index" in answer]
    assert len(walked) > n_searches / 25


@pytest.mark.parametrize(("n_images", "n_searches"), [(20, 40), pytest.param(300, 1_000, marks=THOROUGH)])
def test_answers_are_as_if_the_other_had_nothing(make: Make, encoder: Encoder, n_images: int, n_searches: int) -> None:
    everybody = make(n_images)
    indexing.build(encoder)
    auditing.audit(encoder)
    owner = {OWNERS[0]: everybody[OWNERS[0]]}
    before = answers_of(owner, n_searches)
    Dataset.objects.get(slug=OWNERS[1]).delete()
    assert differences(before, answers_of(owner, n_searches)) == []


def answers_of(everybody: dict[str, Visitor], n: int) -> list[str]:
    """Return what a visitor is answered, the same questions each time."""
    (visitor,) = everybody.values()
    visitor.answers.clear()
    search(everybody, n)
    for address in ("/", "/datasets/", "/encoders/", "/encoders/colours/", "/api/v1/datasets", "/api/v1/encoders"):
        visitor.get(address)
    return list(visitor.answers)


def differences(before: list[str], after: list[str]) -> list[str]:
    """Return where answers begin to differ, some letters of each: whole pages take pytest minutes to compare."""
    found = []
    for first, second in zip(before, after, strict=True):
        place = next((n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), 0)
        if first != second:
            found.append(f"{first[max(0, place - 60) : place + 60]!r} is {second[max(0, place - 60) : place + 60]!r}")
    return found


def search(everybody: dict[str, Visitor], n: int) -> None:
    """Have visitors ask in every way once, and then by chance, until there are n answers; programs ask most."""
    draw = random.Random(5)
    visitors = list(everybody.values())
    for ask in (*PAGES, *PROGRAMS):
        ask(draw.choice(visitors), draw)
    while sum(len(visitor.answers) for visitor in visitors) < n:
        ask = draw.choice([*PAGES, *PROGRAMS * 4])
        ask(draw.choice(visitors), draw)


def by_image(visitor: Visitor, draw: random.Random) -> None:
    image, filters, k = draw.choice(visitor.sees), drawn_filters(visitor, draw), draw.choice([1, 5, 24, 100])
    fitting = visitor.fitting(filters, [image.id])
    response = visitor.post_json(API, {"image_id": image.id, "k": k, **for_programs(filters)})
    assert len(response.json()["hits"]) == min(k, len(fitting))


def by_image_to_the_last_page(visitor: Visitor, draw: random.Random) -> None:
    image, filters = draw.choice(visitor.sees), drawn_filters(visitor, draw)
    ids: list[int] = []
    asked = {"image_id": image.id, "k": 48, **for_programs(filters)}
    while asked.get("after", "") is not None:
        answer = visitor.post_json(API, asked).json()
        ids += [hit["id"] for hit in answer["hits"]]
        asked["after"] = answer["next"]
        assert answer["next"] is None or len(answer["hits"]) == 48
    assert_all(visitor, ids, visitor.fitting(filters, [image.id]))


def by_vector(visitor: Visitor, draw: random.Random) -> None:
    """Ask with the very vector of a picture, mine or not, as far as a distance."""
    vector, filters = any_picture(visitor, draw).vector, drawn_filters(visitor, draw)
    farthest = draw.choice([0.0005, 0.01, 0.05, 0.2])
    asked = {"vector": vector.tolist(), "encoder": "colours", "k": 1000, "max_distance": farthest}
    hits = visitor.post_json(API, {**asked, **for_programs(filters)}).json()["hits"]
    least, most = n_within(visitor.fitting(filters), vector, farthest)
    assert least <= len(hits) <= most


def by_content(visitor: Visitor, draw: random.Random) -> None:
    picture, filters, k = any_picture(visitor, draw), drawn_filters(visitor, draw), draw.choice([5, 24, 100])
    fields = {"image": sent(picture), "k": k, **for_programs(filters)}
    assert len(visitor.post(API, fields).json()["hits"]) == min(k, len(visitor.fitting(filters)))


def by_examples(visitor: Visitor, draw: random.Random) -> None:
    examples, filters = draw.sample(visitor.sees, 4), drawn_filters(visitor, draw)
    first, second, third, unlike = (fact.id for fact in examples)
    asked = {"image_id": first, "image_ids": [second, third], "less_ids": [unlike], "k": 24}
    hits = visitor.post_json(API, {**asked, **for_programs(filters)}).json()["hits"]
    assert len(hits) == min(24, len(visitor.fitting(filters, [fact.id for fact in examples])))


def on_a_page(visitor: Visitor, draw: random.Random) -> None:
    image, filters, k = draw.choice(visitor.sees), drawn_filters(visitor, draw), draw.choice([1, 24, 60])
    offset, sort = draw.choice([0, 0, 24, 50, 400]), draw.choice(["", "", *SORTS])
    asked = {"image": image.id, "k": k, "offset": offset, "sort": sort, **filters}
    results = visitor.get("/", asked).context["results"]
    fitting = visitor.fitting(filters, [image.id])
    assert results.n_searched == len(fitting)
    assert len(results.hits) == min(k, max(0, len(fitting) - offset))


def from_page_to_page(visitor: Visitor, draw: random.Random) -> None:
    image, filters = draw.choice(visitor.sees), drawn_filters(visitor, draw)
    response = visitor.get("/", {"image": image.id, "k": 100, **filters})
    ids = [hit.id for hit in response.context["results"].hits]
    while link := re.search(_NEXT_PAGE, response.text):
        response = visitor.get(html.unescape(link[1]))
        ids += [hit.id for hit in response.context["results"].hits]
    assert_all(visitor, ids, visitor.fitting(filters, [image.id]))


def down_to_a_similarity(visitor: Visitor, draw: random.Random) -> None:
    image, least = draw.choice(visitor.sees), draw.choice([80, 95, 99.9])
    hits = visitor.get("/", {"image": image.id, "k": 100, "least": least}).context["results"].hits
    fewest, most = n_within(visitor.fitting({}, [image.id]), image.vector, 1 - least / 100)
    assert min(100, fewest) <= len(hits) <= min(100, most)


def by_upload(visitor: Visitor, draw: random.Random) -> None:
    """Send the very content of a picture, mine or not: it has copies among those that I see, and nowhere else."""
    picture, filters = any_picture(visitor, draw), drawn_filters(visitor, draw)
    answer = visitor.post("/", {"picture": sent(picture), **filters})
    results = visitor.get(answer["Location"]).context["results"]
    fitting = visitor.fitting(filters)
    assert (results.n_searched, len(results.hits)) == (len(fitting), min(24, len(fitting)))
    exact = {fact.id for fact in fitting if fact.content == picture.content}
    assert {one.hit.id for one in results.exact_copies} == exact


def beside_each_other(visitor: Visitor, draw: random.Random) -> None:
    image, filters, blind = draw.choice(visitor.sees), drawn_filters(visitor, draw), draw.choice(["", "1"])
    asked = {"image": image.id, "beside": "shapes", "blind": blind, **filters}
    n = min(24, len(visitor.fitting(filters, [image.id])))
    columns = visitor.get("/", asked).context["comparison"].columns
    assert [len(column.results.hits) for column in columns] == [n, n]


def as_a_file(visitor: Visitor, draw: random.Random) -> None:
    image, filters = draw.choice(visitor.sees), drawn_filters(visitor, draw)
    n = len(visitor.fitting(filters, [image.id]))
    asked = {"image": image.id, "k": 100, **filters}
    found = visitor.get("/results.json", asked).json()
    assert (found["n_searched"], len(found["hits"])) == (n, min(100, n))
    assert len(visitor.get("/results.csv", asked).text.splitlines()) == 1 + min(100, n)


def by_words(visitor: Visitor, draw: random.Random) -> None:
    words = draw.choice(["shelf", "plain shelf", "shared", "shelf 1", *OWNERS])
    found = visitor.get("/", {"words": words, "k": 60}).context["found"]
    n = len(visitor.fitting({"words": words}))
    assert (found.n_found, len(found.images)) == (n, min(60, n))


def by_looking_around(visitor: Visitor, draw: random.Random) -> None:
    image = draw.choice(visitor.sees)
    for address in ("/", "/datasets/", f"/datasets/{image.dataset}/", f"/images/{image.id}/"):
        assert visitor.get(address).status_code == 200
    # The labels that are suggested for a dataset.
    page = visitor.get("/", {"image": image.id, "dataset": image.dataset})
    assert set(page.context["labels"]) == {fact.label for fact in visitor.sees if fact.dataset == image.dataset}


def of_a_selection(visitor: Visitor, draw: random.Random) -> None:
    """Choose pictures of all datasets: those that I do not see are left out."""
    own, others = draw.sample(visitor.sees, 3), draw.sample(visitor.foreign, 3)
    fields = {"do": draw.choice(["json", "csv"]), "chosen": [fact.id for fact in (*own, *others)]}
    text = visitor.post("/selection/", fields).text
    assert [fact.source for fact in own if fact.source not in text] == []


def for_what_is_the_others(visitor: Visitor, draw: random.Random) -> None:
    """Ask for what is there and not mine as for what is nowhere: the answers are the same."""
    image, own = draw.choice(visitor.foreign), draw.choice(visitor.sees)
    method, address, fields = draw.choice(FORBIDDEN)
    answers = []
    for pk, slug in ((image.id, image.dataset), (ABSENT, "nowhere")):
        names = {"pk": pk, "slug": slug, "version": image.sha256[:12], "own": own.id}
        asked = {name: value.format(**names) for name, value in fields.items()}
        response = getattr(visitor.client, method)(address.format(**names), asked)
        text = re.sub(r'csrfmiddlewaretoken" value="[^"]*', "", response.text)
        answers.append((response.status_code, text.replace(str(pk), "").replace(slug, "")))
    (status, text), (status_of_absent, absent) = answers
    assert status == status_of_absent
    assert status in {400, 404}
    assert differences([text], [absent]) == []
    visitor.answers.append(text)


FORBIDDEN = [
    ("get", "/", {"image": "{pk}"}),
    ("get", "/", {"image": "{own}", "less": "{pk}"}),
    ("get", "/", {"image": "{own}", "dataset": "{slug}"}),
    ("get", "/", {"image": "{pk}", "beside": "shapes"}),
    ("get", "/results.csv", {"image": "{pk}"}),
    ("get", "/results.json", {"image": "{own}", "dataset": "{slug}"}),
    ("get", "/regions.json", {"image": "{pk}"}),
    ("get", "/images/{own}/why/", {"image": "{pk}"}),
    ("get", "/images/{pk}/why/", {"image": "{own}"}),
    ("get", "/images/{pk}/", {}),
    ("get", "/images/{pk}/thumbnail-{version}.jpg", {}),
    ("get", "/images/{pk}/picture-{version}.jpg", {}),
    ("get", "/datasets/{slug}/", {}),
    ("get", "/datasets/{slug}/export/csv", {}),
    ("post", API, {"image_id": "{pk}"}),
    ("post", API, {"image_id": "{own}", "less_ids": "{pk}"}),
    ("post", API, {"image_ids": "{pk}"}),
    ("post", API, {"image_id": "{own}", "dataset": "{slug}"}),
    ("get", "/api/v1/images/{pk}", {}),
    ("get", "/api/v1/images/{pk}/vector", {}),
    ("get", "/api/v1/images/{pk}/thumbnail", {}),
    ("get", "/api/v1/datasets/{slug}/images", {}),
]
PROGRAMS = (by_image, by_image_to_the_last_page, by_vector, by_content, by_examples)
PAGES = (
    on_a_page,
    from_page_to_page,
    down_to_a_similarity,
    by_upload,
    beside_each_other,
    as_a_file,
    by_words,
    by_looking_around,
    of_a_selection,
    for_what_is_the_others,
)


def assert_all(visitor: Visitor, ids: list[int], fitting: list[Fact]) -> None:
    """Assert that pages gave all that fit, each once; but for what an index is allowed to pass by."""
    assert len(ids) == len(set(ids))
    assert set(ids) <= {fact.id for fact in fitting}
    assert len(ids) >= (1 - visitor.passed_by) * len(fitting)


def any_picture(visitor: Visitor, draw: random.Random) -> Fact:
    return draw.choice([*visitor.sees, *visitor.foreign])


def drawn_filters(visitor: Visitor, draw: random.Random) -> dict[str, str]:
    """Return filters of a page, some of which only pictures of others would pass, had they a say."""
    picture = any_picture(visitor, draw)
    return draw.choice(
        [
            {},
            {},
            {"label": "plain"},
            {"label": picture.label},
            {"tag": "shared"},
            {"tag": picture.tags[1]},
            {"words": "shelf 1"},
            {"words": f"{picture.dataset} plain"},
            {"orientation": "portrait"},
            {"orientation": "landscape", "tag": "shared", "words": "plain"},
            {"dataset": draw.choice(visitor.sees).dataset},
            {"dataset": EVERYBODY, "label": "plain"},
        ]
    )


def for_programs(filters: Mapping[str, str]) -> dict[str, Any]:
    """Return the filters of a page as the API takes them."""
    lists = {"label": "labels", "tag": "tags"}
    return {lists.get(name, name): [value] if name in lists else value for name, value in filters.items()}


def n_within(facts: list[Fact], vector: np.ndarray, distance: float) -> tuple[int, int]:
    """Return how many images at least, and at most, are within a distance of a vector, as halves are rounded."""
    lengths = np.array([np.linalg.norm(fact.vector) for fact in facts])
    found = 1 - np.array([fact.vector @ vector for fact in facts]) / (lengths * np.linalg.norm(vector))
    return int((found <= distance - EDGE).sum()), int((found <= distance + EDGE).sum())


def sent(picture: Fact) -> SimpleUploadedFile:
    return SimpleUploadedFile("picture.jpg", picture.content, "image/jpeg")
