"""Time what `embeddings.images` does to one picture, stage by stage: `python -m benchmarks.decoding [FOLDER]`.

The folder's JPEGs (the first 300) are timed where one is given. CPU milliseconds a picture, the median of the rounds.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import skimage
from PIL import Image

from embeddings.images import prepare, prepare_query, read_header, sha256_of
from embeddings.images.decoding import decoded
from embeddings.images.inputs import squashed
from embeddings.images.renditions import fitted, jpeg, phash

T = TypeVar("T")
INPUT_SIZE = 224
ROUNDS = 5


def cpu_ms(step: Callable[[T], object], items: Sequence[T]) -> float:
    """Return the CPU milliseconds that a step takes for one item: the median of the rounds, after one to warm up."""
    rounds = []
    for _ in range(ROUNDS + 1):
        started = time.process_time()
        for item in items:
            step(item)
        rounds.append((time.process_time() - started) * 1000 / len(items))
    return statistics.median(rounds[1:])


def twelve_megapixels(quality: int, noise: float) -> bytes:
    """Return a JPEG of 4000 x 3000 pixels: an enlarged photograph with as much noise as a camera adds."""
    photo = Image.open(Path(skimage.__file__).parent / "data" / "coffee.png").convert("RGB")
    pixels = np.asarray(photo.resize((4000, 3000), Image.Resampling.BICUBIC), dtype=np.float32)
    pixels += np.random.default_rng(0).normal(0, noise, pixels.shape)
    return jpeg_of(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), quality)


def jpeg_of(picture: Image.Image, quality: int = 90) -> bytes:
    content = BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def decode_in_full(content: bytes) -> None:
    """Make the same thumbnail and input as `prepare`, without `draft`."""
    picture = Image.open(BytesIO(content)).convert("RGB")
    picture.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
    picture.resize((400, 300), Image.Resampling.BICUBIC)


def decode_with_draft(content: bytes) -> None:
    header, picture = decoded(content, edge=2 * INPUT_SIZE, long_edge=400)
    squashed(picture, INPUT_SIZE)
    fitted(picture, header.size, 400)


def report_draft() -> None:
    for name, content in (("smooth", twelve_megapixels(75, 3)), ("detailed", twelve_megapixels(85, 6))):
        full, draft = cpu_ms(decode_in_full, [content]), cpu_ms(decode_with_draft, [content])
        print(f"| 12 megapixels, {name}, {len(content) / 1e6:.1f} MB | {full:.1f} | {draft:.1f} | {draft / full:.2f} |")


def report_stages(name: str, contents: Sequence[bytes]) -> None:
    decodings = [decoded(content, edge=2 * INPUT_SIZE, long_edge=400) for content in contents]
    pictures = [picture for _, picture in decodings]
    thumbnails = [fitted(picture, header.size, 400) for header, picture in decodings]
    stages = {
        "sha256": cpu_ms(sha256_of, contents),
        "header": cpu_ms(read_header, contents),
        "decode": cpu_ms(lambda content: decoded(content, edge=2 * INPUT_SIZE, long_edge=400), contents),
        "thumbnail resize": cpu_ms(lambda item: fitted(item[1], item[0].size, 400), decodings),
        "thumbnail JPEG": cpu_ms(lambda picture: jpeg(picture, quality=80), thumbnails),
        "pHash": cpu_ms(phash, pictures),
        "input": cpu_ms(lambda picture: squashed(picture, INPUT_SIZE), pictures),
        "prepare, all of it": cpu_ms(lambda content: prepare(content, input_size=INPUT_SIZE), contents),
        "prepare_query": cpu_ms(lambda content: prepare_query(content, input_size=INPUT_SIZE), contents),
    }
    for stage, milliseconds in stages.items():
        print(f"| {name} | {stage} | {milliseconds:.3f} |")


def main() -> None:
    print("| picture | in full ms | with draft ms | ratio |\n| --- | --- | --- | --- |")
    report_draft()
    print("\n| pictures | stage | CPU ms |\n| --- | --- | --- |")
    photo = Image.open(Path(skimage.__file__).parent / "data" / "coffee.png").convert("RGB")
    report_stages("32 px", [jpeg_of(photo.resize((32, 32)))] * 100)
    report_stages("348 px", [jpeg_of(photo.resize((348, 348)), 80)] * 30)
    report_stages("12 megapixels", [twelve_megapixels(75, 3)])
    if len(sys.argv) > 1:
        paths = sorted(Path(sys.argv[1]).rglob("*.jpg"))[:300]
        report_stages(f"{len(paths)} of {Path(sys.argv[1]).name}", [path.read_bytes() for path in paths])


if __name__ == "__main__":
    main()
