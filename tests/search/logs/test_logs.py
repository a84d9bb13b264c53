"""Lines of the log: whole whatever stands in them, and each with the ids of its request and task."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from search.logs import context, tasks
from search.logs.formatting import JsonFormatter, TextFormatter
from search.work import queue

HOSTILE = 'a\nFAKE 2026 ERROR: no\r\x1b[31m\u2028\x85\x00"\\'


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, each record as the JSON of its moment."""
    written: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Kept()
    handler.setFormatter(JsonFormatter())
    loggers = [logging.getLogger(name) for name in ("search", "django.request")]
    for one in loggers:
        one.addHandler(handler)
    yield written
    for one in loggers:
        one.removeHandler(handler)


def record(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("search.test", logging.WARNING, __file__, 1, message, arguments, more.get("exc_info"))
    made.__dict__.update(more.get("extra", {}))
    return made


def raised(message: str) -> Any:
    try:
        raise ValueError(message)
    except ValueError:
        return sys.exc_info()


def test_a_line_of_json_has_what_collectors_want() -> None:
    told = json.loads(JsonFormatter().format(record("%d images", 3, extra={"fields": {"ms": 1.5}})))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {"level": "WARNING", "logger": "search.test", "message": "3 images", "ms": 1.5}


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_nothing_breaks_a_line(formatter: logging.Formatter) -> None:
    written = formatter.format(record("header %s", HOSTILE))
    assert len(written.splitlines()) == 1
    assert written.isprintable()


def test_json_gives_back_what_was_said() -> None:
    assert json.loads(JsonFormatter().format(record("header %s", HOSTILE)))["message"] == f"header {HOSTILE}"


def test_tracebacks_are_whole_and_look_like_no_line_of_their_own() -> None:
    told = json.loads(JsonFormatter().format(record("broken", exc_info=raised(HOSTILE))))
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith(HOSTILE)
    first, *rest = TextFormatter().format(record("broken", exc_info=raised(HOSTILE))).split("\n")
    assert first.endswith("search.test: broken")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_request_has_an_id_in_its_answer_and_in_all_its_lines(client: Client, db: None, lines: list[str]) -> None:
    response = client.get("/images/404404/")
    given = response.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", given)
    (told,) = [json.loads(line) for line in lines]
    assert (told["logger"], told["request_id"]) == ("django.request", given)
    assert client.get("/healthz").headers["X-Request-ID"] != given


def test_an_id_that_a_proxy_gave_is_kept(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "edge-7.a_B"}).headers["X-Request-ID"] == "edge-7.a_B"


@pytest.mark.parametrize("sent", ["", "a b", "a\nb", "x" * 65, "päckchen", "<script>", "a;b", "\x1b[2J"])
def test_what_is_no_token_is_not_taken_over(client: Client, sent: str) -> None:
    given = client.get("/healthz", HTTP_X_REQUEST_ID=sent).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", given)


def test_in_json_each_request_is_a_line(client: Client, db: None, lines: list[str], settings: Any) -> None:
    settings.LOG_FORMAT = "json"
    response = client.get("/datasets/", {"name": "secret question"}, REMOTE_ADDR="203.0.113.9")
    told = json.loads(lines[-1])
    assert told["ms"] > 0
    assert told["request_id"] == response.headers["X-Request-ID"]
    expected = {"logger": "search.access", "method": "GET", "path": "/datasets/", "status": 200}
    assert {name: told[name] for name in expected} == expected
    assert "secret" not in lines[-1]
    assert "203.0.113.9" not in lines[-1]


def test_the_key_of_a_visitors_picture_is_not_written(
    client: Client, db: None, lines: list[str], settings: Any
) -> None:
    settings.LOG_FORMAT = "json"
    settings.DEBUG = False
    client.get("/query/Zm9vYmFyYmF6.jpg")
    access = next(line for line in lines if "search.access" in line)
    assert json.loads(access)["path"] == "/query/-.jpg"


def test_in_text_requests_are_no_lines(client: Client, lines: list[str]) -> None:
    client.get("/healthz")
    assert lines == []


def test_the_id_of_a_request_goes_on_to_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr("kombu.Producer.publish", lambda self, body, headers, **k: sent.append(headers))
    token = context.request_id.set("edge-7")
    queue.send_evaluate(1)
    context.request_id.reset(token)
    queue.send_evaluate(2)
    assert [headers.get("request_id") for headers in sent] == ["edge-7", None]


def test_the_lines_of_a_task_carry_both_ids_and_the_next_ones_neither() -> None:
    task = SimpleNamespace(name="search.tasks.embed", request=SimpleNamespace(request_id="edge-7"))
    tasks.take(task_id="t-1", task=task)
    told = json.loads(JsonFormatter().format(record("embedded")))
    assert (told["request_id"], told["task_id"], told["task"]) == ("edge-7", "t-1", "search.tasks.embed")
    assert "[request_id edge-7] [task_id t-1]: embedded" in TextFormatter().format(record("embedded"))
    tasks.forget()
    assert "task_id" not in json.loads(JsonFormatter().format(record("idle")))


def test_a_forged_id_in_a_message_is_not_written() -> None:
    tasks.take(task_id="t-1", task=SimpleNamespace(name="n", request=SimpleNamespace(request_id=HOSTILE)))
    assert re.fullmatch("[0-9a-f]{16}", context.request_id.get())
    tasks.forget()
