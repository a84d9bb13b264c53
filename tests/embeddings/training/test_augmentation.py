"""Tests of the changed copies of pictures."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.training.augmentation import NAMES, augmented, jittered, pipeline, sheet
from tests.embeddings.test_encoder import run_watched

Pictures = NDArray[np.uint8]
MOVES = ("horizontal_flip", "random_rotate_90", "flip")


@pytest.fixture
def tiny(gradient: Pictures) -> Pictures:
    """Six cuttings of 32 x 32 from the gradient, all different, none black anywhere."""
    return np.stack([gradient[0, 9 + k : 41 + k, 20 + 5 * k : 52 + 5 * k] for k in range(6)])


@pytest.mark.parametrize("name", NAMES)
def test_each_changes_some_pictures_and_leaves_some(name: str, photos: Pictures) -> None:
    copies = augmented(np.repeat(photos[:1], 60, axis=0), [name], 0)
    assert copies.shape == (60, 224, 224, 3)
    assert copies.dtype == np.uint8
    changed = (copies != photos[0]).any(axis=(1, 2, 3))
    assert 0.05 < changed.mean() < 0.8


@pytest.mark.parametrize("name", MOVES)
def test_those_that_move_pixels_keep_their_values(name: str, photos: Pictures) -> None:
    expected = np.sort(photos[0].reshape(-1, 3), axis=0)
    for copy in augmented(np.repeat(photos[:1], 5, axis=0), [name], 0):
        np.testing.assert_array_equal(np.sort(copy.reshape(-1, 3), axis=0), expected)


def test_flip_is_horizontal_or_vertical_or_both(photos: Pictures) -> None:
    picture = photos[0]
    known = [picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1]]
    copies = augmented(np.repeat(photos[:1], 60, axis=0), ["flip"], 0)
    seen = [[number for number, one in enumerate(known) if (copy == one).all()] for copy in copies]
    assert sorted({number for (number,) in seen}) == [0, 1, 2, 3]


def test_to_gray_takes_the_colour_away(photos: Pictures) -> None:
    copies = augmented(np.repeat(photos[:1], 60, axis=0), ["to_gray"], 0)
    changed = copies[(copies != photos[0]).any(axis=(1, 2, 3))]
    assert (changed == changed[..., :1]).all()


def test_one_acts_whether_another_acts_or_not(gradient: Pictures) -> None:
    copies = augmented(np.repeat(gradient, 60, axis=0), ["horizontal_flip", "to_gray"], 0).astype(np.int64)
    mirrored = copies[:, 100, 20, 1] > copies[:, 100, 200, 1]
    gray = (copies == copies[..., :1]).all(axis=(1, 2, 3))
    assert len(set(zip(mirrored.tolist(), gray.tolist(), strict=True))) == 4


def test_the_same_seed_gives_the_same_copies(photos: Pictures) -> None:
    first, again, other = (augmented(photos, NAMES, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_other_random_numbers_do_not_disturb_it(photos: Pictures) -> None:
    change, expected = pipeline(NAMES, 1), augmented(photos, NAMES, 1)
    for picture, copy in zip(photos, expected, strict=True):
        np.random.seed()
        np.testing.assert_array_equal(change(picture), copy)


def test_copies_of_one_picture_differ(photos: Pictures) -> None:
    copies = augmented(np.repeat(photos[:1], 8, axis=0), NAMES, 0)
    assert len({copy.tobytes() for copy in copies}) == 8


def test_the_order_of_the_names_does_not_matter(photos: Pictures) -> None:
    np.testing.assert_array_equal(augmented(photos, NAMES, 1), augmented(photos, NAMES[::-1], 1))


def test_without_names_the_pictures_come_back_unchanged(photos: Pictures) -> None:
    np.testing.assert_array_equal(augmented(photos, [], 0), photos)


def test_the_originals_are_left_alone(photos: Pictures) -> None:
    before = photos.copy()
    photos.flags.writeable = False
    for names in ([], NAMES):
        copies = augmented(photos, names, 0)
        assert copies.flags.writeable
        assert not np.shares_memory(copies, photos)
    np.testing.assert_array_equal(photos, before)


def test_tiny_pictures_can_be_augmented_too(tiny: Pictures) -> None:
    assert augmented(tiny, NAMES, 0).shape == tiny.shape
    assert augmented(tiny[:0], NAMES, 0).shape == (0, 32, 32, 3)


def test_it_lists_the_names_when_one_is_unknown() -> None:
    with pytest.raises(ValueError, match=r"unknown augmentation Flip, mixup; known: horizontal_flip, .*compression"):
        pipeline(["flip", "Flip", "mixup"], 0)


@pytest.mark.parametrize(
    ("picture", "received"),
    [
        (np.zeros((8, 8, 3), np.float32), r"float32 \(8, 8, 3\)"),
        (np.zeros((8, 9, 3), np.uint8), r"uint8 \(8, 9, 3\)"),
        (np.zeros((8, 8), np.uint8), r"uint8 \(8, 8\)"),
    ],
)
def test_it_takes_square_uint8_pictures_only(picture: Pictures, received: str) -> None:
    with pytest.raises(ValueError, match=rf"expected a uint8 picture of shape \(s, s, 3\), got {received}"):
        pipeline(NAMES, 0)(picture)


def test_a_sheet_shows_each_picture_and_its_copies_in_a_row(tiny: Pictures) -> None:
    page = sheet(tiny[:2], ["random_gamma"], 0, n_each=3)
    assert page.shape == (72, 152, 3)
    assert page.dtype == np.uint8
    np.testing.assert_array_equal(page[40:72, 0:32], tiny[1])
    np.testing.assert_array_equal(page[40:72, 40:72], augmented(np.repeat(tiny[:2], 3, 0), ["random_gamma"], 0)[3])
    assert (page[32:40] == 255).all()
    assert (page[:, 32:40] == 255).all()


def test_a_sheet_without_copies_shows_the_pictures(tiny: Pictures) -> None:
    assert sheet(tiny[:3], NAMES, 0, n_each=0).shape == (112, 32, 3)


def test_a_sheet_needs_a_picture(tiny: Pictures) -> None:
    with pytest.raises(ValueError, match="a sheet needs at least one picture"):
        sheet(tiny[:0], NAMES, 0, n_each=3)


def test_jitter_moves_by_up_to_four_and_mirrors(tiny: Pictures) -> None:
    padded = np.pad(tiny[0], ((4, 4), (4, 4), (0, 0)))
    windows = [padded[down : down + 32, right : right + 32] for down in range(9) for right in range(9)]
    known = {window.tobytes() for window in windows} | {window[:, ::-1].tobytes() for window in windows}
    copies = {copy.tobytes() for copy in jittered(np.repeat(tiny[:1], 3000, axis=0), 0)}
    assert copies == known
    assert len(known) == 162


def test_jitter_mirrors_half(tiny: Pictures) -> None:
    copies = jittered(np.repeat(tiny[:1], 2000, axis=0), 0).astype(np.int64)
    # Green grows to the right, and only a mirror turns that round.
    assert 0.45 < (copies[:, 16, 8, 1] > copies[:, 16, 23, 1]).mean() < 0.55


def test_jitter_is_repeatable_and_leaves_the_originals_alone(tiny: Pictures) -> None:
    before = tiny.copy()
    first, again, other = (jittered(tiny, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(tiny, before)
    assert jittered(tiny[:0], 0).shape == (0, 32, 32, 3)


def test_augmenting_opens_no_connection_and_imports_no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # This process has switched the check off already, and its children would inherit that.
    monkeypatch.delenv("NO_ALBUMENTATIONS_UPDATE", raising=False)
    program = """
import numpy as np
from embeddings.training.augmentation import NAMES, augmented
augmented(np.zeros((2, 32, 32, 3), np.uint8), NAMES, 0)
assert not {"keras", "tensorflow", "torch"} & set(sys.modules)
"""
    done = run_watched(program, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr
