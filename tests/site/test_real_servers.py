"""DATABASE_URL and REDIS_URL: the same code against a Postgres and a Redis started the ordinary way, on ports."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from imgsim_site import embedded
from imgsim_site.embedded.account import let_in, let_read, server_account
from imgsim_site.embedded.postgres import clean_environment, install_folder
from imgsim_site.embedded.redis import find_redis_server
from tests.conftest import png
from tests.end_to_end.conftest import install
from tests.running import Site
from tests.site.conftest import MakeFolder

START_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_as_server(*command: str | Path, folder: Path) -> None:
    identity = server_account().popen_identity()
    environment = clean_environment(folder)
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, **identity)


@pytest.fixture(scope="module")
def database_url(make_folder: MakeFolder) -> Iterator[str]:
    """A Postgres made with initdb and started with pg_ctl, with a password, on a port."""
    folder = make_folder()
    let_in(server_account(), folder)
    let_read(server_account(), install_folder())
    server_account().take(folder)
    password_file, cluster, port = folder / "password", folder / "cluster", free_port()
    password_file.write_text("pass word/@:")
    os.chown(password_file, server_account().uid, server_account().gid)
    programs = install_folder() / "bin"
    access: list[str | Path] = [
        "--auth=scram-sha-256",
        "--username=owner",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
    ]
    run_as_server(programs / "initdb", "-D", cluster, "--no-sync", *access, folder=folder)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    pg_ctl: list[str | Path] = [programs / "pg_ctl", "-D", cluster, "-l", folder / "log", "-w"]
    run_as_server(*pg_ctl, "-o", options, "start", folder=folder)
    url = f"postgresql://owner:pass%20word%2F%40%3A@127.0.0.1:{port}"
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE pictures")
    yield f"{url}/pictures"
    run_as_server(*pg_ctl, "-m", "fast", "stop", folder=folder)


@pytest.fixture(scope="module")
def redis_url(make_folder: MakeFolder) -> Iterator[str]:
    """A redis-server on a port."""
    port = free_port()
    command = [str(find_redis_server()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    url = f"redis://127.0.0.1:{port}/0"
    with subprocess.Popen(command, cwd=make_folder(), stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.05)
        yield url
        server.terminate()


def answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url).ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(scope="module")
def deployed(database_url: str, redis_url: str, make_folder: MakeFolder) -> Site:
    """A migrated site as a deployment sets it, with an empty folder for its state."""
    site = Site(make_folder(), DATABASE_URL=database_url, REDIS_URL=redis_url, SECRET_KEY="only for this test")
    site.manage("migrate", "--verbosity", "0")
    return site


def test_the_tables_are_made_in_the_named_database(deployed: Site, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        extension = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        table = connection.execute("SELECT to_regclass('search_image')::text").fetchone()
    assert extension == ("0.8.5",)
    assert table == ("search_image",)


def test_the_cache_is_the_named_redis(deployed: Site, redis_url: str) -> None:
    deployed.manage("shell", "-c", "from django.core.cache import cache; cache.set('greeting', 'hello')")
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("*greeting") != []


def test_pictures_are_imported_and_found(deployed: Site, tmp_path: Path) -> None:
    for colour in ("red", "green", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(png(colour))
    install(deployed)
    report = deployed.manage_json("import_images", str(tmp_path), "--dataset", "colours", "--sync")
    assert (report["found"], report["added"], report["embedded"], report["refused"]) == (3, 3, 3, [])
    answer = deployed.manage_json("search_image", str(tmp_path / "red.png"))
    assert Path(answer["hits"][0]["source"]).name == "red.png"


def test_no_embedded_server_was_started(deployed: Site) -> None:
    assert not (deployed.var / "postgres").exists()
    assert not (deployed.var / "run" / "embedded.log").exists()
    assert embedded.status(deployed.var).supervisor_pid is None
