"""How fast something goes lately, and how long it will take."""

from __future__ import annotations

import time
from collections import deque

_SECONDS_LOOKED_BACK = 30.0


class Pace:
    """The pace of a count that grows, over its last half minute: `pace.note(n, done)`, then `per_second`.

    It is known from the second note on, and begins with the first. n is what the pace is told of; done is measured in
    the same unit as the total, which may be another one.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def note(self, n: int, done: int) -> None:
        """Note how far it is now."""
        now = time.monotonic()
        self._seen.append((now, n, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _SECONDS_LOOKED_BACK:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """How many a second; 0 where nothing has moved yet."""
        if not self._seen:
            return 0.0
        (began, before, _), (ended, after, _) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (ended - began)) if ended > began else 0.0

    def seconds_left(self, total: int) -> float | None:
        """Return how long it takes to the total at this pace; None where that cannot be told."""
        if not self._seen:
            return None
        (began, _, before), (ended, _, after) = self._seen[0], self._seen[-1]
        if after <= before or ended <= began:
            return None
        return max(0, total - after) * (ended - began) / (after - before)


def duration(seconds: float) -> str:
    """Return a time in words for a terminal: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
