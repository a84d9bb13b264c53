"""What workers answer when they are asked beside their tasks: which code they run."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_init
from celery.worker.control import inspect_command

from search.version import version


@worker_init.connect
def remember_version(**_: object) -> None:
    """Read the code's digest while the files are those that the worker runs."""
    version()


@inspect_command(name="imgsim_version")
def imgsim_version(state: Any) -> dict[str, str]:
    """Tell which code this worker runs."""
    return {"version": version()}
