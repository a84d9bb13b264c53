"""The id of a request goes on to the tasks that it sends; the lines of a task carry it, and the task's own."""

from __future__ import annotations

from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

from search.logs.context import request_id, sane_id, task_id, task_name

HEADER = "request_id"


@before_task_publish.connect
def hand_on(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Send the id along. Tasks of commands and of beat have none."""
    if headers is not None and request_id.get():
        headers[HEADER] = request_id.get()


@task_prerun.connect
def take(task_id: str = "", task: Any = None, **_: Any) -> None:
    """Write the lines that follow under the ids of a task."""
    sent = getattr(task.request, HEADER, None) if task is not None else None
    _set(request=sane_id(sent) if sent else "", id_=task_id or "", name=getattr(task, "name", ""))


@task_postrun.connect
def forget(**_: Any) -> None:
    """Write the lines that follow under no ids."""
    _set(request="", id_="", name="")


def _set(*, request: str, id_: str, name: str) -> None:
    request_id.set(request)
    task_id.set(id_)
    task_name.set(name)
