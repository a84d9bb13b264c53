"""Build an encoder's network in Keras, export it to the CPU runtime and hold the one against the other.

Run as a program, `python -m embeddings.convert NAME WEIGHTS SAMPLES FOLDER`, by `embeddings.install`: TensorFlow then
lives and dies in a process of its own.
"""

import os
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Before the runtime's module, Keras would import OpenVINO with its telemetry on.
from embeddings.runtime import CpuNetwork, native_precision
from embeddings.specs import EncoderSpec, Precision, spec_for
from embeddings.stored import StoredEncoder, sha256_of
from embeddings.weights import load_weights

_MIN_COSINE: dict[Precision, float] = {"f32": 0.9999, "native": 0.999}


class NotTheSame(RuntimeError):
    """Raised when the exported network does not give the vectors that the Keras network gives."""


def convert(name: str, weights_path: Path, samples: NDArray[np.uint8], folder: Path) -> StoredEncoder:
    """Write the files of an encoder into `folder` and return their description, which is written last.

    samples: uint8 (n, input_size, input_size, 3), real pictures to compare the two networks on.
    Raises NotTheSame if a cosine is below 0.9999 in f32, or, for an encoder that uses it, below 0.999 in the
    processor's own precision.
    """
    # Local: Keras takes its backend from the environment that `main` prepares.
    from embeddings.networks import build

    spec = spec_for(name)
    _say("Reading the weights")
    arrays, weights_sha256 = load_weights(spec, weights_path)
    _say("Building the network in Keras")
    network = build(name, arrays)
    network.save(folder / f"{name}.keras")
    _say("Exporting it to the CPU runtime")
    network.export(str(folder / f"{name}.xml"), format="openvino", verbose=False)
    _say(f"Comparing the two on {len(samples)} pictures")
    outputs = network.predict(samples, verbose=0)
    expected = outputs if isinstance(outputs, list) else [outputs]
    stored = StoredEncoder(
        spec=spec,
        weights_sha256=weights_sha256,
        files={f"{name}{suffix}": sha256_of(folder / f"{name}{suffix}") for suffix in (".keras", ".xml", ".bin")},
        parity=_parity(spec, folder / f"{name}.xml", samples, expected),
        n_samples=len(samples),
        versions=_versions("keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy"),
    )
    stored.write(folder)
    return stored


def _parity(
    spec: EncoderSpec, path: Path, samples: NDArray[np.uint8], expected: list[NDArray[np.float32]]
) -> dict[str, float]:
    """Return the smallest cosine by precision: f32 always, the processor's own where the encoder uses it."""
    parity = {}
    used: tuple[Precision, ...] = ("f32",) if spec.precision == "f32" else ("f32", "native")
    for precision in used:
        name = "f32" if precision == "f32" else native_precision()
        cosine = _smallest_cosine(expected, CpuNetwork(path, precision=precision).run(samples))
        _say(f"Smallest cosine in {name}: {cosine:.6f}")
        limit = _MIN_COSINE["f32" if name == "f32" else "native"]
        # Written so that a cosine that is not a number fails too.
        if not cosine >= limit:
            raise NotTheSame(f"the exported network differs: smallest cosine {cosine:.6f} in {name}, need {limit}")
        parity[name] = cosine
    return parity


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
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    # Keras writes its own settings into a folder, by default in the user's home.
    os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir(), f"imgsim-keras-{os.geteuid()}")))
    name, weights_path, samples_path, folder = sys.argv[1:]
    convert(name, Path(weights_path), np.load(samples_path, allow_pickle=False), Path(folder))


if __name__ == "__main__":
    main()
