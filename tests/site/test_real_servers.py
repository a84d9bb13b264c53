"""DATABASE_URL and REDIS_URL: the same code against a Postgres and a Redis started the ordinary way, on ports."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from imgsim_site import embedded
from imgsim_site.embedded.account import let_in, let_read, server_account
from imgsim_site.embedded.postgres import clean_environment, install_folder
from imgsim_site.embedded.redis import find_redis_server
from tests.conftest import png
from tests.site.conftest import MakeFolder

PROJECT = Path(__file__).parents[2]
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
def environment(database_url: str, redis_url: str, make_folder: MakeFolder) -> dict[str, str]:
    """What a deployment sets, with an empty folder for its state."""
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "only for this test",
        "IMGSIM_VAR": str(make_folder()),
        "DJANGO_SETTINGS_MODULE": "imgsim_site.settings",
    }
    return os.environ | settings


def manage(environment: dict[str, str], *arguments: str | Path) -> str:
    command = [sys.executable, "manage.py", *map(str, arguments)]
    finished = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def last_line_as_json(text: str) -> Any:
    return json.loads(text.splitlines()[-1])


@pytest.fixture(scope="module")
def migrated(environment: dict[str, str]) -> dict[str, str]:
    manage(environment, "migrate", "--verbosity", "0")
    return environment


def test_the_tables_are_made_in_the_named_database(migrated: dict[str, str]) -> None:
    with psycopg.connect(migrated["DATABASE_URL"]) as connection:
        extension = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        table = connection.execute("SELECT to_regclass('search_image')::text").fetchone()
    assert extension == ("0.8.5",)
    assert table == ("search_image",)


def test_the_cache_is_the_named_redis(migrated: dict[str, str]) -> None:
    manage(migrated, "shell", "-c", "from django.core.cache import cache; cache.set('greeting', 'hello')")
    with redis.Redis.from_url(migrated["REDIS_URL"]) as client:
        assert client.keys("*greeting") != []


def test_pictures_are_imported_and_found(migrated: dict[str, str], tmp_path: Path) -> None:
    for colour in ("red", "green", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(png(colour))
    manage(migrated, "install_encoder", "mobilenet_v2")
    report = last_line_as_json(manage(migrated, "import_images", tmp_path, "--dataset", "colours", "--sync", "--json"))
    assert (report["found"], report["added"], report["embedded"], report["refused"]) == (3, 3, 3, [])
    answer = last_line_as_json(manage(migrated, "search_image", tmp_path / "red.png", "--json"))
    assert Path(answer["hits"][0]["source"]).name == "red.png"


def test_no_embedded_server_was_started(migrated: dict[str, str]) -> None:
    assert not (Path(migrated["IMGSIM_VAR"]) / "postgres").exists()
    assert not (Path(migrated["IMGSIM_VAR"]) / "run" / "embedded.log").exists()
    assert embedded.status(Path(migrated["IMGSIM_VAR"])).supervisor_pid is None
