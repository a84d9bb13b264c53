"""Processes that decode for this one. Questions and answers are lines of JSON; files and what is made of them lie in
shared memory.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from embeddings.images.refusals import RefusedImage, too_costly
from embeddings.images.wanted import Made, Packed, Wanted, as_json
from embeddings.turns import Turns

logger = logging.getLogger(__name__)

# Waiting for a core counts here too.
MAX_SECONDS: Final = 60.0
_CODE: Final = "import sys; from embeddings.images.serving import serve; serve(int(sys.argv[1]))"
_ROOT: Final = Path(__file__).resolve().parents[2]


class Processes:
    """A few processes that decode, one picture each at a time."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._idle: list[_Process] = []
        self._changing = threading.Lock()
        self._places = Turns(n)
        self._owner = os.getpid()
        atexit.register(self.close)

    @contextmanager
    def begun(self, content: bytes, wanted: Wanted[Made]) -> Iterator[Callable[[], Made]]:
        """Begin to make what is wanted, as soon as a process has time; give a function that returns it, or raises."""
        with ExitStack() as held:
            held.enter_context(self._places)
            process: _Process | None = None
            try:
                process = self._taken() or _Process()
            except OSError:
                logger.warning("No process to decode in can be begun: decoding in this one.", exc_info=True)
            else:
                held.callback(self._give_back, process)
                process.begin(content, as_json(wanted))

            def result() -> Made:
                with held:  # the next one may have it as soon as it has answered, also whoever has it decode twice
                    return wanted.unpacked(process.result()) if process else wanted.of(content)

            yield result

    def begin(self) -> None:
        """Begin all of them."""
        with ExitStack() as taken:
            for _ in range(self._n):  # of those that are there, each is taken once
                taken.enter_context(self._places)
                taken.callback(self._give_back, self._taken() or _Process())

    def close(self) -> None:
        """End those that are idle."""
        with self._changing:
            self._forget_those_of_the_parent()
            while self._idle:
                self._idle.pop().end()

    def _taken(self) -> _Process | None:
        with self._changing:
            self._forget_those_of_the_parent()
            while self._idle:
                process = self._idle.pop()
                if process.is_running():
                    return process
                process.end()  # somebody else has killed it: no picture is to blame
            return None

    def _give_back(self, process: _Process) -> None:
        if process.is_asked:  # nobody wants to know any more: something else was refused meanwhile
            with suppress(RefusedImage):
                process.result()
        with self._changing:
            if process.is_alive:
                self._idle.append(process)
            else:
                process.end()

    def _forget_those_of_the_parent(self) -> None:
        if os.getpid() != self._owner:  # a fork shares the pipes of its parent's processes
            self._idle, self._owner = [], os.getpid()


class _Process:
    def __init__(self) -> None:
        with _shared_memory() as shared:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE, str(shared)],
                cwd=_ROOT,
                env={name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[shared],
                start_new_session=True,  # a Ctrl-C is for whoever began it, which then ends it
            )
            self._shared = os.dup(shared)
        self.is_alive = True
        self.is_asked = False
        try:
            if "ready" not in (self._answer() or {}):
                raise OSError("the process that decodes pictures does not begin")
        except BaseException:
            self.end()
            raise

    def begin(self, content: bytes, wanted: dict[str, Any]) -> None:
        assert self._process.stdin  # noqa: S101 -- for mypy: a pipe was asked for
        self.is_alive = False  # until it has answered: what it says later is of no other picture
        os.ftruncate(self._shared, len(content))
        os.pwrite(self._shared, content, 0)
        self.is_asked = True
        with suppress(OSError):  # one that has ended answers nothing
            self._process.stdin.write(json.dumps({"n_bytes": len(content), "wanted": wanted}).encode() + b"\n")
            self._process.stdin.flush()

    def result(self) -> Packed:
        """Return what it has made. Raises RefusedImage, where it has ended with code "too_costly"."""
        self.is_asked = False
        answer = self._answer()
        if answer is None:
            raise too_costly()
        self.is_alive = True
        if "refused" in answer:
            raise RefusedImage(*answer["refused"])
        pieces, begin = [], 0
        for size in answer["sizes"]:
            pieces.append(os.pread(self._shared, size, begin))
            begin += size
        os.ftruncate(self._shared, 0)
        return answer["made"], pieces

    def _answer(self) -> Any:
        """Return what it says; None where it has ended, or says nothing for too long."""
        assert self._process.stdout  # noqa: S101 -- as above
        waiting = select.poll()  # `select` takes no descriptor above 1,023, which many clients make
        waiting.register(self._process.stdout, select.POLLIN)
        if not waiting.poll(1000 * MAX_SECONDS):
            return None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self.is_alive = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()
        os.close(self._shared)


@contextmanager
def _shared_memory() -> Iterator[int]:
    if hasattr(os, "memfd_create"):
        shared = os.memfd_create("imgsim-picture")
        try:
            yield shared
        finally:
            os.close(shared)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()
