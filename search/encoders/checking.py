"""Whether the files of an encoder are those that its row was made for. What was looked at is remembered in memory."""

from __future__ import annotations

import contextlib
from pathlib import Path

from django.conf import settings

from embeddings.stored import EncoderDamaged, NoEncoder, StoredEncoder
from search.models import Encoder

# What networks are run from on a processor; the file beside them is for training, and for a GPU.
_RUN = (".xml", ".bin", ".safetensors")
# Each file's name, size and times, by which a change is noticed; a disk that rots under them is found by the doctor.
_State = list[tuple[str, int, int, int, int]]
# By encoder: the state in which its files were looked at, and what was wrong with them.
_seen: dict[str, tuple[_State, NoEncoder | None]] = {}


def check(encoder: Encoder) -> None:
    """Raise NoEncoder unless the files are whole, and of the weights of the row. Quick where they were not touched."""
    key = f"{encoder.name}:{encoder.weights_sha256}"
    state = _state(encoder.folder)
    if key not in _seen or _seen[key][0] != state:
        _seen[key] = state, _wrong(encoder)
    if wrong := _seen[key][1]:
        raise type(wrong)(str(wrong))


def verify(encoder: Encoder, suffixes: tuple[str, ...] = ()) -> None:
    """Read the files of an encoder, those with these endings or all. Raises NoEncoder, with what to do about it."""
    try:
        stored = StoredEncoder.read(encoder.folder)
        stored.verify_weights(encoder.folder, encoder.weights_sha256)
        stored.verify(encoder.folder, suffixes)
    except NoEncoder as error:
        if encoder.job_id is None:
            raise
        # Trained here: no publisher has its weights.
        what = str(error).partition(";")[0]
        raise EncoderDamaged(f"{what}; put its folder back from a backup, or train it again") from error


def _wrong(encoder: Encoder) -> NoEncoder | None:
    try:
        verify(encoder, () if settings.EMBED_ON == "gpu" else _RUN)
    except NoEncoder as error:
        return error
    return None


def _state(folder: Path) -> _State:
    found = []
    for path in sorted(folder.glob("*")):
        with contextlib.suppress(FileNotFoundError):  # it is being installed anew
            status = path.stat()
            found.append((path.name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return found
