"""The web process as it is deployed: quick to start, light, and right over HTTP."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.pictures import huge_header_png, truncated_jpeg
from tests.running import ROOT, Site, wait_for


@pytest.fixture(scope="module")
def web(site: Site, photographs: dict[str, Any]) -> Any:
    """The address of a running web server, over the sample photographs."""
    with site.web() as url:
        yield url


def post(url: str, content: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    """Send a search as a browser or curl does."""
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields.items()]  # fmt: skip
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="q.jpg"\r\n\r\n'.encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    connection.request("POST", "/api/v1/search", b"".join(parts), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_a_picture_finds_its_versions(web: str, pictures: Path) -> None:
    status, body = post(web, (pictures / "photographs/rocket/rocket.jpg").read_bytes(), dataset="photographs", k="8")
    assert status == 200
    assert [hit["label"] for hit in body["hits"][:5]] == ["rocket"] * 5
    assert body["exact"] is True


@pytest.mark.parametrize("content", [b"text", b"", truncated_jpeg(), huge_header_png()])
def test_bad_pictures_are_refused(web: str, content: bytes) -> None:
    status, body = post(web, content)
    assert (status, body["status"]) == (422, 422)


@pytest.mark.parametrize("k", ["0", "100000", "x"])
def test_a_bad_k_is_refused(web: str, pictures: Path, k: str) -> None:
    status, body = post(web, (pictures / "photographs/rocket/rocket.jpg").read_bytes(), k=k)
    assert (status, "k must be" in body["detail"]) == (400, True)


def test_a_search_imports_neither_tensorflow_nor_keras(site: Site, pictures: Path) -> None:
    code = (
        "import sys, imgsim_site.wsgi\n"
        "from imgsim_site import embedded; from django.conf import settings; embedded.ensure_running_for(settings)\n"
        "from django.test import Client\n"
        f"picture = open({str(pictures / 'photographs/rocket/rocket.jpg')!r}, 'rb')\n"
        "response = Client(SERVER_NAME='localhost').post('/api/v1/search', {'image': picture})\n"
        "assert response.status_code == 200, response.content\n"
        "print([name for name in ('tensorflow', 'keras', 'torch', 'jax') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.thorough
def test_it_ends_in_peace_while_it_warms_up(site: Site) -> None:
    """The moment in which the runtime is in the middle of loading comes at another time on each machine."""
    code = "import time, imgsim_site.wsgi; time.sleep({})"
    for pause in (0.0, 0.2, 0.4, 0.6, 0.8):
        command = [sys.executable, "-c", code.format(pause)]
        done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_it_says_whether_it_can_work(site: Site, web: str) -> None:
    def ready() -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=30)
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    # Workers that answered are believed for ten seconds, and a test before this one may have had some.
    wait_for(lambda: ready()[0] == 503, "the last worker to be forgotten")
    status, parts = ready()
    assert (status, parts["database"], parts["encoder"], parts["worker"]) == (503, "ok", "ok", "LookupError")
    with site.worker():
        wait_for(lambda: ready()[0] == 200, "the worker")


@pytest.mark.parametrize("sends", ["headers", "a body"])
def test_slow_clients_hold_up_nobody(web: str, sends: str) -> None:
    """Many more of them than requests are worked on at once."""
    begun = b"Host: localhost\r\nX-Slow: " if sends == "headers" else b"Host: localhost\r\nContent-Length: 9999\r\n\r\n"
    address = (urlsplit(web).hostname or "", urlsplit(web).port or 0)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(60)]
        for sent in (b"POST /api/v1/search HTTP/1.1\r\n" + begun, b"x", b"x"):
            for client in slow:
                client.sendall(sent)
            assert b"ImgSim" in urllib.request.urlopen(f"{web}/datasets/", timeout=10).read()


def test_what_serves_ends_with_the_server(site: Site) -> None:
    """Also where that is killed: nobody would end it, and the next server would share its address."""
    with site.process("-m", "imgsim_site.web", "--port", "0") as server:
        wait_for(lambda: psutil.Process(server.pid).children(), "the process that serves")
        (serving,) = psutil.Process(server.pid).children()
        wait_for(lambda: serving.children(), "the processes that decode")
        below = [serving, *serving.children()]
        server.kill()
        server.wait()
        wait_for(
            lambda: not any(process.is_running() and process.status() != "zombie" for process in below), "their end"
        )
