"""The demo's steps in their order: claim, prepare, start, announce, wait, stop."""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections
from rich.console import Console
from rich.panel import Panel

from embeddings.cores import available_cores
from imgsim_site import embedded
from imgsim_site.demo import address
from imgsim_site.demo.claim import Record, claim, end_children
from imgsim_site.demo.errors import DemoError
from imgsim_site.demo.processes import Processes
from imgsim_site.demo.steps import console, done, end_command, run_command, start_command, step
from search.work.queue import TRAINING

# What is said, and the command that does it. Each can be repeated, and is quick when there is nothing left to do.
PREPARATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Preparing the database", ("migrate", "--verbosity", "0")),
    ("Installing the encoder mobilenet_v2", ("install_encoder", "mobilenet_v2")),
    ("Installing the encoder efficientnet_lite0", ("install_encoder", "efficientnet_lite0")),
    ("Loading the sample gallery", ("load_sample",)),
)
READY_SECONDS = 180
SOME_REFUSED = 3  # the exit status of import_images
QUICK_START = ["--without-gossip", "--without-mingle"]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One run of the demo."""

    host: str
    port: int
    photos: Path | None = None
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return address.url_of(self.host, self.port)

    def run(self) -> None:
        """Start everything and return when it has been stopped.

        Raises DemoError if it cannot start or a process ends by itself, KeyboardInterrupt if it is stopped early.
        """
        _stop_on_signals()
        with claim(settings.VAR / "run", self.url) as record_path:
            self._check_port()
            try:
                self._prepare()
                self._serve(record_path)
            finally:
                _stop_servers()

    def _check_port(self) -> None:
        if not address.is_free(self.host, self.port):
            other = address.next_free(self.host, self.port)
            raise DemoError(f"Port {self.port} is taken; try make demo PORT={other}")

    def _prepare(self) -> None:
        with step("Starting Postgres and Redis"):
            try:
                embedded.ensure_running_for(settings)
            except embedded.EmbeddedServerError as error:
                raise DemoError(str(error)) from error
        # WhiteNoise warns where it is missing, and nothing is collected for a demo.
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        for title, command in PREPARATIONS:
            with step(title):
                run_command(*command)

    def _serve(self, record_path: Path) -> None:
        processes = Processes()
        processes.add("web", self._web_command(), self._environment())
        # A cold shutdown puts running tasks back into the queue; a warm one would wait for them.
        processes.add("worker", _worker_command(), self._environment(REMAP_SIGTERM="SIGQUIT"))
        # Of its own: a beat inside the worker that was killed would be missed by nobody, and nothing be swept.
        processes.add("beat", _beat_command(), self._environment())
        processes.add("trainer", _trainer_command(), self._environment(REMAP_SIGTERM="SIGQUIT"))
        announcer = threading.Thread(target=self._announce, args=(processes, record_path), daemon=True)
        announcer.start()
        try:
            processes.loop()
        finally:
            end_children(processes.children())
            for helper in self.helpers:
                end_command(helper)
        if not processes.was_asked_to_stop:
            raise DemoError(
                f"A process ended by itself (status {processes.returncode}); the lines above say why."
                " Everything else was stopped."
            )

    def _web_command(self) -> list[str]:
        return [sys.executable, "-m", "imgsim_site.web", "--host", self.host, "--port", str(self.port)]

    def _environment(self, **more: str) -> dict[str, str]:
        hosts = [*settings.ALLOWED_HOSTS, *(address.own_names() if address.is_open_to_network(self.host) else [])]
        return {**os.environ, "ALLOWED_HOSTS": ",".join(hosts), "PYTHONUNBUFFERED": "1", **more}

    def _announce(self, processes: Processes, record_path: Path) -> None:
        """Say where the site is as soon as it is ready, then import the visitor's own pictures."""
        started = time.monotonic()
        while not address.is_ready(self.url):
            if processes.returncode is not None:
                return
            if time.monotonic() - started > READY_SECONDS:
                console.print(
                    f"Not ready after {READY_SECONDS} s; {self.url}/readyz says what is missing.", style="red"
                )
                return
            time.sleep(0.2)
        Record(pid=os.getpid(), url=self.url, children=processes.children()).write(record_path)
        console.print(done("Starting the web server and the workers", started))
        Console(highlight=False).print(self._panel(_first_admin_password()))
        if self.photos is not None:
            self._import_photos()

    def _panel(self, password: str | None) -> Panel:
        login = f"admin, password {password} (shown only now)" if password else "admin, the password of the first start"
        lines = [
            f"[bold]Search[/bold]      {self.url}",
            f"[bold]Admin[/bold]       {self.url}/admin/",
            f"            {login}",
            "[bold]Password[/bold]    .venv/bin/python manage.py changepassword admin",
            "[bold]Own photos[/bold]  make demo PHOTOS=~/Pictures, or while this runs:",
            "            .venv/bin/python manage.py import_images ~/Pictures \\",
            "                --dataset photos --wait",
            "[bold]Stop[/bold]        Ctrl-C",
        ]
        if address.is_open_to_network(self.host):
            lines.append("[bold red]Everybody on your network can reach this site.[/bold red]")
        return Panel.fit("\n".join(lines), title="ImgSim is ready", border_style="green")

    def _import_photos(self) -> None:
        started = time.monotonic()
        self.helpers.append(start_command("import_images", str(self.photos), "--dataset", "photos", "--wait"))
        status = self.helpers[-1].wait()
        if status == 0:
            console.print(done(f"Importing {self.photos}", started))
        elif status == SOME_REFUSED:
            console.print(
                f"{self.photos} is imported, apart from what was refused for the reasons above.", style="yellow"
            )
        elif status > 0:
            console.print(f"Importing {self.photos} ended with status {status}; the rest goes on.", style="yellow")


def _worker_command() -> list[str]:
    return [*_celery(), "worker", "-l", "WARNING", "--concurrency", str(available_cores()), *QUICK_START]


def _beat_command() -> list[str]:
    # Without a pid file: one that is left behind would keep the next beat from starting.
    return [*_celery(), "beat", "-s", str(settings.VAR / "run" / "celerybeat-schedule"), "-l", "WARNING", "--pidfile="]


def _trainer_command() -> list[str]:
    """Return the command of the worker that trains: one training at a time, and nothing waits behind it."""
    options = ["-Q", TRAINING, "-n", "trainer@%h", "-l", "WARNING", "--concurrency", "1"]
    return [*_celery(), "worker", *options, *QUICK_START]


def _celery() -> list[str]:
    # The demo's tasks come from the demo, so root may run them.
    python = [sys.executable, "-W", "ignore:You're running the worker with superuser privileges"]
    return [*python, "-m", "celery", "-q", "-A", "imgsim_site"]


def _first_admin_password() -> str | None:
    """Make the first admin user and return its password, or None if there is one already."""
    users = get_user_model().objects
    try:
        if users.filter(is_superuser=True).exists():
            return None
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        return password
    finally:
        connections.close_all()


def _stop_on_signals() -> None:
    """Let SIGTERM do what Ctrl-C does, and the closing of the terminal what SIGTERM does."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, pass_on)


def _stop_servers() -> None:
    """Stop the embedded servers unless another program uses them; a second Ctrl-C does not interrupt it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    embedded.leave(settings.VAR)
    console.print("Stopped.")
