"""Tokens of the API: made on a page with a secret that is shown once, found by it, dead when they should be."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from search import tokens
from search.models import ApiToken

PAGE = "/account/tokens/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Any:
    return get_user_model().objects.create_user("owner")


def make(owner: Any, **changes: Any) -> tokens.Made:
    return tokens.make(owner, **{"name": "script", "scopes": ["read"], "lifetime": timedelta(days=90), **changes})


def test_a_secret_finds_its_token_and_is_not_kept(owner: Any) -> None:
    made = make(owner)
    assert re.fullmatch(r"imgsim_[\w-]{43}", made.secret)
    assert tokens.find(made.secret) == made.token
    assert made.secret not in str(ApiToken.objects.values().get())
    assert made.secret not in repr(made)


@pytest.mark.parametrize("secret", ["", "imgsim_", "imgsim_" + "a" * 43, "\ud800", "a\0b"])
def test_another_secret_finds_none(owner: Any, secret: str) -> None:
    make(owner)
    assert tokens.find(secret) is None


def test_an_expired_token_is_dead(owner: Any) -> None:
    assert tokens.find(make(owner, lifetime=timedelta(seconds=-1)).secret) is None


def test_the_token_of_an_inactive_owner_is_dead(owner: Any) -> None:
    made = make(owner)
    owner.is_active = False
    owner.save()
    assert tokens.find(made.secret) is None


def test_its_use_is_written_once_a_minute(owner: Any, django_assert_num_queries: Any) -> None:
    secret = make(owner).secret
    with django_assert_num_queries(2):
        tokens.find(secret)
    first = ApiToken.objects.get().last_used_at
    with django_assert_num_queries(1):
        tokens.find(secret)
    assert ApiToken.objects.filter(last_used_at=first).exists()
    assert first is not None
    before = timezone.now() - timedelta(minutes=2)
    ApiToken.objects.update(last_used_at=before)
    tokens.find(secret)
    assert ApiToken.objects.filter(last_used_at__gt=before).exists()


def test_the_page_asks_strangers_to_sign_in(client: Client) -> None:
    assert client.get(PAGE)["Location"] == f"/login/?next={PAGE}"


def test_the_page_makes_a_token_and_shows_its_secret_once(client: Client, owner: Any) -> None:
    client.force_login(owner)
    response = client.post(PAGE, {"name": "nightly", "scopes": ["read", "jobs"], "days": "30"})
    secret = re.search(r'id="secret">(imgsim_[\w-]+)<', response.content.decode())
    assert secret is not None
    found = tokens.find(secret[1])
    assert found is not None
    assert (found.owner, found.name, found.scopes) == (owner, "nightly", ["jobs", "read"])
    assert timedelta(days=29) < found.expires_at - timezone.now() < timedelta(days=31)
    assert "no-store" in response["Cache-Control"]
    page = client.get(PAGE).content.decode()
    assert "nightly" in page
    assert secret[1] not in page


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "", "scopes": ["read"], "days": "30"}, "Give it a name"),
        ({"name": "x", "days": "30"}, "Choose at least one thing"),
        ({"name": "x", "scopes": ["all"], "days": "30"}, "Select a valid choice"),
        ({"name": "x", "scopes": ["read"], "days": "9999"}, "Select a valid choice"),
    ],
)
def test_the_page_says_what_is_missing(client: Client, owner: Any, fields: dict[str, Any], told: str) -> None:
    client.force_login(owner)
    response = client.post(PAGE, fields)
    assert (response.status_code, told in response.content.decode()) == (422, True)
    assert not ApiToken.objects.exists()


def test_nobody_has_any_number_of_tokens(client: Client, owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST", 1)
    make(owner)
    client.force_login(owner)
    response = client.post(PAGE, {"name": "x", "scopes": ["read"], "days": "30"})
    assert "Revoke one that you no longer use." in response.content.decode()


def test_a_token_is_revoked_after_a_question(client: Client, owner: Any) -> None:
    made = make(owner)
    client.force_login(owner)
    address = f"{PAGE}{made.token.pk}/revoke/"
    assert "Revoke script?" in client.get(address).content.decode()
    assert tokens.find(made.secret) is not None
    assert client.post(address)["Location"] == PAGE
    assert tokens.find(made.secret) is None


def test_the_token_of_another_owner_is_nobodys_to_see_or_revoke(client: Client, owner: Any) -> None:
    token = make(get_user_model().objects.create_user("other"), name="secret plan").token
    client.force_login(owner)
    assert "secret plan" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    assert ApiToken.objects.exists()


@pytest.mark.parametrize(("is_superuser", "status"), [(True, 200), (False, 403)])
def test_the_admin_shows_tokens_to_superusers(client: Client, owner: Any, is_superuser: bool, status: int) -> None:
    make(owner)
    client.force_login(get_user_model().objects.create_user("chief", is_staff=True, is_superuser=is_superuser))
    assert client.get("/admin/search/apitoken/").status_code == status
