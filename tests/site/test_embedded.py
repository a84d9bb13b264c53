"""The embedded servers, run for real: who starts them, who keeps them, and what ends them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from imgsim_site import embedded
from imgsim_site.embedded import account, machine, postgres_conf
from imgsim_site.embedded.places import LONGEST_SOCKET_PATH, Places
from imgsim_site.embedded.redis import find_redis_server

PROJECT = Path(__file__).parents[2]
CLIENT = """
import sys
from pathlib import Path
from imgsim_site import embedded
embedded.ensure_running(Path(sys.argv[1]), postgres="postgres" in sys.argv, redis="redis" in sys.argv)
print("ready", flush=True)
sys.stdin.read()
"""
StartClient = Callable[..., "subprocess.Popen[str]"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the server to another account")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A folder for the servers of one test, which end with it whatever happened."""
    yield tmp_path / "var"
    wait_until(lambda: embedded.status(tmp_path / "var").supervisor_pid is None)


@pytest.fixture
def start_client(var: Path) -> Iterator[StartClient]:
    """Start processes that use the servers until they are ended."""
    clients: list[subprocess.Popen[str]] = []

    def start(*servers: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", CLIENT, str(var), *servers]
        clients.append(subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return clients[-1]

    yield start
    for client in clients:
        client.kill()
        client.communicate()


def wait_until(is_true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wait_for_line(client: "subprocess.Popen[str]") -> None:
    assert client.stdout is not None
    assert client.stdout.readline() == "ready\n"


def postmaster(var: Path) -> psutil.Process:
    return psutil.Process(int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def supervisor(var: Path) -> psutil.Process:
    pid = embedded.status(var).supervisor_pid
    assert pid is not None
    return psutil.Process(pid)


def nothing_runs(var: Path) -> bool:
    return embedded.status(var) == embedded.Status(supervisor_pid=None, postgres=False, redis=False)


def test_both_servers_answer_and_end_with_their_last_client(var: Path, start_client: StartClient) -> None:
    client = start_client("postgres", "redis")
    wait_for_line(client)
    with psycopg.connect(embedded.database_url(var)) as connection:
        connection.execute("CREATE EXTENSION vector")
        version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    assert version == ("0.8.5",)
    assert embedded.status(var).redis
    client.communicate("")
    wait_until(lambda: nothing_runs(var))


def test_two_first_clients_at_once_share_one_supervisor(var: Path, start_client: StartClient) -> None:
    clients = [start_client("postgres"), start_client("postgres")]
    for client in clients:
        wait_for_line(client)
    clients[0].communicate("")
    time.sleep(0.5)
    assert embedded.status(var).postgres
    clients[1].communicate("")
    wait_until(lambda: nothing_runs(var))


def test_only_the_wanted_server_runs_until_a_client_wants_the_other(var: Path, start_client: StartClient) -> None:
    wait_for_line(start_client("redis"))
    assert not embedded.status(var).postgres
    wait_for_line(start_client("postgres"))
    assert embedded.status(var).postgres


def test_a_killed_client_counts_as_gone(var: Path, start_client: StartClient) -> None:
    client = start_client("postgres", "redis")
    wait_for_line(client)
    client.kill()
    wait_until(lambda: nothing_runs(var))


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_server_that_dies_is_started_again(var: Path, start_client: StartClient, name: str) -> None:
    wait_for_line(start_client(name))
    pid_file = {"postgres": var / "postgres" / "postmaster.pid", "redis": var / "run" / "redis.pid"}[name]
    first_pid = int(pid_file.read_text().split()[0])
    os.kill(first_pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(first_pid) and bool(getattr(embedded.status(var), name)))


def test_a_new_supervisor_takes_over_the_servers_of_a_killed_one(var: Path, start_client: StartClient) -> None:
    wait_for_line(start_client("postgres", "redis"))
    server = postmaster(var)
    supervisor(var).kill()
    late_client = start_client("postgres", "redis")
    wait_for_line(late_client)
    embedded.ensure_running(var, postgres=True, redis=True)
    assert postmaster(var).pid == server.pid
    embedded.leave(var)


def test_leaving_stops_servers_whose_supervisor_was_killed(var: Path) -> None:
    embedded.ensure_running(var, postgres=True, redis=True)
    killed = supervisor(var)
    killed.kill()
    killed.wait()
    embedded.leave(var)
    assert nothing_runs(var)


def test_it_starts_again_after_everything_was_killed(var: Path) -> None:
    embedded.ensure_running(var, postgres=True, redis=True)
    victims = [supervisor(var), *supervisor(var).children(recursive=True)]
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims)
    embedded.leave(var)
    assert (var / "postgres" / "postmaster.pid").exists()
    embedded.ensure_running(var, postgres=True, redis=True)
    embedded.leave(var)
    assert nothing_runs(var)


def test_a_pid_file_with_the_number_of_another_process_is_no_obstacle(var: Path) -> None:
    embedded.ensure_running(var, postgres=True, redis=False)
    embedded.leave(var)
    stranger = subprocess.Popen(["sleep", "60"])
    (var / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{var / 'postgres'}\n")
    embedded.ensure_running(var, postgres=True, redis=False)
    assert stranger.poll() is None
    embedded.leave(var)
    stranger.kill()
    stranger.wait()


def test_a_half_made_cluster_is_made_anew(var: Path) -> None:
    (var / "postgres.unfinished").mkdir(parents=True)
    (var / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    embedded.ensure_running(var, postgres=True, redis=False)
    embedded.leave(var)
    assert not (var / "postgres.unfinished").exists()


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    var = tmp_path / ("a" * LONGEST_SOCKET_PATH) / "v A'r,%"
    embedded.ensure_running(var, postgres=True, redis=True)
    assert embedded.status(var).postgres
    embedded.leave(var)
    assert nothing_runs(var)
    assert not Places.below(var).short_folder.exists()


def test_a_server_that_cannot_start_is_reported_with_its_log(var: Path) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres" / "PG_VERSION").write_text("15\n")
    account.server_account().take(var / "postgres")
    with pytest.raises(embedded.EmbeddedServerError, match="was made by Postgres 15"):
        embedded.ensure_running(var, postgres=True, redis=False)
    embedded.leave(var)


def test_no_server_listens_on_a_port_and_the_folders_are_closed(var: Path) -> None:
    embedded.ensure_running(var, postgres=True, redis=True)
    family = [supervisor(var), *supervisor(var).children(recursive=True)]
    ports = [socket for process in family for socket in ports_of(process)]
    modes = [(var / name).stat().st_mode & 0o777 for name in ("run", "postgres")]
    embedded.leave(var)
    assert not ports
    assert modes == [0o700, 0o700]


def ports_of(process: psutil.Process) -> list[Any]:
    """Return what a process listens at; nothing where it ended meanwhile, as some of Postgres' do after its start."""
    try:
        return process.net_connections(kind="inet")
    except psutil.NoSuchProcess:
        return []


@as_root
def test_root_runs_postgres_as_nobody_in_a_closed_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    embedded.ensure_running(closed / "var", postgres=True, redis=False)
    owner = postmaster(closed / "var").username()
    embedded.leave(closed / "var")
    assert owner == "nobody"
    assert closed.stat().st_mode & 0o777 == 0o701
    assert re.search(rf"gave it search permission \(o\+x\) on .*{closed}", capfd.readouterr().err)


def test_an_ordinary_account_changes_no_permission(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    own = account.Account(name="own", uid=os.geteuid(), gid=os.getegid())
    assert account.let_in(own, closed) == account.let_read(own, closed) == []


def test_the_addresses_are_known_without_starting_anything(tmp_path: Path) -> None:
    assert embedded.database_url(tmp_path).startswith("postgresql://imgsim@:5432/imgsim?host=/")
    assert embedded.redis_url(tmp_path) == f"unix://{Places.below(tmp_path).redis_socket}"
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_to_install_where_there_is_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("imgsim_site.embedded.redis.find_spec", lambda name: None)
    with pytest.raises(embedded.EmbeddedServerError, match=r"apt install redis-server.*or set REDIS_URL"):
        find_redis_server()


@pytest.mark.parametrize(
    ("memory_mb", "shared_memory_mb", "expected"),
    [
        (512, 64, {"shared_buffers": "128MB", "maintenance_work_mem": "64MB", "dynamic_shared_memory_type": "mmap"}),
        (8192, 8192, {"shared_buffers": "2048MB", "maintenance_work_mem": "512MB", "effective_cache_size": "4096MB"}),
        (
            65536,
            64,
            {"shared_buffers": "8192MB", "maintenance_work_mem": "1024MB", "dynamic_shared_memory_type": "mmap"},
        ),
    ],
)
def test_postgres_is_sized_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, memory_mb: int, shared_memory_mb: int, expected: dict[str, str]
) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: memory_mb * postgres_conf.MB)
    monkeypatch.setattr(machine, "shared_memory_bytes", lambda: shared_memory_mb * postgres_conf.MB)
    text = postgres_conf.conf_text(Path("/socket"))
    assert all(f"{name} = '{setting}'" in text for name, setting in expected.items())


def test_the_limit_of_a_control_group_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "own_cgroups", lambda: ["0::/pod/one"])
    assert machine.memory_bytes() == 1_000_000


def test_a_server_that_ends_at_every_start_is_given_up_with_its_log(var: Path) -> None:
    embedded.ensure_running(var, postgres=True, redis=False)
    embedded.leave(var)
    (var / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(embedded.EmbeddedServerError, match="no_such_setting"):
        embedded.ensure_running(var, postgres=True, redis=False)
    embedded.leave(var)
