"""Feed the door for pictures with mutated ones, led by the code that they reach; started by hand, ended by itself.

    python3 -m venv /tmp/fuzzing && /tmp/fuzzing/bin/pip install atheris -r requirements.txt
    /tmp/fuzzing/bin/python -m tests.fuzzing.images /tmp/fuzzing/pictures -max_total_time=300

The folder gets what to begin with, and keeps what reaches more, for the next run. What comes out must be a picture or a
RefusedImage. The first that is neither ends the run, and lies in `crash-…` then; so does what takes ten seconds
(`timeout-…`) or 2 GB (`oom-…`). Other options are libFuzzer's.
"""

import struct
import sys
import tarfile
import zlib
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["PIL", "embeddings"]):
    from embeddings.images import Prepared, PreparedQuery, RefusedImage, prepare, prepare_query

from embeddings.images.decoding import FORMATS
from tests.pictures import photo, saved

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "images.tar"
LARGEST_SEED = 1 << 16
INPUT_SIZE = 32
CROP = (0.25, 0.1, 0.5, 0.8)
PNG = b"\x89PNG\r\n\x1a\n"


def main(folder: Path, *options: str) -> None:
    """Run libFuzzer over a folder; it ends this process."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        write_seeds(folder)
    limits = [f"-max_len={LARGEST_SEED}", "-timeout=10", "-rss_limit_mb=2000"]
    atheris.Setup([sys.argv[0], *limits, *options, str(folder)], try_picture, custom_mutator=mutated)
    atheris.Fuzz()


def write_seeds(folder: Path) -> None:
    """Write a picture of each format, and those of the corpus beside the checkout, where it is there."""
    for name in FORMATS:
        (folder / name).write_bytes(saved(photo(), name))
    if CORPUS.exists():
        with tarfile.open(CORPUS) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content and 0 < member.size <= LARGEST_SEED:
                    (folder / Path(member.name).name).write_bytes(content.read())


def try_picture(content: bytes) -> None:
    """Prepare a picture as an import and as a search do. Raises AssertionError where nothing usable came out."""
    try:
        imported = prepare(content, input_size=INPUT_SIZE)
    except RefusedImage:
        return
    check(imported, imported.thumbnail)
    whole = prepare_query(content, input_size=INPUT_SIZE)
    check(whole, whole.preview)
    assert (whole.input == imported.input).all()
    check(prepare_query(content, input_size=INPUT_SIZE, crop=CROP, preview=False))


def check(prepared: Prepared | PreparedQuery, jpeg: bytes | None = None) -> None:
    """Assert that what was prepared is whole."""
    assert prepared.format in FORMATS
    assert min(prepared.size) >= 1
    assert prepared.input.shape == (INPUT_SIZE, INPUT_SIZE, 3)
    assert len(prepared.phash) == 64
    assert jpeg is None or jpeg.startswith(b"\xff\xd8")


def mutated(content: bytes, max_size: int, seed: int) -> bytes:
    """Mutate a picture; every other PNG gets checksums that fit, or hardly any would come past them."""
    changed: bytes = atheris.Mutate(content, max_size)
    return with_checksums(changed) if seed % 2 and changed.startswith(PNG) else changed


def with_checksums(png: bytes) -> bytes:
    """Return a PNG whose chunks, as far as their lengths lead, have the checksums of what is in them."""
    written, place = [PNG], len(PNG)
    while place + 12 <= len(png):
        (n_bytes,) = struct.unpack_from(">I", png, place)
        end = place + 8 + n_bytes
        if end + 4 > len(png):
            break
        chunk = png[place + 4 : end]
        written += [png[place : place + 4], chunk, struct.pack(">I", zlib.crc32(chunk))]
        place = end + 4
    return b"".join([*written, png[place:]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
