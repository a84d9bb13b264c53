"""Postgres's programs for dumps: those of the embedded server, else those on the PATH whose version fits."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imgsim_site.backup.manifest import BackupError
from imgsim_site.embedded import EmbeddedServerError
from imgsim_site.embedded.postgres import clean_environment, install_folder


def run(name: str, *arguments: str | Path) -> str:
    """Run a program on the site's database; return its output. Raises BackupError with what it said."""
    address, secrets = _address()
    return _finished(name, [str(find(name)), address, "--no-password", *map(str, arguments)], secrets)


def load(dump: Path, contents: Path, *, before: str, after: str) -> None:
    """Run SQL, then what a dump has of the objects that `contents` lists, then more SQL: all of it or nothing.

    One transaction, which ends with the last word that is sent: whatever is killed meanwhile, nothing has changed.
    Raises BackupError.
    """
    address, secrets = _address()
    psql = [str(find("psql")), address, "--no-password", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
    restore = [
        str(find("pg_restore")),
        "--file=-",
        "--no-owner",
        "--no-privileges",
        f"--use-list={contents}",
        str(dump),
    ]
    environment = clean_environment(settings.VAR) | secrets
    with tempfile.TemporaryFile("w+") as said:
        loading = subprocess.Popen(
            psql, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, text=True
        )
        with loading:
            assert loading.stdin is not None  # noqa: S101 -- for mypy: a pipe was asked for
            is_read = False
            with contextlib.suppress(BrokenPipeError):  # psql ended at an error, and has said which
                loading.stdin.write(f"BEGIN;\n{before}\n")
                loading.stdin.flush()
                reading = subprocess.run(restore, env=environment, stdout=loading.stdin, stderr=said, check=False)
                is_read = reading.returncode == 0
                if is_read:
                    loading.stdin.write(f"{after}\nCOMMIT;\n")
                loading.stdin.close()
        if loading.returncode or not is_read:
            said.seek(0)
            raise BackupError(f"The rows cannot be restored, and are what they were: {said.read().strip()[-2000:]}")


def _address() -> tuple[str, dict[str, str]]:
    """Return the database as an argument, and its password, which others would see there, for the environment."""
    parts = conninfo_to_dict(settings.DATABASE_URL) | {"dbname": connection.settings_dict["NAME"]}
    secret = parts.pop("password", None)
    return f"--dbname={make_conninfo('', **parts)}", {"PGPASSWORD": str(secret)} if secret else {}


def listed(dump: Path) -> str:
    """Return the table of contents of a dump, a line for each object. Raises BackupError."""
    return _finished("pg_restore", [str(find("pg_restore")), "--list", str(dump)], {})


def find(name: str) -> Path:
    """Return a program that is no older than the server. Raises BackupError naming what to install."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        (needed,) = cursor.fetchone()
    for path in _candidates(name):
        if _major(path) >= needed:
            return path
    package = f"postgresql-client-{needed}"
    raise BackupError(f"No {name} of version {needed} or newer was found. Install one (Debian: apt install {package}).")


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path and not settings.EMBEDDED_POSTGRES:
        yield Path(on_path)
    try:
        yield install_folder() / "bin" / name
    except EmbeddedServerError:
        return


def _major(path: Path) -> int:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r"\) (\d+)", told)
    return int(found[1]) if found else 0


def _finished(name: str, command: list[str], secrets: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        env=clean_environment(settings.VAR) | secrets,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{name} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
