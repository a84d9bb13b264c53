"""Tests of what becomes of a picture: limits, refusals, orientation, colours, thumbnails, hashes and network input."""

import hashlib
import os
import pickle
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from embeddings.images import RefusedImage, hamming, prepare, prepare_query, read_header, rendition, sha256_of
from tests import pictures


def refusal(content: bytes | Path) -> RefusedImage:
    with pytest.raises(RefusedImage) as caught:
        prepare(content, input_size=32)
    return caught.value


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)).convert("RGB"), dtype=int)


def mean_input(content: bytes) -> list[int]:
    return [round(channel) for channel in prepare(content, input_size=32).input.mean(axis=(0, 1))]


def test_it_refuses_an_empty_file() -> None:
    assert (refusal(b"").code, refusal(b"").reason) == ("empty", "The file is empty.")


def test_it_refuses_text_and_says_what_it_takes() -> None:
    refused = refusal(b"this is no picture at all")
    assert refused.code == "not_an_image"
    assert "JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF" in str(refused)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7 and so on", "a PDF file"),
        (b"\0\0\0\x18ftypheic and so on", "a HEIC picture"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "an SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript file"),
    ],
)
def test_it_names_a_known_kind_that_it_does_not_read(content: bytes, kind: str) -> None:
    assert refusal(content).code == "format"
    assert f"This is {kind}" in refusal(content).reason


def test_it_refuses_a_truncated_jpeg() -> None:
    assert refusal(pictures.truncated_jpeg()).code == "truncated"
    assert "breaks off" in refusal(pictures.truncated_jpeg()).reason


def test_it_refuses_a_png_with_a_flipped_bit() -> None:
    assert refusal(pictures.damaged_png()).code == "damaged"


def test_it_refuses_a_png_without_its_palette() -> None:
    assert refusal(pictures.png_without_its_palette()).code == "damaged"


def test_it_says_that_a_picture_has_a_damaged_header() -> None:
    assert "begins like a WebP picture" in refusal(b"RIFF\x10\0\0\0WEBPnothing more").reason


def test_it_refuses_fifty_thousand_pixels_square_and_names_the_limit() -> None:
    refused = refusal(pictures.huge_header_png())
    assert refused.code == "too_many_pixels"
    assert "40 megapixels" in refused.reason


def test_it_refuses_fifty_megapixels_of_png_but_not_of_jpeg() -> None:
    assert refusal(pictures.huge_header_png(8000, 6250)).code == "too_many_pixels"
    grey = pictures.saved(Image.new("L", (8000, 6250)), "JPEG")
    assert read_header(grey).size == (8000, 6250)


def test_it_refuses_a_file_above_twenty_megabytes() -> None:
    refused = refusal(pictures.jpeg_bytes() + bytes(20_000_000))
    assert refused.code == "too_large_file"
    assert "the limit is 20 MB" in refused.reason


def test_it_refuses_a_jpeg_of_countless_scans() -> None:
    assert "scans" in refusal(pictures.many_scans_jpeg(200)).reason


def test_it_refuses_a_missing_path(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.jpg").code == "unreadable"


def test_it_refuses_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path).code == "unreadable"
    assert refusal(tmp_path / "pipe.jpg").code == "unreadable"


def test_a_refusal_survives_the_way_between_processes() -> None:
    copy = pickle.loads(pickle.dumps(RefusedImage("empty", "The file is empty.")))
    assert (copy.code, copy.reason) == ("empty", "The file is empty.")


def test_it_reads_a_header_without_decoding() -> None:
    header = read_header(pictures.truncated_jpeg())
    assert (header.format, header.width, header.height) == ("JPEG", 320, 240)


def test_a_header_does_not_decode_a_png() -> None:
    assert read_header(pictures.damaged_png()).size == (320, 240)


def test_a_header_gives_the_upright_size() -> None:
    assert read_header(pictures.rotated_jpeg(6)).size == (48, 64)


def test_bytes_and_path_give_the_same(tmp_path: Path) -> None:
    content = pictures.jpeg_bytes()
    (tmp_path / "a.jpg").write_bytes(content)
    assert sha256_of(tmp_path / "a.jpg") == sha256_of(content) == hashlib.sha256(content).hexdigest()
    assert read_header(tmp_path / "a.jpg") == read_header(content)


def test_it_prepares_everything_from_one_picture() -> None:
    prepared = prepare(pictures.jpeg_bytes(640, 480), input_size=224)
    assert (prepared.format, prepared.width, prepared.height) == ("JPEG", 640, 480)
    assert prepared.input.shape == (224, 224, 3)
    assert prepared.input.dtype == np.uint8
    assert pixels(prepared.thumbnail).shape == (300, 400, 3)
    assert set(prepared.phash) <= {"0", "1"}
    assert len(prepared.phash) == 64


def test_the_thumbnail_can_be_left_out() -> None:
    with_one = prepare(pictures.jpeg_bytes(), input_size=32)
    without = prepare(pictures.jpeg_bytes(), input_size=32, thumbnail=False)
    assert (without.thumbnail, without.phash) == (b"", with_one.phash)


def test_a_small_picture_is_not_enlarged() -> None:
    assert pixels(prepare(pictures.png_bytes(10, 8), input_size=32).thumbnail).shape == (8, 10, 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4000), (30_000, 1), (2, 9000)])
def test_tiny_and_extreme_pictures_have_a_thumbnail(width: int, height: int) -> None:
    prepared = prepare(pictures.plain_png(width, height), input_size=32)
    assert min(pixels(prepared.thumbnail).shape[:2]) >= 1
    assert prepared.input.shape == (32, 32, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_seen_upright(orientation: int) -> None:
    turned = prepare(pictures.rotated_jpeg(orientation), input_size=32)
    stored = Image.open(BytesIO(pictures.rotated_jpeg(orientation)))
    expected = prepare(pictures.saved(_turned(stored, orientation), "PNG"), input_size=32)
    assert (turned.width, turned.height) == (expected.width, expected.height)
    assert np.abs(turned.input.astype(int) - expected.input).max() <= 2


def test_a_png_with_its_exif_behind_the_pixels_is_seen_upright() -> None:
    prepared = prepare(pictures.rotated_png(6), input_size=32)
    assert (prepared.width, prepared.height) == (48, 64)


def test_a_turned_jpeg_that_is_decoded_smaller_is_seen_upright() -> None:
    prepared = prepare(pictures.rotated_jpeg(6, 2000, 1200), input_size=32)
    assert (prepared.width, prepared.height) == (1200, 2000)
    assert pixels(prepared.thumbnail).shape == (400, 240, 3)


def test_decoding_at_a_fraction_does_not_show_in_the_input() -> None:
    large = pictures.photo(2048, 1536)
    quick = prepare(pictures.saved(large, "JPEG", quality=95), input_size=224).input
    exact = np.asarray(large.resize((224, 224), Image.Resampling.BILINEAR), dtype=int)
    assert np.abs(quick - exact).mean() < 1


def test_grey_of_sixteen_bits_is_scaled_not_clipped() -> None:
    assert mean_input(pictures.grey16_png(32_768)) == [128, 128, 128]


def test_floats_are_stretched_from_black_to_white() -> None:
    levels = prepare(pictures.float_tiff(-3.0, 7.0), input_size=32).input
    assert (levels.min(), levels.max()) == (0, 255)


def test_cmyk_becomes_rgb() -> None:
    red, green, blue = mean_input(pictures.cmyk_jpeg((255, 0, 0, 0)))
    assert red < 10
    assert min(green, blue) > 240


def test_transparent_parts_are_white() -> None:
    shown = pixels(prepare(pictures.transparent_png(), input_size=32).thumbnail)
    assert shown[10, 35].min() > 250
    assert shown[10, 5].tolist() == pytest.approx([255, 0, 0], abs=6)


def test_a_transparent_palette_colour_is_white() -> None:
    assert mean_input(pictures.palette_png()) == [255, 255, 255]


def test_the_first_frame_is_the_picture() -> None:
    assert mean_input(pictures.animated_gif()) == [0, 255, 0]


def test_the_hash_is_that_of_imagehash() -> None:
    content = pictures.png_bytes(120, 90)
    expected = imagehash.phash(Image.open(BytesIO(content))).hash.flat
    assert [bit == "1" for bit in prepare(content, input_size=32).phash] == list(expected)


def test_the_hash_hardly_changes_when_a_picture_is_made_smaller() -> None:
    large = prepare(pictures.jpeg_bytes(1600, 1200), input_size=32).phash
    small = prepare(pictures.saved(pictures.photo(1600, 1200).resize((200, 150)), "JPEG"), input_size=32).phash
    assert hamming(large, small) <= 4


def test_hamming_counts_the_bits_that_differ() -> None:
    assert hamming("0" * 64, "0" * 60 + "1011") == 3


def test_nothing_of_the_file_but_its_pixels_is_written() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET PLACE"
    content = pictures.jpeg_bytes(comment=b"SECRET COMMENT", exif=exif) + b"SECRET TRAILER"
    written = prepare(content, input_size=32).thumbnail + prepare_query(content, input_size=32).preview
    assert b"SECRET" in content
    assert b"SECRET" not in written + rendition(content, long_edge=50)


@pytest.mark.parametrize("size", [(64, 48), (1500, 900), (4000, 3000)])
def test_a_query_has_the_input_and_the_hash_of_the_stored_picture(size: tuple[int, int]) -> None:
    content = pictures.jpeg_bytes(*size)
    stored, query = prepare(content, input_size=64), prepare_query(content, input_size=64)
    assert np.array_equal(stored.input, query.input)
    assert stored.phash == query.phash


@pytest.mark.parametrize(
    ("width", "height"), [(64, 48), (1280, 960), (2000, 1000), (3000, 2000), (4000, 3000), (8000, 5000)]
)
def test_the_preview_is_as_large_as_needed_to_crop_again(width: int, height: int) -> None:
    shown = pixels(prepare_query(pictures.jpeg_bytes(width, height), input_size=32).preview)
    assert min(width, 960) <= shown.shape[1] <= 1280
    assert shown.shape[1] / shown.shape[0] == pytest.approx(width / height, rel=0.01)


def test_a_crop_is_what_is_searched_and_the_preview_stays_whole() -> None:
    query = prepare_query(pictures.transparent_png(), input_size=32, crop=(0.0, 0.0, 0.5, 1.0))
    assert query.input.reshape(-1, 3).mean(axis=0).tolist() == pytest.approx([255, 0, 0], abs=1)
    assert pixels(query.preview).shape == (20, 40, 3)


def test_a_crop_is_taken_from_the_upright_picture() -> None:
    content = pictures.rotated_jpeg(6, 640, 480)
    upright = prepare(content, input_size=64).input
    query = prepare_query(content, input_size=64, crop=(0.0, 0.0, 1.0, 0.5))
    assert np.abs(query.input[::2].astype(int) - upright[:32]).mean() < 4


@pytest.mark.parametrize(
    "crop",
    [(0.5, 0.0, 0.6, 1.0), (-0.1, 0.0, 0.5, 0.5), (0.0, 0.0, 0.0, 1.0), (float("nan"), 0.0, 1.0, 1.0)],
)
def test_it_refuses_a_crop_outside_the_picture(crop: tuple[float, float, float, float]) -> None:
    with pytest.raises(RefusedImage, match="fractions inside the picture") as caught:
        prepare_query(pictures.jpeg_bytes(), input_size=32, crop=crop)
    assert caught.value.code == "crop"


@pytest.mark.parametrize("crop", [(0.999, 0.999, 0.001, 0.001), (1.0, 1.0, 5e-324, 5e-324)])
def test_the_smallest_crop_has_a_pixel(crop: tuple[float, float, float, float]) -> None:
    query = prepare_query(pictures.jpeg_bytes(), input_size=32, crop=crop)
    assert query.input.shape == (32, 32, 3)


def test_a_rendition_fits_the_long_edge() -> None:
    assert pixels(rendition(pictures.jpeg_bytes(640, 480), long_edge=100)).shape == (75, 100, 3)


def test_odd_files_write_nothing_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "odd.tif").write_bytes(pictures.float_tiff(0, 1)[:3000])
    code = (
        "import sys; from pathlib import Path; from embeddings.images import RefusedImage, prepare\n"
        "try: prepare(Path(sys.argv[1]), input_size=32)\n"
        "except RefusedImage: pass"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "odd.tif")], capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture as the EXIF standard says, in numpy."""
    turns = {
        1: lambda rows: rows,
        2: lambda rows: rows[:, ::-1],
        3: lambda rows: rows[::-1, ::-1],
        4: lambda rows: rows[::-1],
        5: lambda rows: rows.transpose(1, 0, 2),
        6: lambda rows: np.rot90(rows, -1),
        7: lambda rows: rows[::-1, ::-1].transpose(1, 0, 2),
        8: lambda rows: np.rot90(rows),
    }
    return Image.fromarray(np.ascontiguousarray(turns[orientation](np.asarray(picture))))
