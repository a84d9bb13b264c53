"""What a GPU is worth: `python -m benchmarks.gpu`, on TensorFlow, or on JAX with KERAS_BACKEND=jax.

Embedding: pictures a second of each network, as a worker with EMBED_ON=gpu runs it (32 bits, decoded pictures in
memory), beside what the processors of the same machine decode. Training: pictures a second of the recipes' loop with
its augmentation, beside the same without, which tells whether the device waits for its input. Weights and pictures are
random: their values change no time. Medians of the rounds; the first, which compiles, is left out. It needs no site.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import report
from embeddings import device
from embeddings.cores import available_cores
from embeddings.images import prepare
from embeddings.specs import spec_for
from embeddings.training.config import TrainingConfig
from embeddings.training.presets import PRESETS

NETWORKS = "mobilenet_v2,efficientnet_lite0,resnet50,vgg16,vit_s16,vit_b16,dinov2_small"
TRAININGS: dict[str, dict[str, Any]] = {
    "mobilenet-classifier": {"backbone": "mobilenet_v2", "input_size": 224},
    "fine-tune": {"backbone": "mobilenet_v2", "input_size": 224},
    "resnet50": {"backbone": "resnet50", "input_size": 224},
    "vit": {"backbone": "vit_b16", "input_size": 224},
    "conv-autoencoder": {},
    "metric-pairs": {"batches_per_epoch": 0},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.gpu"
    )
    parser.add_argument("--networks", default=NETWORKS, help=f"with commas; none leaves them out (default: {NETWORKS})")
    parser.add_argument("--batches", default="64,256", help="pictures at once (default: 64,256)")
    parser.add_argument("--trainings", default=",".join(TRAININGS), help="with commas; none leaves them out")
    parser.add_argument("--pictures", type=int, default=4096, help="that a training learns from (default: 4096)")
    parser.add_argument("--rounds", type=int, default=5, help="measured, after one that is not (default: 5)")
    options = parser.parse_args()
    device.choose_backend()
    found = device.find()
    import keras  # after the backend is chosen

    where = f"{found.name}, Keras {keras.__version__} on {keras.backend.backend()}, trains in {found.policy}"
    if networks := _names(options.networks):
        rows = [_decoding(options.rounds)]
        rows += [_embedding(name, int(n), options.rounds) for name in networks for n in _names(options.batches)]
        report.tell(f"Embedding on {where}", rows)
    if trainings := _names(options.trainings):
        keras.config.set_dtype_policy(found.policy)
        report.tell(f"Training on {where}", [_training(name, options.pictures, options.rounds) for name in trainings])


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name and name != "none"]


def _embedding(name: str, n_at_once: int, rounds: int) -> dict[str, object]:
    from embeddings import networks  # after the backend is chosen
    from embeddings.gpu import GpuNetwork

    size = spec_for(name).input_size
    network = GpuNetwork(networks.build(name, None), most_at_once=n_at_once)
    pictures = np.random.default_rng(0).integers(0, 256, (n_at_once, size, size, 3), dtype=np.uint8)
    seconds = _median_seconds(lambda: network.run(pictures), rounds)
    return {
        "what": name,
        "at once": n_at_once,
        "pictures/s": n_at_once / seconds,
        "ms a picture": 1000 * seconds / n_at_once,
    }


def _decoding(rounds: int) -> dict[str, object]:
    """Decode photographs of 640 x 480, as many at a time as there are cores."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(content, "JPEG", quality=90)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(available_cores()) as pool:
        path = Path(folder, "photo.jpg")
        path.write_bytes(content.getvalue())

        def decode() -> None:
            list(pool.map(lambda _: prepare(path, input_size=224, thumbnail=True), range(256)))

        seconds = _median_seconds(decode, rounds)
    return {"what": "decoding, with thumbnail and pHash", "at once": available_cores(), "pictures/s": 256 / seconds,
            "ms a picture": 1000 * seconds / 256}  # fmt: skip


def _training(preset: str, n_pictures: int, rounds: int) -> dict[str, object]:
    with_it, without = (
        _epoch_seconds(preset, n_pictures, rounds),
        _epoch_seconds(preset, n_pictures, rounds, plain=True),
    )
    return {
        "what": preset,
        "pictures/s": n_pictures / with_it,
        "without augmentation": n_pictures / without,
        "share of that": without / with_it,
    }


def _epoch_seconds(preset: str, n_pictures: int, rounds: int, *, plain: bool = False) -> float:
    """Return the median time of an epoch of a recipe's own loop, without its validation."""
    from embeddings.training import recipes  # after the backend is chosen
    from embeddings.training.loop import Run
    from embeddings.training.pictures import Pictures

    facts = PRESETS[preset].defaults | TRAININGS[preset] | {"epochs": rounds + 1, "patience": 0, "from_scratch": True}
    if plain:
        facts |= {"augmentation": (), "jitter": False}
    config = TrainingConfig(preset=preset, name="measured", **facts)
    generator = np.random.default_rng(0)
    shape = (n_pictures, config.input_size, config.input_size, 3)
    pictures = Pictures(
        pixels=generator.integers(0, 256, shape, dtype=np.uint8),
        labels=np.arange(n_pictures, dtype=np.int64) % 10,
        classes=[str(number) for number in range(10)],
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Run(config, Path(folder), pictures, pictures, report=lambda _: None, is_stopped=lambda: False)
        recipes.set_stage(run.recipe, config, is_frozen=False)
        seconds = []
        for epoch in range(rounds + 1):
            batches = run.batches(epoch)
            started = time.perf_counter()
            run.recipe.trainee.fit(batches, epochs=1, verbose=0, shuffle=False)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _median_seconds(step: Callable[[], object], rounds: int) -> float:
    step()
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
