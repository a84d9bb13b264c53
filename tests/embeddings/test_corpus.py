"""Tests of the verdict on each picture of an optional corpus of odd images beside the checkout; skipped without it."""

import time
from pathlib import Path

import pytest

from embeddings.images import RefusedImage, prepare, prepare_query
from tests import corpus
from tests.corpus import MARKER, Corpus, needs_corpus, outcome_of

INPUT_SIZE = 64

pytestmark = [
    needs_corpus,
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),  # pytest takes away the filters that the module has set
]


@pytest.fixture(scope="module")
def odd() -> Corpus:
    return corpus.read()


def outcome(content: bytes) -> str:
    try:
        prepare(content, input_size=INPUT_SIZE)
    except RefusedImage as refused:
        return outcome_of(refused.reason if refused.code else "")
    return "accept"


def test_every_verdict_holds(odd: Corpus) -> None:
    outcomes = {name: outcome(content) for name, content in odd.pictures.items()}
    assert odd.unlike_verdicts(outcomes) == {}


def test_no_picture_takes_two_seconds(odd: Corpus) -> None:
    slow = {}
    for name, content in odd.pictures.items():
        started = time.process_time()
        outcome(content)
        slow[name] = time.process_time() - started
    assert max(slow.values()) < 2, max(slow, key=slow.__getitem__)


def test_no_marker_and_no_exif_is_served(odd: Corpus) -> None:
    accepted = [odd.pictures[name] for name in odd.accepted]
    served = b"".join(
        prepare(content, input_size=INPUT_SIZE).thumbnail + prepare_query(content, input_size=INPUT_SIZE).preview
        for content in accepted
    )
    assert MARKER not in served
    assert b"Exif" not in served


def test_the_eight_orientations_are_one_picture(odd: Corpus) -> None:
    inputs = [
        prepare(odd.pictures[f"gen__orient_{n}.jpg"], input_size=INPUT_SIZE).input.astype(int) for n in range(1, 9)
    ]
    assert max(abs(other - inputs[0]).mean() for other in inputs) < 3


def test_a_sixteen_bit_ramp_keeps_its_mean(odd: Corpus) -> None:
    ramp = prepare(odd.pictures["gen__valid_gray16.png"], input_size=INPUT_SIZE).input
    assert ramp.mean() == pytest.approx(127, abs=2)


def test_nothing_in_an_image_was_obeyed(odd: Corpus) -> None:
    for content in odd.pictures.values():
        outcome(content)
    assert not Path("/tmp/imgsim_pwnd").exists()
