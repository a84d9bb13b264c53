"""Keep the embedded servers running while anybody uses them. One process per `var`, started by the first client.

Every client holds a shared lock on one file for as long as it lives; when the supervisor gets that lock for itself, the
last client has gone, however it ended. It stops the servers while it holds the lock, so that a client which comes
meanwhile waits, and then starts a supervisor of its own.
"""

import contextlib
import logging
import os
import signal
import time
from collections import deque
from pathlib import Path
from types import FrameType

from imgsim_site.embedded import locks
from imgsim_site.embedded.errors import EmbeddedServerError
from imgsim_site.embedded.places import Places
from imgsim_site.embedded.postgres import PostgresServer
from imgsim_site.embedded.redis import RedisServer
from imgsim_site.embedded.server import Server, tail

SERVERS: tuple[type[Server], ...] = (PostgresServer, RedisServer)
TICK_SECONDS = 0.1
MOST_RESTARTS = 5
RESTART_WINDOW_SECONDS = 60

logger = logging.getLogger(__name__)


class Supervisor:
    """The servers of one `var`, from the first client to the last."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.servers: dict[str, Server] = {}
        self.starts: dict[str, deque[float]] = {}
        self.was_told_to_stop = False

    def run(self) -> None:
        """Start what is wanted and keep it running until the last client has gone.

        Raises EmbeddedServerError if a server cannot be started or ends again and again.
        """
        self._adopt()
        try:
            while not self._is_unused():
                for server in SERVERS:
                    if server.name in self.servers or self.places.wanted(server.name).exists():
                        self._keep(server)
                time.sleep(TICK_SECONDS)
        finally:
            self._stop()

    def stop_soon(self, number: int, frame: FrameType | None) -> None:
        """Leave `run` at the next step; a signal handler."""
        self.was_told_to_stop = True

    def _adopt(self) -> None:
        """Take over the servers that a killed supervisor left running."""
        for kind in SERVERS:
            server = kind(self.places)
            if server.process is not None:
                logger.info("%s runs already (pid %d)", server.name, server.process.pid)
                self.servers[server.name] = server

    def _keep(self, kind: type[Server]) -> None:
        if kind.name not in self.servers:
            self.servers[kind.name] = kind(self.places)
        server = self.servers[kind.name]
        if server.is_alive():
            return
        self._count_start(server.name)
        started = time.monotonic()
        server.start(is_unwanted=self._is_unused)
        if server.is_alive() and server.process is not None:
            logger.info("%s started in %.1f s (pid %d)", server.name, time.monotonic() - started, server.process.pid)

    def _count_start(self, name: str) -> None:
        starts = self.starts.setdefault(name, deque(maxlen=MOST_RESTARTS))
        if len(starts) == MOST_RESTARTS and time.monotonic() - starts[0] < RESTART_WINDOW_SECONDS:
            raise EmbeddedServerError(
                f"{name} ended {MOST_RESTARTS} times within {RESTART_WINDOW_SECONDS} s."
                f" {tail(self.places.server_log(name))}"
            )
        if starts:
            logger.warning("%s has ended; starting it again", name)
        starts.append(time.monotonic())

    def _is_unused(self) -> bool:
        return self.was_told_to_stop or locks.take_all(self.places.clients_lock)

    def _stop(self) -> None:
        for server in reversed(self.servers.values()):
            started = time.monotonic()
            server.stop()
            logger.info("%s stopped in %.1f s", server.name, time.monotonic() - started)
        for kind in SERVERS:
            self.places.wanted(kind.name).unlink(missing_ok=True)
        if self.places.needs_short_folder and locks.is_held(self.places.clients_lock):
            with contextlib.suppress(OSError):
                self.places.short_folder.rmdir()


def main(arguments: list[str]) -> int:
    """Supervise the servers below the folder named by the only argument; return the exit status."""
    places = Places.below(Path(arguments[0]))
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    if not locks.take_all(places.supervisor_lock, patience_seconds=1.0):
        return 0  # another one is at work
    places.supervisor_lock.write_text(str(os.getpid()))
    supervisor = Supervisor(places)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, supervisor.stop_soon)
    try:
        supervisor.run()
    except EmbeddedServerError as error:
        logger.error("error: %s", error)
        return 1
    return 0
