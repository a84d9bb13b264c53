"""Build an encoder's network in Keras, export it to the CPU runtime and hold the one against the other.

Run as a program, `python -m embeddings.convert NAME WEIGHTS SAMPLES FOLDER`, by `embeddings.install.run_convert`:
TensorFlow then lives and dies in a process of its own. With `NAME.json` for WEIGHTS, the network is one that was
trained here, FOLDER/NAME.keras, which the file describes.
"""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embeddings.device import choose_backend

# Before the runtime's module, Keras would import OpenVINO with its telemetry on.
from embeddings.runtime import CpuNetwork, native_precision
from embeddings.specs import EncoderSpec, Precision, spec_for
from embeddings.stored import StoredEncoder, sha256_of
from embeddings.weights import load_weights

if TYPE_CHECKING:
    import keras

# Processors with instructions for bf16 differ: with it some take .6 of the time, and some 1.6 times as long.
_LEAST_GAIN = 0.9
_N_TIMED = 8
_MIN_COSINE: dict[Precision, float] = {"f32": 0.9999, "native": 0.999}


class NotTheSame(RuntimeError):
    """Raised when the exported network does not give the vectors that the Keras network gives."""


def convert(name: str, weights_path: Path, samples: NDArray[np.uint8], folder: Path) -> StoredEncoder:
    """Write the files of an encoder into `folder` and return their description, which is written last.

    samples: uint8 (n, input_size, input_size, 3), real pictures to compare the two networks on.
    An encoder that uses the processor's own precision is stored with "f32" where a cosine is below 0.999 in that, or
    where it is no faster here.
    Raises NotTheSame if a cosine is below 0.9999 in f32.
    """
    # Local: Keras takes its backend from the environment that `main` prepares.
    from embeddings.networks import build

    spec = spec_for(name)
    _say("Reading the weights")
    arrays, weights_sha256 = load_weights(spec, weights_path)
    _say("Building the network in Keras")
    return export(build(name, arrays), spec, samples, folder, weights_sha256=weights_sha256)


def convert_trained(description: Path, samples: NDArray[np.uint8], folder: Path) -> StoredEncoder:
    """Write the files of an encoder that was trained: its network is in `folder` already.

    description: a file of `describe`. Raises NotTheSame as `convert` does.
    """
    # Local, as above.
    from embeddings.networks import load

    fields = json.loads(description.read_text(encoding="utf-8"))
    weights_sha256 = fields.pop("weights_sha256")
    spec = EncoderSpec(**fields)
    return export(load(folder / f"{spec.name}.keras"), spec, samples, folder, weights_sha256=weights_sha256)


def describe(spec: EncoderSpec, weights_sha256: str, path: Path) -> None:
    """Write for `convert_trained` what an encoder without a source is."""
    path.write_text(json.dumps(asdict(spec) | {"weights_sha256": weights_sha256}), encoding="utf-8")


def export(
    network: "keras.Model",
    spec: EncoderSpec,
    samples: NDArray[np.uint8],
    folder: Path,
    *,
    weights_sha256: str,
) -> StoredEncoder:
    """Write a network, as `convert` does, whatever its weights came from: the encoder that `spec` describes.

    Raises NotTheSame as `convert` does.
    """
    name = spec.name
    network.save(folder / f"{name}.keras")
    _say("Exporting it to the CPU runtime")
    network.export(str(folder / f"{name}.xml"), format="openvino", verbose=False)
    _say(f"Comparing the two on {len(samples)} pictures")
    outputs = network.predict(samples, verbose=0)
    expected = outputs if isinstance(outputs, list) else [outputs]
    parity = _parity(spec.precision, folder / f"{name}.xml", samples, expected)
    stored = StoredEncoder(
        # Another processor, to which the files may be moved, may have a precision of its own that was not looked at.
        spec=spec if set(parity) - {"f32"} else replace(spec, precision="f32"),
        weights_sha256=weights_sha256,
        files={f"{name}{suffix}": sha256_of(folder / f"{name}{suffix}") for suffix in (".keras", ".xml", ".bin")},
        parity=parity,
        n_samples=len(samples),
        versions=_versions("keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy"),
    )
    stored.write(folder)
    return stored


def _parity(
    precision: Precision, path: Path, samples: NDArray[np.uint8], expected: list[NDArray[np.float32]]
) -> dict[str, float]:
    """Return the smallest cosine by precision: f32 always, the processor's own where the encoder uses and bears it."""
    parity = {"f32": _compared("f32", path, samples, expected)}
    # Written so that a cosine that is not a number fails too.
    if not parity["f32"] >= _MIN_COSINE["f32"]:
        raise NotTheSame(f"the exported network differs: smallest cosine {parity['f32']:.6f} in f32, need 0.9999")
    native = native_precision()
    if precision == "native" and native != "f32":
        cosine = _compared("native", path, samples, expected)
        if not cosine >= _MIN_COSINE["native"]:
            _say(f"That is below {_MIN_COSINE['native']}: this encoder computes in f32")
        elif not _seconds("native", path, samples) < _LEAST_GAIN * _seconds("f32", path, samples):
            _say(f"On this processor {native} is not faster: this encoder computes in f32")
        else:
            parity[native] = cosine
    return parity


def _seconds(precision: Precision, path: Path, samples: NDArray[np.uint8]) -> float:
    """Return how long a few pictures take, the best of three runs."""
    network, some = CpuNetwork(path, precision=precision), samples[:_N_TIMED]
    times = []
    for _ in range(3):
        started = time.perf_counter()
        network.run(some)
        times.append(time.perf_counter() - started)
    return min(times)


def _compared(
    precision: Precision, path: Path, samples: NDArray[np.uint8], expected: list[NDArray[np.float32]]
) -> float:
    cosine = _smallest_cosine(expected, CpuNetwork(path, precision=precision).run(samples))
    _say(f"Smallest cosine in {'f32' if precision == 'f32' else native_precision()}: {cosine:.6f}")
    return cosine


def _smallest_cosine(expected: list[NDArray[np.float32]], received: list[NDArray[np.float32]]) -> float:
    return min(float(np.min(_cosines(*pair))) for pair in zip(expected, received, strict=True))


def _cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    dots = np.einsum("nd,nd->n", a, b, dtype=np.float64)
    return dots / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def _versions(*packages: str) -> dict[str, str]:
    """Return the versions of those that are installed: TensorFlow's package has another name on each machine."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments, choose Keras' backend, convert."""
    os.environ.update(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
    choose_backend()
    name, weights_path, samples_path, folder = sys.argv[1:]
    samples = np.load(samples_path, allow_pickle=False)
    if weights_path.endswith(".json"):
        convert_trained(Path(weights_path), samples, Path(folder))
    else:
        convert(name, Path(weights_path), samples, Path(folder))


if __name__ == "__main__":
    main()
