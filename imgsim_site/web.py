"""The web server: `python -m imgsim_site.web --host 0.0.0.0 --port 8000 --workers 2`.

Granian waits in its own threads for headers, and hands over requests whose headers are there. Bodies are waited for in
threads of Python's, of which there are many, before the gate lets a few requests at a time go on.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import environ

from imgsim_site.gate import N_AT_ONCE, N_WAITING

if TYPE_CHECKING:
    from imgsim_site.gate import Gate

ENV_FILE = Path(__file__).resolve().parent.parent / ".env"
SECONDS_TO_END = 2
_SECONDS_BETWEEN_LOOKS = 0.5


def serve(host: str, port: int, *, n_workers: int = 1) -> None:
    """Serve the site from processes of their own, each started anew where it ends, until this one is told to stop."""
    # Here: the processes that serve import this module too, and have no use for it.
    from granian.constants import HTTPModes, Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        "imgsim_site.web:in_process",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=n_workers,
        blocking_threads=N_WAITING,
        backpressure=4 * N_WAITING,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,  # it warns of so many threads
        respawn_failed_workers=True,
        workers_kill_timeout=SECONDS_TO_END,
    ).serve()


def in_process() -> Gate:
    """Return the application to a process that serves, which ends when the one that began it was killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGKILL)  # nobody is there any more to whom it would matter how

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
    from imgsim_site.wsgi import application  # only here is Django set up

    return application


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m imgsim_site.web", description="Serve the site.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    told = parser.parse_args()
    environ.Env.read_env(ENV_FILE)  # as the settings do, which only the processes that serve have
    if os.environ.get("DB_POOL", "0") in {"", "0"}:  # each of so many threads would keep a connection
        os.environ["DB_POOL"] = str(N_AT_ONCE)
    try:
        serve(told.host, told.port, n_workers=told.workers)
    except OSError as error:  # the port is taken, or the address is none of this machine's
        sys.exit(f"{told.host}:{told.port} cannot be listened at: {error}")


if __name__ == "__main__":
    main()
