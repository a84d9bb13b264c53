"""Requests are worked on a few at a time, each when all of it has come; who is slow waits outside."""

from __future__ import annotations

import errno
import json
import os
import threading
from io import BytesIO
from typing import Any

import pytest

from imgsim_site import gate
from imgsim_site.gate import Gate

PATIENCE_S = 20
MOST_BYTES = 100_000_000


def asked(body: bytes = b"", **more: Any) -> dict[str, Any]:
    return {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), **more}


def gate_of(application: Any, **more: int) -> Gate:
    return Gate(application, most_bytes=MOST_BYTES, **more)


class Answers(list[str]):
    def __call__(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.append(status)


@pytest.mark.parametrize("n_bytes", [0, 1, 70_000, 5_000_000])
def test_a_body_comes_through_whole(n_bytes: int) -> None:
    content = bytes(range(256)) * (n_bytes // 256 + 1)
    found = gate_of(lambda environ, _: [environ["wsgi.input"].read()])(asked(content[:n_bytes]), Answers())
    assert b"".join(found) == content[:n_bytes]


@pytest.mark.parametrize("length", ["", "many", "-5"])
def test_a_length_that_is_none_is_none(length: str) -> None:
    found = gate_of(lambda environ, _: [environ["wsgi.input"].read()])(asked(b"", CONTENT_LENGTH=length), Answers())
    assert list(found) == [b""]


def test_a_body_that_breaks_off_is_worked_on_by_nobody() -> None:
    told = Answers()
    worked: list[bool] = []
    assert list(gate_of(lambda *_: worked.append(True) or [])(asked(b"half", CONTENT_LENGTH="8"), told)) == []
    assert (told, worked) == (["400 Bad Request"], [])


def test_what_is_larger_than_a_picture_goes_through_as_it_comes() -> None:
    body = BytesIO(b"the beginning")
    environ = asked(CONTENT_LENGTH=str(gate.MOST_BODY_BYTES + 1)) | {"wsgi.input": body}
    assert gate_of(lambda environ, _: [environ["wsgi.input"]])(environ, Answers()) == [body]


def test_what_is_larger_than_anything_is_refused_before_it_comes() -> None:
    told, worked = Answers(), []
    environ = asked(CONTENT_LENGTH=str(MOST_BYTES + 1))
    answer = b"".join(gate_of(lambda *_: worked.append(True) or [])(environ, told))
    assert (told, worked) == (["413 Content Too Large"], [])
    assert answer == b"The request is too large: at most 100 MB are taken.\n"


def test_programs_are_told_so_as_a_problem() -> None:
    told = Answers()
    environ = asked(CONTENT_LENGTH=str(MOST_BYTES + 1), PATH_INFO="/api/v1/search")
    problem = json.loads(b"".join(gate_of(lambda *_: [])(environ, told)))
    assert told == ["413 Content Too Large"]
    assert (problem["code"], problem["detail"]) == (
        "content_too_large",
        "The request is too large: at most 100 MB are taken.",
    )


@pytest.mark.parametrize("path", ["/", "/api/v1/search"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.ENOENT])
def test_a_body_for_which_there_is_no_room_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, path: str, error: int
) -> None:
    class Full(BytesIO):
        def write(self, _: Any, /) -> int:
            raise OSError(error, os.strerror(error))

    monkeypatch.setattr(gate, "SpooledTemporaryFile", lambda _: Full())
    told, worked, sent = Answers(), [], asked(b"a picture" * 100_000, PATH_INFO=path)
    found = b"".join(gate_of(lambda *_: worked.append(True) or [])(sent, told))
    assert (told, worked) == (["507 Insufficient Storage"], [])
    assert b"temporary files is full" in found
    assert sent["wsgi.input"].read() == b""  # whoever sends hears the answer at the end


def test_a_few_are_worked_on_at_a_time() -> None:
    inside, most, goes_on = [0], [0], threading.Event()
    changing = threading.Lock()

    def work(*_: Any) -> list[bytes]:
        with changing:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        goes_on.wait(PATIENCE_S)
        with changing:
            inside[0] -= 1
        return []

    let_in = gate_of(work, n_at_once=2)
    threads = [threading.Thread(target=let_in, args=(asked(), Answers())) for _ in range(5)]
    for thread in threads:
        thread.start()
    threads[0].join(0.2)
    goes_on.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert most == [2]


def test_who_sends_slowly_takes_no_place() -> None:
    comes = threading.Event()

    class Slow(BytesIO):
        def read(self, n: int | None = -1, /) -> bytes:
            comes.wait(PATIENCE_S)
            return super().read(n)

    let_in = gate_of(lambda *_: [b"answered"], n_at_once=1)
    slow = threading.Thread(target=let_in, args=(asked(b"abc") | {"wsgi.input": Slow(b"abc")}, Answers()))
    slow.start()
    assert list(let_in(asked(), Answers())) == [b"answered"]
    comes.set()
    slow.join(PATIENCE_S)
    assert not slow.is_alive()
