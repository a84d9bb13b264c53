"""Tests of downloading a file, from a server that this test starts."""

import socket
import threading
from collections.abc import Iterator
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from embeddings import downloads
from embeddings.downloads import DownloadFailed, WrongDigest, download

CONTENT = bytes(range(256)) * 20_000


class Handler(BaseHTTPRequestHandler):
    """Gives /whole.h5, breaks off in /half.h5, knows nothing else."""

    def do_GET(self) -> None:
        if self.path not in ("/whole.h5", "/half.h5"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole.h5" else CONTENT[:1000])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_it_downloads_a_file_and_shows_progress(address: str, tmp_path: Path) -> None:
    lines: list[str] = []
    path = download(f"{address}/whole.h5", tmp_path, lines.append, md5=md5(CONTENT).hexdigest())
    assert path == tmp_path / "whole.h5"
    assert path.read_bytes() == CONTENT
    assert lines[0] == f"Downloading {address}/whole.h5 (5 MB)"
    assert lines[-1] == "5 of 5 MB"


def test_it_refuses_a_file_with_another_digest(address: str, tmp_path: Path) -> None:
    with pytest.raises(WrongDigest, match=r"whole\.h5 is not the file expected: MD5 [0-9a-f]{32}, expected 00"):
        download(f"{address}/whole.h5", tmp_path, lambda line: None, md5="0" * 32)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "reason"), [("half.h5", "broke off after 1000 of"), ("gone.h5", "404")])
def test_it_says_why_a_download_failed(name: str, reason: str, address: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=rf"could not download {address}/{name}: .*{reason}"):
        download(f"{address}/{name}", tmp_path, lambda line: None)
    assert not list(tmp_path.iterdir())


def test_it_gives_up_where_nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_TIMEOUT_S", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(DownloadFailed, match=r"no answer within|timed"),
    ):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/net.h5", tmp_path, lambda line: None)


def test_it_fails_where_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"could not download http://127\.0\.0\.1:9/net\.h5"):
        download("http://127.0.0.1:9/net.h5", tmp_path, lambda line: None)
