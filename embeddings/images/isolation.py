"""Where pictures are decoded: in this process, in it under limits that the kernel holds, or in processes of their own.

What `decoding` refuses by rule costs little. This is for what no rule foresaw: a file that makes a decoder's library
take memory or time without end, or crash. The limits are the kernel's, which no library can talk out of them.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from embeddings.images import decoding
from embeddings.images.decoding import Header
from embeddings.images.inputs import Square
from embeddings.images.limits import Limits
from embeddings.images.refusals import RefusedImage, too_costly

logger = logging.getLogger(__name__)

# What one picture may take beyond what the process has already. The costliest that the rules allow, WebP of 40
# megapixels, takes 670 MB and, on a slow core, 2 s.
MAX_BYTES: Final = 700_000_000
MAX_CPU_SECONDS: Final = 10
# Waiting for a core counts here too.
MAX_SECONDS: Final = 60.0
_CODE: Final = "import sys; from embeddings.images.isolation import serve; serve(int(sys.argv[1]))"
_ROOT: Final = Path(__file__).resolve().parents[2]
_READY: Final = {"ready": True}

Decoded = tuple[Header, Image.Image]

_pool: _Pool | None = None
_limits: Limits | None = None


def decoded(content: bytes, *, edge: int, long_edge: int) -> Decoded:
    """Decode as `decoding.decoded` does, wherever this process decodes.

    Raises RefusedImage; with code "too_costly" also where a process that decodes has ended at it.
    """
    with begun(content, edge=edge, long_edge=long_edge) as result:
        return result()


@contextmanager
def begun(
    content: bytes, *, edge: int, long_edge: int, square: Square | None = None
) -> Iterator[Callable[[], Decoded]]:
    """Begin to decode, and give a function that returns, or raises, what `decoded` does; it is called once at most.

    square: what to return of the picture, where not the whole of it. Where other processes decode, they do so while the
    caller does something else. One of them is taken meanwhile: do not wait there for what somebody may have who waits
    for such a process.
    """
    wanted = _Wanted(edge=edge, long_edge=long_edge, square=square)
    if pool := _pool:
        with pool.begun(content, wanted) as result:
            yield result
    else:
        yield lambda: _decoded_here(content, wanted)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is to be made of a file."""

    edge: int
    long_edge: int
    square: Square | None

    def of(self, content: bytes) -> Decoded:
        header, picture = decoding.decoded(content, edge=self.edge, long_edge=self.long_edge)
        return header, self.square.of(picture) if self.square else picture

    @classmethod
    def read(cls, told: dict[str, Any]) -> _Wanted:
        """Return what another process has told as `asdict` gives it."""
        square = told["square"]
        return cls(edge=told["edge"], long_edge=told["long_edge"], square=Square(**square) if square else None)


def _decoded_here(content: bytes, wanted: _Wanted) -> Decoded:
    with _limits or nullcontext():
        return wanted.of(content)


def decode_here() -> None:
    """Decode in this process from now on, without limits of the kernel's: as every process begins."""
    global _pool, _limits
    if _pool:
        _pool.close()
    _pool = _limits = None


def decode_under_limits() -> None:
    """Decode in this process: a picture that takes too long ends it, one that takes too much memory is refused.

    For processes that somebody starts anew, and that do nothing else while they decode: the limits hold for all of it.
    """
    global _limits
    decode_here()
    _limits = Limits(max_bytes=MAX_BYTES, max_cpu_seconds=MAX_CPU_SECONDS)


def decode_in_processes(n: int) -> None:
    """Decode in up to n processes, begun when they are needed and ended with this one.

    A picture that takes too much is refused, and its process replaced; whoever else is served here notices nothing.
    """
    global _pool
    decode_here()
    _pool = _Pool(n)


def warm_up() -> None:
    """Begin all processes that decode, where there are to be any."""
    if _pool:
        _pool.begin()


class _Pool:
    """Processes that decode, one picture each at a time."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._idle: list[_Process] = []
        self._changing = threading.Lock()
        self._places = threading.Semaphore(n)
        self._owner = os.getpid()
        atexit.register(self.close)

    @contextmanager
    def begun(self, content: bytes, wanted: _Wanted) -> Iterator[Callable[[], Decoded]]:
        with ExitStack() as held:
            held.enter_context(self._places)
            process: _Process | None = None
            try:
                process = self._taken() or _Process()
            except OSError:
                logger.warning("No process to decode in can be begun: decoding in this one.", exc_info=True)
            else:
                held.callback(self._give_back, process)
                process.begin(content, wanted)

            def result() -> Decoded:
                with held:  # the next one may have it as soon as it has answered, also whoever has it decode twice
                    return process.result() if process else wanted.of(content)

            yield result

    def begin(self) -> None:
        with ExitStack() as taken:
            for _ in range(self._n):  # of those that are there, each is taken once
                taken.enter_context(self._places)
                taken.callback(self._give_back, self._taken() or _Process())

    def close(self) -> None:
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
    """A process that decodes: questions and answers are lines of JSON, files and pixels lie in shared memory."""

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
        if self._answer() != _READY:
            self.end()
            raise OSError("the process that decodes pictures does not begin")

    def begin(self, content: bytes, wanted: _Wanted) -> None:
        assert self._process.stdin  # noqa: S101 -- for mypy: a pipe was asked for
        self.is_alive = False  # until it has answered: what it says later is of no other picture
        os.ftruncate(self._shared, len(content))
        os.pwrite(self._shared, content, 0)
        question = {"n_bytes": len(content), "wanted": asdict(wanted)}
        self.is_asked = True
        with suppress(OSError):  # one that has ended answers nothing
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()

    def result(self) -> Decoded:
        self.is_asked = False
        answer = self._answer()
        if answer is None:
            raise too_costly()
        self.is_alive = True
        if "refused" in answer:
            raise RefusedImage(*answer["refused"])
        size = tuple(answer["size"])
        pixels = os.pread(self._shared, size[0] * size[1] * 3, 0)
        os.ftruncate(self._shared, 0)
        return Header(**answer["header"]), Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1)

    def _answer(self) -> Any:
        """Return what it says; None where it has ended, or says nothing for too long."""
        assert self._process.stdout  # noqa: S101 -- as above
        if not select.select([self._process.stdout], [], [], MAX_SECONDS)[0]:
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


def serve(shared: int) -> None:
    """Decode what lies in shared memory, one picture for each line of stdin, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decode_under_limits()
    _say(_READY)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            content = os.pread(shared, question["n_bytes"], 0)
            header, picture = _decoded_here(content, _Wanted.read(question["wanted"]))
        except RefusedImage as refused:
            _say({"refused": [refused.code, refused.reason]})
            continue
        pixels = picture.tobytes()
        os.ftruncate(shared, len(pixels))
        os.pwrite(shared, pixels, 0)
        _say({"header": vars(header), "size": picture.size})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
