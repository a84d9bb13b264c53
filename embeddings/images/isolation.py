"""Where pictures are decoded: in this process, in it under limits that the kernel holds, or in processes of their own.

What `decoding` refuses by rule costs little. This is for what no rule foresaw: a file that makes a decoder's library
take memory or time without end, or crash. The limits are the kernel's, which no library can talk out of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from embeddings.images.limits import Limits
from embeddings.images.processes import Processes
from embeddings.images.wanted import Decoded, Made, Pixels, Wanted

# What one picture may take beyond what the process has already. The costliest that the rules allow, WebP of 40
# megapixels, takes 670 MB and, on a slow core, 2 s.
MAX_BYTES: Final = 700_000_000
MAX_CPU_SECONDS: Final = 10

_processes: Processes | None = None
_limits: Limits | None = None


def decoded(content: bytes, *, edge: int, long_edge: int) -> Decoded:
    """Decode as `decoding.decoded` does, wherever this process decodes.

    Raises RefusedImage; with code "too_costly" also where a process that decodes has ended at it.
    """
    with begun(content, Pixels(edge=edge, long_edge=long_edge)) as result:
        return result()


@contextmanager
def begun(content: bytes, wanted: Wanted[Made]) -> Iterator[Callable[[], Made]]:
    """Begin to make what is wanted of a file; give a function that returns it or raises, and is called once at most.

    Where other processes decode, they do so while the caller does something else. One of them is taken meanwhile: do
    not wait there for what somebody may have who waits for such a process. Raises what `decoded` does.
    """
    if processes := _processes:
        with processes.begun(content, wanted) as result:
            yield result
    else:
        yield lambda: made_here(content, wanted)


def made_here(content: bytes, wanted: Wanted[Made]) -> Made:
    """Make what is wanted in this process, under limits where it has any."""
    with _limits or nullcontext():
        return wanted.of(content)


def decode_here() -> None:
    """Decode in this process from now on, without limits of the kernel's: as every process begins."""
    global _processes, _limits
    if _processes:
        _processes.close()
    _processes = _limits = None


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
    global _processes
    decode_here()
    _processes = Processes(n)


def warm_up() -> None:
    """Begin all processes that decode, where there are to be any."""
    if _processes:
        _processes.begin()
