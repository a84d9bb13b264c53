"""Whose turn it is, where only a few can be served at a time."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """Lets so many threads through at a time, and whoever has come first before the others.

    A `threading.Semaphore` lets whoever asks just as a place is free overtake all those that wait for one.
    """

    def __init__(self, n_at_once: int) -> None:
        self._n_free = n_at_once
        self._waiting: deque[threading.Lock] = deque()
        self._changing = threading.Lock()

    def __enter__(self) -> None:
        with self._changing:
            if self._n_free:
                self._n_free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # until whoever goes hands its place over

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._n_free += 1
