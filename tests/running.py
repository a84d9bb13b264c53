"""A whole site on a place of its own, run as a user runs it: commands, workers and the web server as processes."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from imgsim_site import embedded

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 240
# Programs of a site.
WEB, WORKER = "imgsim_site.web", "celery"


class Site:
    """One site below `var`, without the environment of who runs it."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.var = var
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self.environment = {
            **kept,
            "IMGSIM_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "imgsim_site.settings",
            # All that is asked comes from one address.
            **dict.fromkeys(("SEARCHES_A_MINUTE", "UPLOADS_A_MINUTE", "LINKS_A_MINUTE", "LOGINS_A_MINUTE"), "0"),
            **environment,
        }

    def run(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a manage.py command to its end; whatever its exit status is, it is returned."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def manage(self, *arguments: str, timeout: float = 600) -> str:
        """Run a manage.py command that has to go well; return its stdout."""
        done = self.run(*arguments, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def manage_json(self, *arguments: str, timeout: float = 600) -> Any:
        """Run a command with --json; return what it says, also where its status says that some were refused."""
        done = self.run(*arguments, "--json", timeout=timeout)
        if done.returncode not in {0, 3}:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement in the database of the site, whose servers run; return its rows, where it gives any."""
        with psycopg.connect(embedded.database_url(self.var), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def make_token(self) -> str:
        """Make a token of the superuser that may write; return its secret."""
        return self._as_chief(
            "from datetime import timedelta; from search import tokens; "
            "print(tokens.make(chief, 'program', ['read', 'write'], timedelta(days=1)).secret)"
        )

    def sign_in(self) -> str:
        """Sign the superuser in; return what the cookie of the session says."""
        return self._as_chief(
            "from django.test import Client; client = Client(); client.force_login(chief); "
            "print(client.cookies['sessionid'].value)"
        )

    def _as_chief(self, code: str) -> str:
        """Run code with the superuser `chief`, who is made when first needed; return the last word that it prints."""
        make = (
            "from django.contrib.auth.models import User; "
            "chief = User.objects.filter(username='chief').first() or User.objects.create_superuser('chief'); "
        )
        return self.manage("shell", "-v0", "-c", make + code).split()[-1]

    def processes(self, program: str) -> set[psutil.Process]:
        """Return the processes of a program of this site, WEB or WORKER, with their children."""
        named = [one for one in psutil.process_iter(["cmdline"]) if program in (one.info["cmdline"] or [])]
        own = [one for one in named if one.environ().get("IMGSIM_VAR") == str(self.var)]
        return {child for one in own for child in [one, *one.children(recursive=True)]}

    @contextlib.contextmanager
    def process(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a Python program beside, with more in its environment; end it, and its children, at the end."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / f"{command[1]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=self.environment | environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @contextlib.contextmanager
    def servers(self) -> Iterator[None]:
        """Keep the embedded servers running, so that commands need not start them one by one."""
        wait = "import sys; from django.conf import settings; from imgsim_site import embedded; "
        wait += "embedded.ensure_running_for(settings); print('ready', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", wait],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder:
            assert holder.stdout
            holder.stdout.readline()
            yield
            holder.terminate()

    @contextlib.contextmanager
    def worker(self, *, concurrency: int | None = None, beat: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """Run a Celery worker; by default one child for each core."""
        n_children = concurrency or len(os.sched_getaffinity(0))
        options = ["-l", "WARNING", "--concurrency", str(n_children)]
        if beat:
            options += ["-B", "--schedule", str(self.var / "beat")]
        with self.process("-m", WORKER, "-A", "imgsim_site", "worker", *options) as process:
            yield process

    @contextlib.contextmanager
    def web(self) -> Iterator[str]:
        """Run the web server; give its address when it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with self.process("-m", WEB, "--port", str(port)):
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(f"{url}/healthz"), "the web server")
            yield url


def api_client() -> Any:
    """Return the module that docs/ gives to readers."""
    spec = importlib.util.spec_from_file_location("client", ROOT / "docs" / "client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(url: str) -> bool:
    """Return whether an address answers with success."""
    try:
        return status_of(url, timeout=5) == 200
    except (urllib.error.URLError, OSError):
        return False


def status_of(url: str, *, timeout: float = 60) -> int:
    """Return the status with which an address answers. Raises URLError and OSError where nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def wait_for(condition: Any, what: str, seconds: float = PATIENCE_S) -> float:
    """Wait until a condition holds; return the seconds that took. Raises TimeoutError naming what did not come."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"Waited {seconds:.0f} s for {what}.")
        time.sleep(0.1)
    return time.monotonic() - started
