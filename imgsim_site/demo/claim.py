"""Make sure that one demo runs for one `var`, and end what a killed one has left behind."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from imgsim_site.demo.errors import DemoError

END_SECONDS = 5


@dataclass(frozen=True)
class Child:
    """A process started by a demo; the time tells it from a later one with the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Child | None":
        """Return the process with the number `pid`, or None if it has ended."""
        try:
            return cls(pid=pid, created=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Record:
    """What a running demo tells a second one, in var/run/demo.json."""

    pid: int
    url: str
    children: list[Child] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Replace the record at `path` in one step."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Record | None":
        """Return the record at `path`, or None where there is none."""
        try:
            fields = json.loads(path.read_text())
            return cls(fields["pid"], fields["url"], [Child(**child) for child in fields["children"]])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


@contextlib.contextmanager
def claim(run_folder: Path, url: str) -> Iterator[Path]:
    """Be the only demo of `run_folder`; yield the path of its record.

    Raises DemoError with the address of the one that runs already.
    """
    run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    record_path = run_folder / "demo.json"
    with (run_folder / "demo.lock").open("w") as lock:
        _take(lock, record_path)
        left_behind = Record.read(record_path)
        if left_behind is not None:
            end_children(left_behind.children)
        Record(pid=os.getpid(), url=url).write(record_path)
        yield record_path
        record_path.unlink(missing_ok=True)


def _take(lock: IO[str], record_path: Path) -> None:
    """Lock with lockf, not flock: forked children, which may outlive a killed demo, have no share in its lock."""
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        other = Record.read(record_path)
        words = f"ImgSim runs already at {other.url} (pid {other.pid})." if other else "ImgSim is starting already."
        raise DemoError(words) from error


def end_children(children: Iterable[Child]) -> None:
    """End the processes that still run, with all that they have started, within a few seconds."""
    families = [member for child in children for member in _family(child)]
    for process in families:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(families, timeout=END_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=END_SECONDS)


def _family(child: Child) -> list[psutil.Process]:
    try:
        process = psutil.Process(child.pid)
        is_same = abs(process.create_time() - child.created) < 1
        return [process, *process.children(recursive=True)] if is_same else []
    except psutil.NoSuchProcess:
        return []
