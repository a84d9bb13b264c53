"""Everything that goes wrong is a problem for programs, and no cache keeps an answer."""

from typing import Any

import pytest
from django.test import Client

from search.api import datasets
from tests.search.api.conftest import Program


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("get", "/api/v1/nowhere", {}, 404, "not_found"),
        ("get", "/api/", {}, 404, "not_found"),
        ("get", "/api/v1/datasets/a%00b", {}, 400, "bad_request"),
        ("put", "/api/v1/datasets", {}, 405, "method_not_allowed"),
        ("get", "/api/v1/datasets?limit=0", {}, 422, "invalid"),
        ("get", "/api/v1/datasets?cursor=x", {}, 422, "invalid"),
        ("get", "/api/v1/images/99999999999999999999", {}, 422, "invalid"),
        ("post", "/api/v1/search", {"data": "x", "content_type": "text/plain"}, 415, "unsupported_media_type"),
        ("get", "/api/v1/datasets", {"headers": {"Host": "elsewhere.example"}}, 400, "bad_request"),
    ],
)
def test_what_is_refused_is_told_as_a_problem(
    client: Client, db: None, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    response = getattr(client, method)(path, **options)
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert body.keys() >= {"type", "title", "status", "code", "detail"}
    assert len(body["detail"]) > 15


def test_another_method_is_told_which_would_do(client: Client, db: None) -> None:
    assert set(client.put("/api/v1/datasets")["Allow"].split(", ")) == {"GET", "POST"}


def test_a_field_that_is_wrong_is_named(mine: Program) -> None:
    response = mine.post("/datasets", name="", colour="red", is_public="yes")
    assert response.status_code == 422
    wheres = {one["where"] for one in response.json()["errors"]}
    assert wheres == {"body.name", "body.colour", "body.is_public"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("[]", "application/json", 422),
        ("name=x", "application/x-www-form-urlencoded", 415),
        ('{"name": "a\\u0000b"}', "application/json", 422),
        ('{"name": "\\ud800"}', "application/json", 422),
    ],
)
def test_a_body_that_cannot_be_read_is_told_so(mine: Program, body: str, content_type: str, status: int) -> None:
    response = mine.client.post("/api/v1/datasets", body, content_type=content_type)
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"


def test_a_body_that_is_too_large_is_told_so(mine: Program, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    for path in ("/datasets", "/search"):
        response = mine.post(path, name="x" * 200)
        assert (response.status_code, response.json()["code"]) == (413, "content_too_large"), path


def test_what_nobody_expected_is_told_without_its_inside(anybody: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(datasets, "page_of", fail)
    response = anybody.get("/datasets")
    assert (response.status_code, response.json()["code"]) == (500, "internal_server_error")
    assert "a secret" not in response.content.decode()


def test_no_cache_keeps_an_answer(anybody: Program, client: Client) -> None:
    for response in (anybody.get("/datasets"), anybody.get("/nowhere")):
        assert response["Cache-Control"] == "private, no-store"
    assert client.get("/healthz").get("Cache-Control") != "private, no-store"


def test_a_machine_in_another_language_reads_english(client: Client, db: None) -> None:
    response = client.get("/api/v1/datasets?limit=0", headers={"Accept-Language": "de"})
    assert "greater than" in response.json()["detail"]
