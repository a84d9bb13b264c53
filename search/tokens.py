"""Tokens of the API: made with a secret that is shown once, found by its SHA-256, revoked by deleting them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from search.models import ApiToken

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

# By what they begin with, tools that look for leaked secrets know them.
PREFIX = "imgsim_"
MOST = 50  # of one owner
_WRITTEN_EVERY = timedelta(minutes=1)


class TooManyTokens(Exception):
    """The owner has as many tokens as one can have."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A new token, and its secret, which nobody can show again."""

    token: ApiToken
    secret: str = field(repr=False)


def make(owner: AbstractBaseUser, name: str, scopes: Sequence[str], lifetime: timedelta) -> Made:
    """Make a token. scopes: of ApiToken.Scope. Raises TooManyTokens."""
    if ApiToken.objects.filter(owner_id=owner.pk).count() >= MOST:
        raise TooManyTokens
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        owner_id=owner.pk,
        name=name,
        secret_sha256=_digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=timezone.now() + lifetime,
    )
    return Made(token=token, secret=secret)


def find(secret: str) -> ApiToken | None:
    """Return the token of a secret with its owner, and note its use; None where it expired or its owner is inactive.

    Its use is written once a minute at most, so that a thousand requests are not a thousand writes.
    """
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("owner")
        .filter(secret_sha256=_digest(secret), expires_at__gt=now, owner__is_active=True)
        .first()
    )
    if token and (token.last_used_at is None or token.last_used_at < now - _WRITTEN_EVERY):
        unwritten = Q(last_used_at=None) | Q(last_used_at__lt=now - _WRITTEN_EVERY)
        ApiToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=now)
    return token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
