"""What a search says of its hits: chances where labels tell, rarity where they do not, and when nothing was found."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.test import Client

from search import vectors
from search.models import Calibration, Dataset, Encoder, Image
from search.quality import calibrating
from search.quality.calibrating import Scale

AddImage = Callable[..., Image]
CHANCES = {"distances": [0.05, 0.2, 0.6], "probabilities": [1.0, 0.5, 0.0]}
PAIRS = {"distances": [0.1, 0.3, 0.5, 1.0], "shares": [0.0, 0.0004, 0.5, 1.0], "n_pairs": 10_000_000}


def scale(chances: dict[str, object] = CHANCES, pairs: dict[str, object] = PAIRS, tells_copies: bool = True) -> Scale:
    return Scale(chances=chances, random_pairs=pairs, tells_copies=tells_copies)


@pytest.mark.parametrize(
    ("distance", "words", "is_similar"),
    [
        (0.001, "practically the same picture", True),
        (0.05, "over 99 % likely the same", True),
        (0.125, "75 % likely the same", True),
        (0.2, "50 % likely the same", True),
        (0.4, "25 % likely the same", False),
        (0.6, "under 1 % likely the same", False),
        (0.61, "nearer than 39 % of random pairs", False),
    ],
)
def test_chances_are_said_in_words(distance: float, words: str, is_similar: bool) -> None:
    worth = scale().of(distance)
    assert worth is not None
    assert (worth.words.replace("\N{NO-BREAK SPACE}", " "), worth.is_similar) == (words, is_similar)


@pytest.mark.parametrize(
    ("distance", "words", "is_similar"),
    [
        (0.05, "nearer than all but a millionth of random pairs", True),
        (0.3, "nearer than 99.96 % of random pairs", True),
        (0.5, "nearer than 50 % of random pairs", False),
        (1.2, "nearer than 0 % of random pairs", False),
    ],
)
def test_without_labels_rarity_is(distance: float, words: str, is_similar: bool) -> None:
    worth = scale(chances={}).of(distance)
    assert worth is not None
    assert (worth.words.replace("\N{NO-BREAK SPACE}", " "), worth.is_similar) == (words, is_similar)


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert scale({}, {}).of(0.1) is None


def test_a_distance_of_another_kind_makes_no_copy() -> None:
    worth = scale(chances={}, tells_copies=False).of(0.001)
    assert worth is not None
    assert worth.words.startswith("nearer than")


@pytest.fixture
def mixed(encoder: Encoder, dataset: Dataset, add_image: AddImage) -> list[Image]:
    """Sixty images of three labels whose vectors overlap."""
    random = np.random.default_rng(0)
    images = [
        add_image(content=f"{number}".encode(), embedded=False, label=f"kind {number % 3}", status="ready")
        for number in range(60)
    ]
    found = random.normal(size=(60, 12)) + 1.6 * np.eye(3, 12)[np.arange(60) % 3]
    vectors.write(encoder, [image.pk for image in images], found.astype(np.float32))
    return images


def test_an_evaluation_teaches_the_search_what_its_distances_are_worth(
    mixed: list[Image], dataset: Dataset, client: Client
) -> None:
    address = f"/?image={mixed[0].pk}&dataset=colours"
    assert "likely the same" not in client.get(address).content.decode()
    call_command("evaluate_search", dataset="colours")
    kept = Calibration.objects.get()
    assert (kept.n_images, kept.chances["reliability"]["n_pairs"]) == (60, 1200)
    page = client.get(address).content.decode()
    assert page.count("likely the same") == 24
    assert "have the label of the query" in page


def test_a_page_says_that_nothing_similar_was_found_and_shows_the_nearest(
    mixed: list[Image], encoder: Encoder, dataset: Dataset, client: Client
) -> None:
    never = {"distances": [0.0, 1.0], "probabilities": [0.1, 0.0]}
    calibrating.keep(encoder, dataset, chances=never, pairs={}, n_images=60)
    page = client.get(f"/?image={mixed[0].pk}&dataset=colours").content.decode()
    assert "Nothing really similar was found." in page
    assert len(re.findall(r'class="tile is-weak', page)) == 24
    # The next page is a continuation and no verdict.
    more = client.get(f"/?image={mixed[0].pk}&dataset=colours&offset=24").content.decode()
    assert "Nothing really similar" not in more
    # In another order the nearest ones need not be among those that are shown.
    newest = client.get(f"/?image={mixed[0].pk}&dataset=colours&sort=newest").content.decode()
    assert "Nothing really similar" not in newest


def test_what_was_learnt_with_other_weights_is_not_said(
    mixed: list[Image], encoder: Encoder, dataset: Dataset, client: Client
) -> None:
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=60)
    Encoder.objects.update(weights_sha256="9" * 64)
    assert "likely the same" not in client.get(f"/?image={mixed[0].pk}").content.decode()


def test_rarity_is_learnt_without_labels_and_again_when_a_dataset_has_grown(
    mixed: list[Image], encoder: Encoder, dataset: Dataset, add_image: AddImage
) -> None:
    Dataset.objects.create(name="Empty")
    assert calibrating.learn_rarity(encoder) == 1
    assert calibrating.learn_rarity(encoder) == 0
    kept = Calibration.objects.get()
    assert (kept.chances, kept.random_pairs["n_pairs"]) == ({}, 60 * 59 // 2)
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=30)
    assert calibrating.learn_rarity(encoder) == 1
    # What labels told stays.
    assert Calibration.objects.get().chances == CHANCES


def test_new_weights_forget_what_labels_told_of_the_old_ones(
    mixed: list[Image], encoder: Encoder, dataset: Dataset
) -> None:
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=60)
    encoder.weights_sha256 = "9" * 64
    encoder.save()
    assert calibrating.learn_rarity(encoder) == 1
    assert Calibration.objects.get().chances == {}


def test_queries_from_elsewhere_teach_nothing_about_the_datasets_own(
    mixed: list[Image], encoder: Encoder, dataset: Dataset, add_image: AddImage
) -> None:
    phone = Dataset.objects.create(name="Phone")
    images = [
        add_image(content=f"p{n}".encode(), embedded=False, label=f"kind {n % 3}", status="ready", dataset=phone)
        for n in range(20)
    ]
    found = np.random.default_rng(1).normal(size=(20, 12)) + np.eye(3, 12)[np.arange(20) % 3]
    vectors.write(encoder, [image.pk for image in images], found.astype(np.float32))
    call_command("evaluate_search", dataset="colours", queries="phone")
    assert Calibration.objects.get().chances == {}


def test_programs_are_told_what_hits_are_worth_too(
    mixed: list[Image], encoder: Encoder, dataset: Dataset, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask() -> dict[str, Any]:
        return client.post("/api/v1/search", {"image_id": mixed[0].pk}, content_type="application/json").json()

    assert ask()["worth"] == [None] * 10
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=60)
    body = ask()
    assert len(body["worth"]) == len(body["hits"]) == 10
    assert all(0 <= one["chance"] <= 1 and 0 <= one["rarity"] <= 1 for one in body["worth"])


def test_the_command_line_says_it_beside_the_hit(
    encoder: Encoder, dataset: Dataset, add_image: AddImage, capsys: pytest.CaptureFixture[str]
) -> None:
    image = add_image("red")
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=1)
    call_command("search_image", str(image.original))
    assert "(practically the same picture)" in capsys.readouterr().out


def test_queries_that_were_learnt_from_promise_nothing_about_new_ones(
    mixed: list[Image], encoder: Encoder, dataset: Dataset
) -> None:
    Encoder.objects.update(spec={"input_size": 32, "training": {"dataset": "Colours"}})
    call_command("evaluate_search", dataset="colours")
    kept = Calibration.objects.get()
    assert (kept.chances, kept.random_pairs["n_pairs"]) == ({}, 60 * 59 // 2)


def test_of_few_pairs_none_is_rarer_than_one_of_them() -> None:
    worth = scale(chances={}, pairs=PAIRS | {"n_pairs": 1035}).of(0.05)
    assert worth is not None
    assert worth.rarity == pytest.approx(1 - 1 / 1035)


def test_farther_than_all_that_was_evaluated_is_no_find_however_rare() -> None:
    near = {"distances": [0.05, 0.2], "probabilities": [1.0, 0.8]}
    worth = scale(chances=near).of(0.25)
    assert worth is not None
    assert (worth.chance, worth.is_similar) == (None, False)
    assert worth.words.startswith("nearer than 99.97")
    without_pairs = scale(chances=near, pairs={}).of(0.25)
    assert without_pairs is not None
    assert (without_pairs.words, without_pairs.is_similar) == ("farther than any hit that was evaluated", False)


def test_too_few_images_tell_nothing_of_rarity(
    encoder: Encoder, dataset: Dataset, add_image: AddImage, client: Client
) -> None:
    for colour in ("red", "blue", "green"):
        add_image(colour)
    assert calibrating.learn_rarity(encoder) == 0
    call_command("evaluate_search", dataset="colours")
    assert Calibration.objects.get().random_pairs == {}
    assert "random pairs" not in client.get(f"/?image={Image.objects.all()[0].pk}").content.decode()


def test_chances_of_old_weights_are_not_kept_for_new_ones(encoder: Encoder, dataset: Dataset) -> None:
    calibrating.keep(encoder, dataset, chances=CHANCES, pairs=PAIRS, n_images=60)
    encoder.weights_sha256 = "9" * 64
    encoder.save()
    calibrating.keep(encoder, dataset, chances={}, pairs=PAIRS, n_images=60)
    assert Calibration.objects.get().chances == {}
