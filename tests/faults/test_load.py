"""Many at once, many that are slow, and bodies without end: the site answers, and takes no more memory with time."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.gallery import CALM, Gallery
from tests.pictures import jpeg_bytes
from tests.running import WEB, status_of

N_SEARCHES, N_AT_A_TIME, N_TO_WARM_UP = 1_000, 50, 400
MOST_GROWTH = 1.10
N_SLOW, SECONDS_SLOW, LONGEST_PAGE_SECONDS = 200, 60, 2.0
MB = 1_000_000


@pytest.fixture(scope="module")
def url(gallery: Gallery) -> Iterator[str]:
    with gallery.site.web() as url:
        yield url


def memory_below(gallery: Gallery) -> int:
    """Return the resident bytes of the web server, with those that decode for it."""
    return sum(one.memory_info().rss for one in gallery.site.processes(WEB))


def test_a_thousand_searches_fifty_at_a_time(gallery: Gallery, url: str) -> None:
    ids = [image_id for (image_id,) in gallery.rows(CALM, "image.id")]
    pictures = [path.read_bytes() for path in sorted(gallery.folder.iterdir())[:100]]

    def search(number: int) -> int:
        if number % 2:
            return status_of(f"{url}/?image={ids[number % len(ids)]}")
        return send(url, {f"{number}.jpg": pictures[number // 2 % len(pictures)]})

    with ThreadPoolExecutor(N_AT_A_TIME) as threads:
        statuses = Counter(threads.map(search, range(N_TO_WARM_UP)))
        before = memory_below(gallery)
        statuses += Counter(threads.map(search, range(N_TO_WARM_UP, N_TO_WARM_UP + N_SEARCHES)))
    assert set(statuses) == {200}
    assert memory_below(gallery) <= MOST_GROWTH * before


def send(url: str, files: dict[str, bytes], *, has_end: bool = True) -> int:
    """Search with pictures as a program does; return the status."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{{}}"\r\n\r\n'
    body = b"".join(head.format(name).encode() + content + b"\r\n" for name, content in files.items())
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    with contextlib.closing(connection):
        end = f"--{boundary}--\r\n".encode() if has_end else b""
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection.request("POST", "/api/v1/search", body + end, headers)
        return connection.getresponse().status


def test_two_hundred_slow_clients(url: str) -> None:
    address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
    begins = [
        b"GET /datasets/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n",
    ]
    times = []
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(N_SLOW)]
        for number, client in enumerate(slow):
            client.sendall(begins[number % 2])
        ends_at = time.monotonic() + SECONDS_SLOW
        while time.monotonic() < ends_at:
            for client in slow:
                with contextlib.suppress(OSError):  # who is too slow is hung up on
                    client.sendall(b"x")
            started = time.monotonic()
            assert status_of(f"{url}/datasets/") == 200
            times.append(time.monotonic() - started)
            time.sleep(1)
    assert max(times) <= LONGEST_PAGE_SECONDS


@pytest.mark.parametrize("n_bytes", [60 * MB, 10_000 * MB])
def test_a_body_of_gigabytes_is_cut(gallery: Gallery, url: str, n_bytes: int) -> None:
    """As much is sent as is taken; the answer says why, and neither memory nor disk has it."""
    before = memory_below(gallery)
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    head = b'--end\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    end = b"\r\n--end--\r\n"
    with socket.create_connection((host, port), timeout=120) as client:
        client.sendall(
            b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=end\r\nContent-Length: %d\r\n\r\n" % n_bytes
        )
        left = n_bytes - len(head) - len(end)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(head)
            while left > 0 and not has_answer(client):
                client.sendall(b"x" * min(MB, left))
                left -= MB
            client.sendall(end)
        answer = client.recv(4096)
    assert answer.split(b" ")[1] in {b"413", b"422"}
    assert memory_below(gallery) <= 1.2 * before
    assert n_bytes < 100 * MB or left > n_bytes - 100 * MB


def has_answer(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.settimeout(120)


def test_more_files_than_anybody_sends_are_refused(url: str) -> None:
    picture = jpeg_bytes(32, 24, seed=1)
    assert send(url, {f"{number}.jpg": picture for number in range(101)}) in {400, 413, 422}


def test_a_form_without_its_end_is_answered(url: str) -> None:
    assert send(url, {"a.jpg": jpeg_bytes(320, 240, seed=1)}, has_end=False) < 500


def test_mixed_use_takes_no_more_with_time(gallery: Gallery, url: str, tmp_path: Path) -> None:
    """Two minutes of pages, searches and nonsense: no memory, no descriptor more than after the first."""
    draw = random.Random(7)
    ids = [image_id for (image_id,) in gallery.rows(CALM, "image.id")]
    pages = ["/", "/datasets/", "/datasets/calm/", "/encoders/", "/nowhere/", "/?words=calm", "/api/v1/datasets"]

    def use(_: int) -> int:
        chance = draw.random()
        if chance < 0.4:
            return status_of(url + draw.choice(pages))
        if chance < 0.7:
            return status_of(f"{url}/?image={draw.choice(ids)}")
        return send(url, {"a.jpg": jpeg_bytes(400, 300, seed=draw.randrange(10_000))[: draw.choice([900, None])]})

    measured: list[tuple[int, int]] = []
    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            ends_at = time.monotonic() + 30
            while time.monotonic() < ends_at:
                assert max(threads.map(use, range(20))) < 500
            measured.append((memory_below(gallery), n_descriptors(gallery)))
    assert measured[-1][0] <= MOST_GROWTH * measured[0][0]
    assert measured[-1][1] <= measured[0][1] + 8


def n_descriptors(gallery: Gallery) -> int:
    return sum(one.num_fds() for one in gallery.site.processes(WEB))
