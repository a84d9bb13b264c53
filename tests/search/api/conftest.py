"""Programs that ask: with a token, or without one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from search import tokens
from search.models import ApiToken


class Program:
    """Asks the API with a token, or as anybody: `program.post("/datasets", name="Birds")`."""

    def __init__(self, secret: str = "") -> None:
        self.client = Client(headers={"Authorization": f"Bearer {secret}"} if secret else {})
        self.client.raise_request_exception = False

    def get(self, path: str, **words: Any) -> Any:
        return self.client.get(f"/api/v1{path}", words)

    def post(self, path: str, **fields: Any) -> Any:
        return self._send("post", path, fields)

    def patch(self, path: str, **fields: Any) -> Any:
        return self._send("patch", path, fields)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/v1{path}")

    def form(self, path: str, fields: dict[str, Any], **headers: str) -> Any:
        return self.client.post(f"/api/v1{path}", fields, headers=headers)

    def _send(self, method: str, path: str, fields: dict[str, Any]) -> Any:
        send = getattr(self.client, method)
        return send(f"/api/v1{path}", json.dumps(fields), content_type="application/json")


@pytest.fixture
def anybody(db: None) -> Program:
    return Program()


@pytest.fixture
def program(db: None) -> Callable[..., Program]:
    """Make a program of a user: `program(user, "read", "write")`; with all scopes where none is named."""

    def make(user: Any, *scopes: str) -> Program:
        return Program(tokens.make(user, "test", scopes or ApiToken.Scope.values, timedelta(days=1)).secret)

    return make


@pytest.fixture
def owner(dataset: Any) -> Any:
    """Who owns the dataset, and may make others."""
    user = get_user_model().objects.create_user("owner")
    user.user_permissions.add(Permission.objects.get(codename="add_dataset"))
    dataset.owner = user
    dataset.save()
    return user


@pytest.fixture
def stranger(db: None) -> Any:
    return get_user_model().objects.create_user("stranger")


@pytest.fixture
def chief(db: None) -> Any:
    return get_user_model().objects.create_user("chief", is_staff=True, is_superuser=True)


@pytest.fixture
def mine(program: Callable[..., Program], owner: Any) -> Program:
    """The owner's program, with all scopes."""
    return program(owner)
