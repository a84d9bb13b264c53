"""Fetching from a server of this machine that behaves well or badly; its address is called public for as long."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from embeddings.images import RefusedImage, prepare
from search.links import addresses, fetching, targets
from search.links.fetching import LinkRefused, fetch
from tests.pictures import jpeg_bytes

CERTIFICATE = Path(__file__).with_name("pictures.example.pem")
PICTURE = jpeg_bytes()


class Server(BaseHTTPRequestHandler):
    """Behaves as the path says; notes what it was asked."""

    asked: list[tuple[str, dict[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        with contextlib.suppress(OSError):  # the other side hangs up on what it has had enough of
            getattr(self, "_" + self.path.strip("/").partition("?")[0].replace("/", "_"))()

    def _answer(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _picture(self) -> None:
        self._answer(PICTURE, Content_Type="image/jpeg", Content_Length=str(len(PICTURE)))

    def _unknown_type(self) -> None:
        self._answer(PICTURE, Content_Type="text/plain")

    def _chunked(self) -> None:
        half = len(PICTURE) // 2
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (PICTURE[:half], PICTURE[half:]))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")

    def _chunk_of_minus_one(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        self._pour()

    def _page(self) -> None:
        self._answer(b"<html></html>", Content_Type="text/html; charset=utf-8")

    def _gzip(self) -> None:
        self._answer(b"\x1f\x8b" + bytes(100), Content_Type="image/jpeg", Content_Encoding="gzip")

    def _missing(self) -> None:
        self._answer(status=404)

    def _forbidden(self) -> None:
        self._answer(status=403)

    def _trouble(self) -> None:
        self._answer(status=500)

    def _empty(self) -> None:
        self._answer(Content_Length="0")

    def _endless(self) -> None:
        self._answer(Content_Type="image/jpeg")
        self._pour()

    def _pour(self) -> None:
        while True:
            self.wfile.write(bytes(1 << 16))

    def _too_long(self) -> None:
        self._answer(Content_Length="1000000000")

    def _longer_than_told(self) -> None:
        self._answer(PICTURE[:100] + bytes(1 << 20), Content_Length="100")

    def _shorter_than_told(self) -> None:
        self._answer(PICTURE, Content_Length=str(len(PICTURE) + 1))

    def _dripping(self) -> None:
        self._answer(Content_Length="1000")
        self._drip(b"x")

    def _dripping_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Name: ")
        self._drip(b"x")

    def _drip(self, piece: bytes) -> None:
        for _ in range(200):
            self.wfile.write(piece)
            time.sleep(0.02)

    def _endless_headers(self) -> None:
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\nX: " + b"x" * 60_000 + b"\r\n\r\n")

    def _nonsense(self) -> None:
        self.wfile.write(b"+OK ready\r\n")

    def _hang_up(self) -> None:
        self.close_connection = True

    def _moved(self) -> None:
        self._answer(status=301, Location="/picture")

    def _moved_1(self) -> None:
        self._answer(status=302, Location="../moved")

    def _moved_there(self) -> None:
        self._answer(status=308, Location="moved/1")

    def _moved_far(self) -> None:
        self._answer(status=307, Location="/moved_there")

    def _round(self) -> None:
        self._answer(status=302, Location="/round")

    def _nowhere(self) -> None:
        self._answer(status=302)

    def _inside(self) -> None:
        self._answer(status=302, Location="http://10.0.0.1/picture")

    def _to_file(self) -> None:
        self._answer(status=302, Location="file:///etc/hostname")

    def log_message(self, *given: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with _running(None) as port:
        yield port


@contextlib.contextmanager
def _running(tls: ssl.SSLContext | None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.handle_error = lambda *given: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def names(settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Let links be followed, and names lead to this machine, which counts as public."""
    settings.ALLOW_LINKS = True
    known = {"pictures.example": ["127.0.0.1"]}
    is_public = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1" or is_public(address))
    monkeypatch.setattr(targets, "lookup", lambda host, port: [ip_address(address) for address in known[host]])
    monkeypatch.setattr(fetching, "MAX_SECONDS", 0.3)
    Server.asked.clear()
    return known


@pytest.fixture
def link(port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    monkeypatch.setattr(targets, "PORTS", {"http": port, "https": 443})
    return "http://pictures.example/{}".format


def refusal(url: str) -> LinkRefused:
    started = time.monotonic()
    with pytest.raises(LinkRefused) as caught:
        fetch(url)
    assert time.monotonic() - started < 0.8
    return caught.value


@pytest.mark.parametrize("path", ["picture", "chunked", "unknown_type", "moved", "moved/1", "moved_there"])
def test_it_fetches_a_picture(path: str, link: Callable[[str], str]) -> None:
    assert fetch(link(path)) == PICTURE


def test_it_asks_by_name_for_a_plain_file_and_says_nothing_of_who_asks(link: Callable[[str], str]) -> None:
    fetch(link("picture?size=2"))
    assert Server.asked == [
        (
            "/picture?size=2",
            {
                "Host": "pictures.example",
                "User-Agent": "ImgSim",
                "Accept": "image/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )
    ]


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("page", "html", "This link leads to a web page; open the picture itself and copy its address"),
        ("gzip", "encoded", "compressed, though it was asked not to"),
        ("missing", "status", r"nothing at this link. .*\(HTTP 404\)"),
        ("forbidden", "status", r"not give this file to everybody. .*\(HTTP 403\)"),
        ("trouble", "status", r"could not give the file. .*\(HTTP 500\)"),
        ("empty", "empty", "sent an empty file"),
        ("too_long", "too_large_file", "The file has more than 20 MB"),
        ("shorter_than_told", "truncated", "ended before the file did"),
        ("hang_up", "unreachable", "pictures.example does not answer"),
        ("nonsense", "http", "no web server's"),
        ("dripping", "slow", "pictures.example took more than 0 seconds"),
        ("dripping_headers", "slow", "Try again, or save the picture and upload it"),
        ("moved_far", "redirects", "redirected more than 3 times"),
        ("round", "redirects", "redirected more than 3 times"),
        ("nowhere", "redirects", "to nowhere"),
        ("inside", "address", "private network"),
        ("to_file", "scheme", "Only links that begin with http"),
    ],
)
def test_it_says_why_there_is_no_picture(path: str, code: str, words: str, link: Callable[[str], str]) -> None:
    refused = refusal(link(path))
    assert refused.code == code
    with pytest.raises(LinkRefused, match=words):
        raise refused


@pytest.mark.parametrize("path", ["endless", "chunk_of_minus_one", "endless_headers"])
def test_it_reads_no_more_than_the_limit(
    path: str, link: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_FILE_BYTES", 1_000_000)
    assert refusal(link(path)).code == "too_large_file"


def test_a_file_of_just_the_limit_is_taken(link: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FILE_BYTES", len(PICTURE))
    assert fetch(link("unknown_type")) == PICTURE
    monkeypatch.setattr(fetching, "MAX_FILE_BYTES", len(PICTURE) - 1)
    assert {refusal(link(path)).code for path in ("picture", "unknown_type", "chunked")} == {"too_large_file"}


def test_what_follows_the_length_that_was_told_is_no_part_of_the_picture(link: Callable[[str], str]) -> None:
    with pytest.raises(RefusedImage, match="breaks off"):
        prepare(fetch(link("longer_than_told")), input_size=32)


def test_it_connects_to_the_address_that_was_checked(
    link: Callable[[str], str], names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    monkeypatch.setattr(targets, "lookup", lambda host, port: [ip_address(one) for one in next(answers)])
    assert fetch(link("picture")) == PICTURE
    assert next(answers) == ["10.0.0.1"]  # nobody asked twice


def test_every_redirect_is_looked_up_and_checked_anew(
    link: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    monkeypatch.setattr(targets, "lookup", lambda host, port: [ip_address(one) for one in next(answers)])
    assert refusal(link("moved")).code == "address"
    assert [path for path, _ in Server.asked] == ["/moved"]


def test_a_name_with_one_private_address_is_not_connected_to(
    link: Callable[[str], str], names: dict[str, list[str]]
) -> None:
    names["pictures.example"] = ["127.0.0.1", "10.0.0.1"]
    assert refusal(link("picture")).code == "address"
    assert Server.asked == []


def test_the_next_address_is_tried_where_one_is_closed(
    link: Callable[[str], str], names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
    names["pictures.example"] = ["::1", "127.0.0.1"]
    assert fetch(link("picture")) == PICTURE


def test_a_closed_port_is_told(link: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(targets, "PORTS", {"http": free.getsockname()[1]})
        assert refusal(link("picture")).code == "unreachable"


def test_proxies_of_the_environment_are_not_asked(link: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch(link("picture")) == PICTURE


def test_links_are_off_unless_the_site_allows_them(link: Callable[[str], str], settings: Any) -> None:
    settings.ALLOW_LINKS = False
    assert refusal(link("picture")).code == "off"
    assert Server.asked == []


class TestEncrypted:
    """Over TLS, with a certificate that vouches for pictures.example and for itself."""

    @pytest.fixture(autouse=True)
    def _server(self, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        names["other.example"] = ["127.0.0.1"]
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(CERTIFICATE)
        with _running(tls) as port:
            monkeypatch.setattr(targets, "PORTS", {"http": 80, "https": port})
            yield

    @pytest.fixture
    def trusted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
        monkeypatch.setattr(fetching, "_tls", lambda: trusting)

    def test_the_certificate_is_held_against_the_name_not_the_address(self, trusted: None) -> None:
        assert fetch("https://pictures.example/picture") == PICTURE

    def test_a_certificate_for_another_name_is_refused(self, trusted: None) -> None:
        assert refusal("https://other.example/picture").code == "tls"
        assert Server.asked == []

    def test_a_certificate_that_nobody_vouches_for_is_refused(self) -> None:
        refused = refusal("https://pictures.example/picture")
        assert refused.code == "tls"
        assert str(refused).startswith("The connection to pictures.example is not safe")

    def test_what_drips_is_given_up_over_tls_too(self, trusted: None) -> None:
        assert refusal("https://pictures.example/dripping").code == "slow"


def test_a_server_without_tls_is_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "PORTS", {"http": 80, "https": port})
    assert refusal("https://pictures.example/picture").code == "tls"


def test_a_server_that_never_speaks_is_given_up(names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(targets, "PORTS", dict.fromkeys(("http", "https"), silent.getsockname()[1]))
        assert refusal("http://pictures.example/").code == "slow"
        assert refusal("https://pictures.example/").code == "slow"
