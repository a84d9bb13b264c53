"""Hold file locks (flock) for as long as this process lives. The kernel drops them, also after `kill -9`.

A lock belongs to the open file, so children made by fork share it; programs started with exec do not.
"""

import fcntl
import os
import time
from pathlib import Path

POLL_SECONDS = 0.02
_held: dict[Path, int] = {}


def take_all(path: Path, *, patience_seconds: float = 0.0) -> bool:
    """Take the lock at `path` for this process alone and keep it; return whether that worked in time."""
    return _take(path, fcntl.LOCK_EX, patience_seconds)


def take_share(path: Path, *, patience_seconds: float = 0.0) -> bool:
    """Take a shared lock at `path` and keep it; return whether that worked in time."""
    return _take(path, fcntl.LOCK_SH, patience_seconds)


def is_held(path: Path) -> bool:
    """Return whether this process holds the lock at `path`."""
    return path in _held


def is_taken_by_another(path: Path) -> bool:
    """Return whether another process holds the lock at `path` for itself alone."""
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def release(path: Path) -> None:
    """Drop the lock at `path` if this process holds it."""
    descriptor = _held.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


def _take(path: Path, operation: int, patience_seconds: float) -> bool:
    if path in _held:
        return True
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            time.sleep(POLL_SECONDS)
        else:
            _held[path] = descriptor
            return True
