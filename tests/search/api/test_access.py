"""Who gets in: by a token and its scopes, by the session of the site, as anybody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from search import tokens
from search.models import ApiToken, Dataset, Image
from tests.conftest import png
from tests.search.api.conftest import Program

AddImage = Callable[..., Image]
MakeProgram = Callable[..., Program]


@pytest.fixture
def private(owner: Any) -> Dataset:
    return Dataset.objects.create(name="Private", is_public=False, owner=owner)


def test_a_token_sees_what_its_owner_sees(
    program: MakeProgram, anybody: Program, owner: Any, stranger: Any, private: Dataset
) -> None:
    assert program(owner).get("/datasets/private").status_code == 200
    for other in (program(stranger), anybody):
        response = other.get("/datasets/private")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_search_by_a_token_searches_what_its_owner_sees(
    mine: Program, anybody: Program, add_image: AddImage, private: Dataset
) -> None:
    image = add_image("red", dataset=private)
    for asking, found in ((mine, [image.pk]), (anybody, [])):
        response = asking.form("/search", {"image": SimpleUploadedFile("red.png", png("red"))})
        assert [hit["id"] for hit in response.json()["hits"]] == found


def test_a_wrong_or_expired_token_is_refused_also_where_anybody_may_ask(owner: Any) -> None:
    expired = tokens.make(owner, "old", ["read"], timedelta(seconds=-1)).secret
    for secret in ("imgsim_wrong", expired, "\u00e4"):
        response = Program(secret).get("/datasets")
        assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
        assert response["WWW-Authenticate"] == 'Bearer realm="ImgSim", error="invalid_token"'


def test_the_token_of_an_owner_who_left_is_dead(program: MakeProgram, owner: Any) -> None:
    asking = program(owner)
    owner.is_active = False
    owner.save()
    assert asking.get("/datasets").status_code == 401


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["read"], "get", "/datasets", 200),
        (["write"], "get", "/datasets", 403),
        (["read", "jobs"], "post", "/datasets", 403),
        (["write"], "post", "/datasets", 201),
        (["read", "write"], "post", "/jobs/1/stop", 403),
        (["jobs"], "post", "/jobs/1/stop", 404),
    ],
)
def test_a_token_does_what_its_scopes_say(
    program: MakeProgram, owner: Any, scopes: list[str], method: str, path: str, status: int
) -> None:
    fields = {"name": "New"} if method == "post" else {}
    response = getattr(program(owner, *scopes), method)(path, **fields)
    assert response.status_code == status, response.content
    if status == 403:
        assert response.json()["code"] == "missing_scope"


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", "/datasets"), ("delete", "/images/1"), ("get", "/jobs"), ("post", "/evaluations")],
)
def test_what_is_not_for_anybody_asks_for_a_token(anybody: Program, method: str, path: str) -> None:
    response = getattr(anybody, method)(path)
    assert (response.status_code, response.json()["code"]) == (401, "not_signed_in")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_session_of_the_site_may_ask_too_and_change_with_its_csrf_token(owner: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.get("/api/v1/jobs").status_code == 200
    fields = {"path": "/api/v1/datasets", "data": {"name": "New"}, "content_type": "application/json"}
    refused = client.post(**fields)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    client.get("/login/")
    client.get("/account/tokens/")
    known = client.cookies["csrftoken"].value
    assert client.post(**fields, headers={"X-CSRFToken": known}).status_code == 201


def test_a_token_needs_no_csrf_token(owner: Any) -> None:
    secret = tokens.make(owner, "test", [ApiToken.Scope.WRITE], timedelta(days=1)).secret
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {secret}"})
    assert client.post("/api/v1/datasets", {"name": "New"}, content_type="application/json").status_code == 201


def test_an_anonymous_search_reads_nothing_of_tokens(
    anybody: Program, add_image: AddImage, django_assert_num_queries: Any
) -> None:
    add_image("red")
    # The encoder, the datasets, their sizes, the hits, what distances are worth.
    with django_assert_num_queries(5):
        assert anybody.form("/search", {"image": SimpleUploadedFile("red.png", png("red"))}).status_code == 200
