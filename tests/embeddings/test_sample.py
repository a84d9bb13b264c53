"""Tests of the gallery that needs no net: what it holds, the same on each run, written once."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from embeddings.images import prepare
from embeddings.sample import CREDITS, SamplePicture, drawings, photographs, write_sample


@pytest.fixture(scope="module")
def sample() -> list[SamplePicture]:
    return [*photographs(), *drawings()]


def test_it_has_hundreds_of_drawings_in_labelled_families(sample: list[SamplePicture]) -> None:
    families = Counter(picture.label for picture in sample if picture.name.startswith("drawings/"))
    assert len(families) >= 12
    assert set(families.values()) == {27}


def test_each_photograph_comes_in_many_versions(sample: list[SamplePicture]) -> None:
    subjects = Counter(picture.label for picture in sample if picture.name.startswith("photographs/"))
    assert {"coffee", "astronaut", "chelsea the cat", "rocket", "pagoda", "dahlia"} <= set(subjects)
    assert min(subjects.values()) >= 18


def test_the_label_is_the_folder_above(sample: list[SamplePicture]) -> None:
    assert all(Path(picture.name).parent.name == picture.label for picture in sample)


def test_no_two_pictures_are_the_same_file(sample: list[SamplePicture]) -> None:
    repeated = [name for name, n in Counter(picture.name for picture in sample).items() if n > 1]
    assert repeated == []
    assert len({picture.content for picture in sample}) == len(sample)


def test_every_picture_can_be_imported(sample: list[SamplePicture]) -> None:
    assert {prepare(picture.content, input_size=32).format for picture in sample} == {"JPEG"}


def test_drawings_are_the_same_on_each_run(sample: list[SamplePicture]) -> None:
    again = {picture.name: picture.content for picture, _ in zip(drawings(), range(60), strict=False)}
    assert again == {picture.name: picture.content for picture in sample if picture.name in again}


def test_a_drawing_is_a_colourful_square_of_320_pixels(sample: list[SamplePicture]) -> None:
    drawing = Image.open(BytesIO(sample[-1].content))
    assert (drawing.size, drawing.mode) == ((320, 320), "RGB")


def test_every_photograph_is_credited(sample: list[SamplePicture]) -> None:
    subjects = {picture.label for picture in sample if picture.name.startswith("photographs/")}
    assert [subject for subject in subjects if f"- {subject}: " not in CREDITS] == []


def test_writing_twice_changes_nothing_and_completes_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embeddings.sample.families.N_PER_FAMILY", 2)
    n_pictures = write_sample(tmp_path)
    written = sorted(tmp_path.rglob("*.jpg"))
    times = {path: path.stat().st_mtime_ns for path in written[1:]}
    written[0].unlink()
    assert write_sample(tmp_path) == n_pictures == len(written)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == written
    assert {path: path.stat().st_mtime_ns for path in written[1:]} == times
