"""The folder of an installed encoder: `NAME.json` says what it is and what the files beside it must be.

`NAME.keras` is the network for training and for a GPU; `NAME.xml` and `NAME.bin` are what the CPU runtime reads. A
linear head has `NAME.safetensors` in their place.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embeddings.specs import EncoderSpec, HubSource, KerasSource, PyPISource, Source

_SOURCES: dict[str, type[Source]] = {"pypi": PyPISource, "keras": KerasSource, "hub": HubSource}


class NoEncoder(RuntimeError):
    """Raised where there is no encoder that could be used; the message says why, and what to run."""


class EncoderMissing(NoEncoder):
    """Raised when a folder holds no encoder."""


class EncoderDamaged(NoEncoder):
    """Raised when a file of an encoder is missing or is not the one that was installed."""


@dataclass(frozen=True, kw_only=True)
class StoredEncoder:
    """What `NAME.json` says.

    `files` gives the SHA-256 of each file by name. `parity` gives, by precision, the smallest cosine between an
    output of the Keras network and the CPU runtime's for the same picture, over `n_samples` pictures.
    `backbone_sha256` is that of the weights whose vectors a linear head was fitted on.
    """

    spec: EncoderSpec
    weights_sha256: str
    files: dict[str, str]
    parity: dict[str, float]
    n_samples: int
    versions: dict[str, str]
    backbone_sha256: str = ""

    @classmethod
    def read(cls, folder: Path) -> "StoredEncoder":
        """Return what `folder` holds. Raises EncoderMissing or EncoderDamaged; the other files are not looked at."""
        descriptions = sorted(folder.glob("*.json"))
        if len(descriptions) != 1:
            raise EncoderMissing(f"the encoder {folder.name} has no files; {_again(folder)}")
        try:
            return cls._parse(json.loads(descriptions[0].read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(folder, f"{descriptions[0].name} cannot be read ({error})") from error

    def write(self, folder: Path) -> None:
        """Write `NAME.json` into `folder`."""
        text = json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"
        (folder / f"{self.spec.name}.json").write_text(text, encoding="utf-8")

    def verify(self, folder: Path, suffixes: tuple[str, ...] = ()) -> None:
        """Raise EncoderDamaged unless the files in `folder` are those that were installed.

        suffixes: look at the files with these endings only; none means all.
        """
        for name, expected in self.files.items():
            if suffixes and not name.endswith(suffixes):
                continue
            try:
                received = sha256_of(folder / name)
            except FileNotFoundError as error:
                raise _damaged(folder, f"{name} is missing") from error
            if received != expected:
                raise _damaged(folder, f"{name} has changed")

    def verify_weights(self, folder: Path, weights_sha256: str) -> None:
        """Raise EncoderDamaged unless the files in `folder` were made from these weights."""
        if self.weights_sha256 != weights_sha256:
            raise _damaged(folder, f"its files are those of other weights ({self.spec.name}, {self.spec.dim} numbers)")

    @classmethod
    def _parse(cls, fields: dict[str, Any]) -> "StoredEncoder":
        spec = fields.pop("spec")
        source = spec.pop("source")
        return cls(spec=EncoderSpec(**spec, source=source and _source(source)), **fields)


def _source(fields: dict[str, Any]) -> Source:
    # Encoders that were installed when there was one kind of source do not name it.
    return _SOURCES[fields.get("kind", "pypi")](**fields)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, reason: str) -> EncoderDamaged:
    # Visitors read this too: the folder is called by its name alone.
    return EncoderDamaged(f"the encoder {folder.name} is damaged: {reason}; {_again(folder)}")


def _again(folder: Path) -> str:
    return f"run `manage.py install_encoder {folder.name}`"
