"""Tests of the verdict on each picture of an optional corpus of odd images beside the checkout; skipped without it."""

import csv
import tarfile
import time
from pathlib import Path

import pytest

from embeddings.images import RefusedImage, prepare, prepare_query

CORPUS_PATH = Path(__file__).parents[2].parent / "shared" / "corpus"
MANIFEST_PATH = CORPUS_PATH / "manifest.csv"
INPUT_SIZE = 64

pytestmark = [
    pytest.mark.skipif(not MANIFEST_PATH.exists(), reason="no corpus of odd images beside the checkout"),
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),  # pytest takes away the filters that the module has set
]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    with MANIFEST_PATH.open(newline="") as file:
        return {row["file"]: row["expected"] for row in csv.DictReader(file) if row["file"].startswith("img/")}


@pytest.fixture(scope="module")
def contents(verdicts: dict[str, str]) -> dict[str, bytes]:
    with tarfile.open(CORPUS_PATH / "images.tar") as archive:
        return {name: archive.extractfile(f"{name}").read() for name in verdicts}  # type: ignore[union-attr]


def outcome(content: bytes) -> str:
    try:
        prepare(content, input_size=INPUT_SIZE)
    except RefusedImage as refused:
        return "reject" if refused.code and refused.reason.endswith(".") else f"reject without a reason: {refused!r}"
    return "accept"


def test_every_verdict_holds(verdicts: dict[str, str], contents: dict[str, bytes]) -> None:
    outcomes = {name: outcome(content) for name, content in contents.items()}
    allowed = {name: {"accept", "reject"} if verdict == "either" else {verdict} for name, verdict in verdicts.items()}
    assert {name: found for name, found in outcomes.items() if found not in allowed[name]} == {}


def test_no_picture_takes_two_seconds(contents: dict[str, bytes]) -> None:
    slow = {}
    for name, content in contents.items():
        started = time.process_time()
        outcome(content)
        slow[name] = time.process_time() - started
    assert max(slow.values()) < 2, max(slow, key=slow.__getitem__)


def test_no_marker_and_no_exif_is_served(verdicts: dict[str, str], contents: dict[str, bytes]) -> None:
    accepted = [contents[name] for name, verdict in verdicts.items() if verdict == "accept"]
    served = b"".join(
        prepare(content, input_size=INPUT_SIZE).thumbnail + prepare_query(content, input_size=INPUT_SIZE).preview
        for content in accepted
    )
    assert b"POLYGLOT-MARKER" not in served
    assert b"Exif" not in served


def test_the_eight_orientations_are_one_picture(contents: dict[str, bytes]) -> None:
    inputs = [
        prepare(contents[f"img/gen__orient_{n}.jpg"], input_size=INPUT_SIZE).input.astype(int) for n in range(1, 9)
    ]
    assert max(abs(other - inputs[0]).mean() for other in inputs) < 3


def test_a_sixteen_bit_ramp_keeps_its_mean(contents: dict[str, bytes]) -> None:
    ramp = prepare(contents["img/gen__valid_gray16.png"], input_size=INPUT_SIZE).input
    assert ramp.mean() == pytest.approx(127, abs=2)


def test_nothing_in_an_image_was_obeyed(contents: dict[str, bytes]) -> None:
    for content in contents.values():
        outcome(content)
    assert not Path("/tmp/imgsim_pwnd").exists()
