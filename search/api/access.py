"""Who asks, and what they may: by a token, by the session of the site, or as anybody."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from search import tokens
from search.api.problems import Problem
from search.asking.examples import LARGEST_ID
from search.asking.scope import visible_images
from search.curating import selecting
from search.models import ApiToken, Dataset, Image

_SAFE = ("GET", "HEAD", "OPTIONS")
# For the description of what anybody may ask.
ANYBODY: dict[str, Any] = {"security": [{}]}


class Token(AuthBase):
    """Lets in those who may use an address: whoever sends a token of its scope, is signed in, or, mostly, anybody."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A token from /account/tokens/. It does what its owner may do, within its scopes."

    def __init__(self, scope: str, *, needs_user: bool = True) -> None:
        super().__init__()
        self._scope = scope
        self._needs_user = needs_user

    def __call__(self, request: HttpRequest) -> object:
        """Return who asks; `request.user` is the token's owner from then on. Raises Problem."""
        kind, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
        if kind.lower() == "bearer":
            return self._by_token(request, secret.strip())
        if request.user.is_authenticated:
            if request.method not in _SAFE and check_csrf(request):
                raise Problem(
                    403, "csrf", "Send the CSRF token of your session in the header X-CSRFToken, or use an API token."
                )
        elif self._needs_user:
            raise Problem(
                401, "not_signed_in", "Send a token: Authorization: Bearer …", WWW_Authenticate='Bearer realm="ImgSim"'
            )
        return request.user

    def _by_token(self, request: HttpRequest, secret: str) -> ApiToken:
        token = tokens.find(secret)
        if token is None:
            raise Problem(
                401,
                "invalid_token",
                "This token is unknown, expired or revoked. Make another one at /account/tokens/.",
                WWW_Authenticate='Bearer realm="ImgSim", error="invalid_token"',
            )
        if self._scope not in token.scopes:
            raise Problem(403, "missing_scope", f"This token lacks the scope {self._scope!r}.")
        request.user = token.owner
        return token


READING = Token(ApiToken.Scope.READ, needs_user=False)
READING_OWN = Token(ApiToken.Scope.READ)
WRITING = Token(ApiToken.Scope.WRITE)
JOBS = Token(ApiToken.Scope.JOBS)


def seen_dataset(request: HttpRequest, slug: str) -> Dataset:
    """Return a dataset that the caller may see. Raises Problem 404."""
    found = Dataset.objects.visible_to(request.user).filter(slug=slug).first()
    if found is None:
        raise Problem(404, "not_found", f"There is no dataset {slug[:100]!r}.")
    return found


def own_dataset(request: HttpRequest, slug: str) -> Dataset:
    """Return a dataset that the caller may change. Raises Problem 404, or 403 for one that they may only see."""
    found = seen_dataset(request, slug)
    if not selecting.datasets_of(request.user).filter(pk=found.pk).exists():
        raise Problem(403, "forbidden", "You may not change this dataset.")
    return found


def seen_image(request: HttpRequest, image_id: int) -> Image:
    """Return an image that the caller may see, with its dataset. Raises Problem 404."""
    found = visible_images(request.user).filter(pk=image_id).first() if 0 < image_id <= LARGEST_ID else None
    if found is None:
        raise no_image(image_id)
    return found


def own_image(request: HttpRequest, image_id: int) -> Image:
    """Return an image that the caller may change, with its dataset. Raises Problem 404, or 403."""
    found = seen_image(request, image_id)
    if not selecting.datasets_of(request.user).filter(pk=found.dataset_id).exists():
        raise Problem(403, "forbidden", "You may not change images of this dataset.")
    return found


def no_image(image_id: object) -> Problem:
    """Return the problem of an image that is not there, or that the caller may not see."""
    return Problem(404, "not_found", f"There is no image {str(image_id)[:40]!r}.")
