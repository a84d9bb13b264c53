"""Progress on a terminal as bars, elsewhere as plain lines; always on stderr, so that stdout stays for results."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from search.work.pace import Pace, duration

SECONDS_BETWEEN_LINES = 5.0


class Bars:
    """Named bars that move: `with Bars() as bars: bars.move("reading", 10, 200, "10 files")`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        self._tasks: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}
        self._last_line = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description:>10}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Bars:
        if self._is_terminal and not self._quiet:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def move(self, name: str, done: int, total: int, note: str, n: int | None = None) -> None:
        """Show how far a bar is. note: what it counts, in words. n: how many, where their pace is to be shown too."""
        if self._quiet:
            return
        pace = self._paces.setdefault(name, Pace())
        pace.note(done if n is None else n, done)
        if n is not None and pace.per_second:
            note += f", {pace.per_second:.3g}/s" if pace.per_second < 100 else f", {pace.per_second:,.0f}/s"
        if self._is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, note=note)
            self._progress.update(self._tasks[name], completed=done, total=max(total, 1), note=note)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            left = pace.seconds_left(total)
            sys.stderr.write(f"{name}: {note}{f', {duration(left)} left' if left else ''}\n")
            sys.stderr.flush()
