"""Run the web server and the worker side by side, with honcho, and end both when one ends."""

import contextlib
import os
import shlex
import signal
import sys
import threading
import time

import psutil
from honcho.manager import Manager
from honcho.printer import Message, Printer

from imgsim_site.demo.claim import Child

RETRY_SECONDS = 0.1
WATCH_SECONDS = 0.5


class UntilStopped(Printer):
    """honcho's printer; when the visitor stops the demo it leaves out what the programs say as they go down.

    A worker that is stopped while it starts says it in pages of traceback.
    """

    is_stopping = False

    def write(self, message: Message) -> None:
        if not self.is_stopping or message.name == "system":
            super().write(message)


class Processes(Manager):
    """honcho's manager, for use while other threads look on."""

    def __init__(self) -> None:
        self._until_stopped = UntilStopped(sys.stdout)
        super().__init__(self._until_stopped)

    def terminate(self) -> None:
        """Send SIGTERM to all processes, as soon as all have started.

        honcho knows a process's number only after its first event, and breaks when asked to stop before that.
        """
        self._until_stopped.is_stopping = self.was_asked_to_stop
        if self._all_started():
            super().terminate()
        else:
            retry = threading.Timer(RETRY_SECONDS, self.terminate)
            retry.daemon = True
            retry.start()

    def loop(self) -> None:
        """Start the processes and return when all have ended, which they do when one does."""
        threading.Thread(target=self._watch, daemon=True).start()
        super().loop()

    def _watch(self) -> None:
        """End what a killed process has started: honcho waits for the last that holds its output."""
        while True:
            for child in self.children():
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE:
                        os.killpg(child.pid, signal.SIGKILL)
            time.sleep(WATCH_SECONDS)

    def children(self) -> list[Child]:
        """Return the processes that run."""
        pids = [process["pid"] for process in list(self._processes.values()) if "pid" in process]
        return [child for child in map(Child.of, pids) if child]

    def add(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        """Add a process; `exec` leaves no shell between it and its signals."""
        self.add_process(name, f"exec {shlex.join(command)}", env=environment)

    @property
    def was_asked_to_stop(self) -> bool:
        """Whether the loop ended by Ctrl-C or SIGTERM and not by a process of its own accord."""
        return self.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM}
