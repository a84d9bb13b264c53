"""One training from its folder to an encoder: pictures read, epochs run, the best network exported and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from embeddings import convert, device
from embeddings.install import run_convert
from embeddings.networks.precision import in_precision
from embeddings.specs import EncoderSpec
from embeddings.stored import sha256_of
from embeddings.training import pictures
from embeddings.training.config import TrainingConfig
from embeddings.training.loop import Report, Run, Stopped
from embeddings.training.plot import write_plot

N_COMPARED = 16


def train(folder: Path, report: Report, is_stopped: Callable[[], bool]) -> None:
    """Run, or go on with, the training of a folder; FOLDER/encoder is there, whole, when it returns.

    Raises loop.Stopped, ValueError for a picture or a config that cannot be used, convert.NotTheSame, and
    install.ConversionFailed.
    """
    config = TrainingConfig.read(folder)
    found = device.find()
    keras.config.set_dtype_policy(found.policy)
    report({"event": "device", "name": found.name, "backend": keras.backend.backend(), "policy": found.policy})
    samples = pictures.read_samples(folder)

    def read(part: pictures.Part) -> pictures.Pictures:
        def tell(done: int, total: int) -> None:
            report({"event": "reading", "part": part, "done": done, "of": total})
            if is_stopped():
                raise Stopped

        return pictures.load(samples, part, folder, config.input_size, tell)

    learnt, checked = read("train"), read("valid")
    run = Run(config, folder, learnt, checked, report=report, is_stopped=is_stopped)
    encoder = run.run()
    tested = run.checker.test(read("test")) if any(sample.part == "test" for sample in samples) else {}
    write_plot(run.state.history, folder / "history.svg", title=config.name)
    report({"event": "exporting"})
    _export(config, encoder, checked, folder, found)
    for path in folder.glob("pixels-*.npy"):
        path.unlink()
    report({"event": "done", "weights_digest": digest_of(encoder), "history": run.state.history, **tested})


def _export(
    config: TrainingConfig, encoder: keras.Model, checked: pictures.Pictures, folder: Path, found: device.Device
) -> None:
    """Write the encoder's files: here where TensorFlow is on the processor already, else in a process where it is."""
    spec = EncoderSpec(
        name=config.name,
        family=config.preset,
        dim=config.dim,
        input_size=config.input_size,
        distance=config.distance,
        description="",
        licence="",
        source=None,
    )
    draft = folder / "encoder.draft"
    draft.mkdir(exist_ok=True)
    some = np.array(checked.pixels[:N_COMPARED])
    weights = sha256_of(folder / "best.weights.h5")
    if keras.backend.backend() == "tensorflow" and not found.is_gpu:
        convert.export(encoder, spec, some, draft, weights_sha256=weights)
    else:
        in_precision(encoder, "float32").save(draft / f"{spec.name}.keras")
        description, samples = folder / f"{spec.name}.json", folder / "samples.npy"
        convert.describe(spec, weights, description)
        np.save(samples, some)
        run_convert(spec.name, description, samples, draft, lambda line: None)
        samples.unlink()
        description.unlink()
    draft.rename(folder / "encoder")


def digest_of(network: keras.Model) -> str:
    """Return the SHA-256 of all weights of a network, in the order of its layers: equal for equal trainings."""
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
