"""Limits that the kernel holds while pictures are decoded, which no library can talk out of them."""

from __future__ import annotations

import math
import mmap
import resource
import threading
from pathlib import Path


class Limits:
    """Holds this process, while any of its threads decodes, to what pictures may take."""

    def __init__(self, *, max_bytes: int, max_cpu_seconds: int) -> None:
        """Take what one picture may take beyond what the process has already."""
        self._max_bytes, self._max_cpu_seconds = max_bytes, max_cpu_seconds
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        self._outside = {what: resource.getrlimit(what) for what in (resource.RLIMIT_CPU, resource.RLIMIT_AS)}
        self._n_inside = 0
        self._changing = threading.Lock()

    def __enter__(self) -> None:
        with self._changing:
            self._n_inside += 1
            used = resource.getrusage(resource.RUSAGE_SELF)
            cpu_seconds = math.ceil(used.ru_utime + used.ru_stime) + self._max_cpu_seconds * self._n_inside
            self._set(resource.RLIMIT_CPU, cpu_seconds)
            self._set(resource.RLIMIT_AS, _address_space() + self._max_bytes * self._n_inside)

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._n_inside -= 1
            if not self._n_inside:
                for what, limits in self._outside.items():
                    resource.setrlimit(what, limits)

    def _set(self, what: int, value: int) -> None:
        outside, hard = self._outside[what]
        resource.setrlimit(what, (value if outside == resource.RLIM_INFINITY else min(value, outside), hard))


def _address_space() -> int:
    """Return how many bytes this process has mapped; without Linux' files, a number that no picture reaches."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    except OSError:
        return 1 << 46
