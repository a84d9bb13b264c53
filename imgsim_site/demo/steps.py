"""Show what the demo does, step by step, and run the commands that do it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from rich.console import Console

from imgsim_site.demo.errors import DemoError

STOP_SECONDS = 5
console = Console(highlight=False, soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and when it is done how long it took."""
    console.print(f"[dim]… {title}[/dim]")
    started = time.monotonic()
    yield
    console.print(done(title, started))


def done(title: str, started: float) -> str:
    """Return the line for a step that began at `started`, as `time.monotonic` tells it."""
    return f"[green]✓[/green] {title} ({time.monotonic() - started:.1f} s)"


def run_command(*arguments: str) -> None:
    """Run a command in a process of its own, so that what it loads does not stay in memory as long as the demo.

    Raises DemoError if it fails; it has said why.
    """
    command = None
    try:
        with _signals_held():  # one that came while it starts would leave it behind, known to nobody
            command = start_command(*arguments)
        status = command.wait()
    finally:
        if command is not None:
            end_command(command)
    if status != 0:
        raise DemoError(f"manage.py {' '.join(arguments)} ended with status {status}.")


@contextmanager
def _signals_held() -> Iterator[None]:
    """Have what would end this process wait until the block is left."""
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            os.kill(os.getpid(), held[0])


def start_command(*arguments: str) -> subprocess.Popen[bytes]:
    """Start it in a session of its own: a Ctrl-C reaches the demo alone, which ends it."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, start_new_session=True)


def end_command(command: subprocess.Popen[bytes]) -> None:
    """End `command` within seconds if it runs."""
    command.terminate()  # does nothing to one that has ended
    try:
        command.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()
