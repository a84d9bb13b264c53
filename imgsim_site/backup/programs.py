"""Postgres's programs for dumps: those of the embedded server, else those on the PATH whose version fits."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imgsim_site.backup.manifest import BackupError
from imgsim_site.embedded import EmbeddedServerError
from imgsim_site.embedded.postgres import clean_environment, install_folder


def run(name: str, *arguments: str | Path) -> str:
    """Run pg_dump or pg_restore on the site's database; return its output. Raises BackupError with what it said."""
    parts = conninfo_to_dict(settings.DATABASE_URL) | {"dbname": connection.settings_dict["NAME"]}
    # On the command line everybody on this machine would see it.
    password = {"PGPASSWORD": str(secret)} if (secret := parts.pop("password", None)) else {}
    command = [str(find(name)), f"--dbname={make_conninfo('', **parts)}", "--no-password", *map(str, arguments)]
    return _finished(name, command, password)


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
