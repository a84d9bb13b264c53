"""Use the embedded servers from a process: start them if nobody has, wait for them, and keep them while it lives."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imgsim_site.embedded import account, locks, postgres, redis
from imgsim_site.embedded.errors import EmbeddedServerError
from imgsim_site.embedded.places import Places
from imgsim_site.embedded.server import open_log, tail

START_SECONDS = 300.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.03
PROJECT = Path(__file__).resolve().parents[2]


class SiteSettings(Protocol):
    """What the settings say about the embedded servers."""

    VAR: Path
    EMBEDDED_POSTGRES: bool
    EMBEDDED_REDIS: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """What runs for one `var`."""

    supervisor_pid: int | None
    postgres: bool
    redis: bool


def database_url(var: Path) -> str:
    """Return the address of the Postgres below `var`; starts nothing."""
    return postgres.database_url(Places.below(var))


def redis_url(var: Path) -> str:
    """Return the address of the Redis below `var`, as redis-py reads it; starts nothing."""
    return redis.redis_url(Places.below(var))


def status(var: Path) -> Status:
    """Return what runs for `var`; starts nothing."""
    places = Places.below(var)
    is_supervised = locks.is_taken_by_another(places.supervisor_lock)
    return Status(
        supervisor_pid=int(places.supervisor_lock.read_text() or 0) if is_supervised else None,
        postgres=postgres.is_postgres_ready(places),
        redis=redis.is_redis_ready(places),
    )


def ensure_running_for(settings: SiteSettings) -> None:
    """Start the embedded servers that `settings` uses. Raises EmbeddedServerError as `ensure_running` does."""
    if settings.EMBEDDED_POSTGRES or settings.EMBEDDED_REDIS:
        ensure_running(settings.VAR, postgres=settings.EMBEDDED_POSTGRES, redis=settings.EMBEDDED_REDIS)


def ensure_running(var: Path, *, postgres: bool, redis: bool) -> None:
    """Return when the wanted servers below `var` answer; they stay as long as any process that called this lives.

    Repeated calls cost one connection to each. Children by fork count with their parent, programs by exec do not.
    Raises EmbeddedServerError, with the end of the log, if a server cannot be started or does not answer in time.
    """
    places = Places.below(var)
    places.run.mkdir(parents=True, exist_ok=True)
    places.run.chmod(0o700)
    if not locks.take_share(places.clients_lock, patience_seconds=STOP_SECONDS):
        raise EmbeddedServerError(f"The embedded servers of {var} are stopping and do not end. {tail(places.log)}")
    _make_folders(places)
    _Start(places, wanted=[name for name, is_wanted in (("postgres", postgres), ("redis", redis)) if is_wanted]).wait()


def leave(var: Path) -> None:
    """Let go of the servers below `var`, and wait for their end if nobody else uses them.

    Servers whose supervisor was killed are stopped too.
    """
    places = Places.below(var)
    locks.release(places.clients_lock)
    now = status(var)
    if now.supervisor_pid is None and (now.postgres or now.redis):
        _wait_for_supervisor(_spawn_supervisor(places), places)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and _is_stopping(places):
        time.sleep(POLL_SECONDS)


def _wait_for_supervisor(supervisor: subprocess.Popen[bytes], places: Places) -> None:
    while supervisor.poll() is None and not locks.is_taken_by_another(places.supervisor_lock):
        time.sleep(POLL_SECONDS)


def _is_stopping(places: Places) -> bool:
    """Return whether a supervisor is at work and no other client keeps it."""
    if not locks.is_taken_by_another(places.supervisor_lock):
        return False
    if locks.is_taken_by_another(places.clients_lock):
        return True
    time.sleep(0.5)  # the supervisor looks at the lock ten times a second
    return locks.is_taken_by_another(places.clients_lock) or not locks.is_taken_by_another(places.supervisor_lock)


class _Start:
    """One client's wait for the servers; it starts a supervisor whenever there is none."""

    def __init__(self, places: Places, wanted: list[str]) -> None:
        self.places = places
        self.wanted = wanted
        self.supervisor: subprocess.Popen[bytes] | None = None

    def wait(self) -> None:
        """Return when all wanted servers answer and a supervisor looks after them."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_done():
            self._ask()
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"The embedded servers did not answer within {START_SECONDS:.0f} s. {tail(self.places.log)}"
                )
            time.sleep(POLL_SECONDS)

    def _is_done(self) -> bool:
        is_supervised = locks.is_taken_by_another(self.places.supervisor_lock)
        return is_supervised and all(_is_ready(self.places, name) for name in self.wanted)

    def _ask(self) -> None:
        for name in self.wanted:
            self.places.wanted(name).touch(mode=0o600)
        if self.supervisor is not None and self.supervisor.poll():
            raise EmbeddedServerError(f"The embedded servers could not be started. {tail(self.places.log)}")
        if self.supervisor is not None and self.supervisor.returncode is None:
            return
        if not locks.is_taken_by_another(self.places.supervisor_lock):
            self._check_programs()
            self.supervisor = _spawn_supervisor(self.places)

    def _check_programs(self) -> None:
        if "postgres" in self.wanted:
            postgres.install_folder()
        if "redis" in self.wanted:
            redis.find_redis_server()


def _is_ready(places: Places, name: str) -> bool:
    return postgres.is_postgres_ready(places) if name == "postgres" else redis.is_redis_ready(places)


def _spawn_supervisor(places: Places) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own, so that a Ctrl-C in this terminal does not reach it."""
    log = open_log(places.log)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "imgsim_site.embedded", str(places.var)],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.close(log)


def _make_folders(places: Places) -> None:
    """Make the folder of the sockets where it is another, and let `nobody` in where root starts the servers."""
    server_account = account.server_account()
    if places.needs_short_folder:
        _make_short_folder(places.short_folder, server_account)
    _admit(server_account, places)


def _admit(server_account: account.Account, places: Places) -> None:
    """Let the account of Postgres reach its programs and its data, and say so if that changed a permission."""
    trees = [tree for tree in (postgres.install_folder(), postgres.shared_library_folder()) if tree.is_dir()]
    made_readable = [path for tree in trees for path in account.let_read(server_account, tree)]
    ways = [path for path in made_readable if not any(path.is_relative_to(tree) for tree in trees)]
    ways += account.let_in(server_account, places.var)
    if made_readable or ways:
        reading = f", and let it read {trees[0]}" if len(made_readable) > len(ways) else ""
        sys.stderr.write(
            f"Postgres runs as {server_account.name}, because root may not run it; gave it search permission (o+x) on"
            f" {', '.join(map(str, ways))}{reading}\n"
        )


def _make_short_folder(folder: Path, server_account: account.Account) -> None:
    """Make the folder for sockets in the shared temporary folder; refuse one that somebody else has put there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), server_account.uid):
        raise EmbeddedServerError(f"{folder} belongs to another user; remove it or set IMGSIM_VAR to a shorter path.")
    server_account.take(folder)
