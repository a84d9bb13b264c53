"""Own one server process: start it, find it again after its supervisor was killed, and stop it."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil

from imgsim_site.embedded.places import Places

START_SECONDS = 300  # replaying the log of a crash takes its time; a server that ends sooner is seen at once
KILL_SECONDS = 5
LARGEST_LOG = 1_000_000


class Server(ABC):
    """A server of one `var`. `process` is the running one, started here or adopted, else None."""

    name: ClassVar[str]
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, places: Places) -> None:
        self.places = places
        self.process: psutil.Process | None = self.find_running()

    @abstractmethod
    def find_running(self) -> psutil.Process | None:
        """Return the process that an earlier supervisor left running, if it answers; end it if it does not."""

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Prepare the folders and start the process, with its output in `open_log()`."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether a client can use the server now."""

    def is_alive(self) -> bool:
        """Return whether the process runs; a child that has ended is reaped."""
        if self.process is None:
            return False
        try:
            self.process.wait(timeout=0)
        except psutil.TimeoutExpired:
            return True
        return False

    def start(self, is_unwanted: Callable[[], bool]) -> None:
        """Start the process and wait until it answers, has ended, or nobody wants it any more."""
        child = self.launch()
        self.process = psutil.Process(child.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if is_unwanted() or not self.is_alive():
                return
            if time.monotonic() > deadline:
                self.stop()
                return
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the process: politely first, then harder, at last with SIGKILL."""
        for number, seconds in (*self.stop_signals, (signal.SIGKILL, KILL_SECONDS)):
            if not self.is_alive() or self.process is None:
                break
            end(self.process, number, seconds)
        self.process = None

    def open_log(self) -> int:
        """Return a file descriptor that appends to the server's log, begun anew where it has grown large."""
        return open_log(self.places.server_log(self.name))


def end(process: psutil.Process, number: signal.Signals, seconds: float) -> None:
    """Send a signal to `process` and wait at most `seconds` for its end."""
    try:
        process.send_signal(number)
        process.wait(timeout=seconds)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return


def open_log(path: Path) -> int:
    """Return a file descriptor that appends to the log at `path`, mode 0600; a large one is kept as `.1`."""
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def tail(path: Path, n_lines: int = 12) -> str:
    """Return a sentence with the last lines of the log at `path`."""
    lines = path.read_text(errors="replace").splitlines()[-n_lines:] if path.exists() else []
    return f"The end of {path}:\n" + "\n".join(f"    {line}" for line in lines)
