"""Say where the embedded servers keep their files. Pure functions of the path of `var`; nothing is made here."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

# A Unix socket's path must fit `sun_path`: 108 bytes on Linux, 104 on macOS and the BSDs, its end included.
LONGEST_SOCKET_PATH = 100
POSTGRES_PORT = 5432
POSTGRES_USER = "imgsim"
POSTGRES_DATABASE = "imgsim"


@dataclass(frozen=True)
class Places:
    """The files of one pair of embedded servers, all below `var` unless its path is too long for a socket."""

    var: Path

    @classmethod
    def below(cls, var: Path) -> "Places":
        """Return the places of `var` with its links resolved, so that every process computes the same."""
        return cls(Path(os.path.realpath(var)))

    @property
    def run(self) -> Path:
        return self.var / "run"

    @property
    def log(self) -> Path:
        return self.run / "embedded.log"

    @property
    def clients_lock(self) -> Path:
        return self.run / "clients.lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.run / "supervisor.lock"

    def wanted(self, server: str) -> Path:
        """Return the file whose existence asks the supervisor for `server`."""
        return self.run / f"{server}.wanted"

    def server_log(self, server: str) -> Path:
        return self.run / f"{server}.log"

    @property
    def postgres_data(self) -> Path:
        return self.var / "postgres"

    @property
    def redis_pid(self) -> Path:
        return self.run / "redis.pid"

    @property
    def postgres_socket_folder(self) -> Path:
        """The data folder itself, which is closed to everybody else, or the short one."""
        socket = self.postgres_data / f".s.PGSQL.{POSTGRES_PORT}"
        return self.postgres_data if _fits(socket) else self.short_folder

    @property
    def redis_socket(self) -> Path:
        socket = self.run / "redis.sock"
        return socket if _fits(socket) else self.short_folder / "redis.sock"

    @property
    def short_folder(self) -> Path:
        """A folder for sockets where the path of `var` is too long. Not `$TMPDIR`: it differs between processes."""
        digest = hashlib.sha256(os.fsencode(self.var)).hexdigest()[:16]
        # `client` refuses a folder that somebody else has put there.
        return Path("/tmp") / f"imgsim-{os.geteuid()}-{digest}"  # noqa: S108

    @property
    def needs_short_folder(self) -> bool:
        return self.short_folder in (self.postgres_socket_folder, self.redis_socket.parent)


def _fits(socket: Path) -> bool:
    return len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
