"""Measure the memory that this process may use, with the limits of its control group."""

import shutil
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- its size is read, nothing is written


def memory_bytes() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its control group's limit if lower."""
    return min([psutil.virtual_memory().total, *_cgroup_limits()])


def shared_memory_bytes() -> int:
    """Return the free bytes of /dev/shm, which is 64 MB in a plain container; 0 where there is none."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else 0


def own_cgroups() -> list[str]:
    """Return the lines `number:controllers:path` that say which control groups this process is in."""
    groups = Path("/proc/self/cgroup")  # Linux only
    return groups.read_text().splitlines() if groups.is_file() else []


def _cgroup_limits() -> list[int]:
    """Return the memory limits of this process's control group and of those above it, versions 1 and 2."""
    limits = []
    for line in own_cgroups():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            limits += _limits_up(CGROUPS, group, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits_up(CGROUPS / "memory", group, "memory.limit_in_bytes")
    return limits


def _limits_up(root: Path, group: str, name: str) -> list[int]:
    own = root / group.strip("/")
    files = [folder / name for folder in (own, *own.parents) if folder.is_relative_to(root)]
    texts = [file.read_text().strip() for file in files if file.is_file()]
    return [int(text) for text in texts if text.isdigit()]
