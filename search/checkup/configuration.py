"""The settings, as far as they decide who gets in."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from search.checkup.findings import Finding, error, ok, warning

_PART = "settings"
_NEW_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(50))", and put it into .env as SECRET_KEY'
_LEAST_KEY = 32
# Of what Django says for sites that are reached over TLS; without BEHIND_TLS it is a choice.
_OF_TLS = {"security.W004", "security.W008", "security.W012", "security.W016"}
# Answered above in words of this project: the key, and DEBUG.
_SAID = {"security.W009", "security.W018", "security.W020"}
# Subdomains of the site's name, and lists of browsers, are not this site's to decide.
_NOT_OURS = {"security.W005", "security.W021"}


def look() -> Iterator[Finding]:
    """Look at the secret key, DEBUG, the names of the site, and what Django says before a deployment."""
    key = settings.SECRET_KEY
    if len(key) < _LEAST_KEY or len(set(key)) < 8:
        yield error(_PART, "SECRET_KEY is short enough to be guessed: sessions can be forged.", _NEW_KEY)
    else:
        yield ok(_PART, "SECRET_KEY is long enough.")
    if settings.DEBUG:
        yield error(_PART, "DEBUG is on: visitors see tracebacks and settings.", "set DEBUG=false in .env and restart")
    if "*" in settings.ALLOWED_HOSTS:
        yield warning(
            _PART,
            "ALLOWED_HOSTS is *: links can be forged with the Host header.",
            "set ALLOWED_HOSTS in .env to the names under which the site is reached, and restart",
        )
    elif not settings.ALLOWED_HOSTS:
        yield error(_PART, "ALLOWED_HOSTS is empty: nobody is answered.", "set ALLOWED_HOSTS in .env and restart")
    else:
        yield ok(_PART, f"The site answers to {', '.join(settings.ALLOWED_HOSTS)}.")
    yield from _deployment()


def _deployment() -> Iterator[Finding]:
    left_out = _SAID | _NOT_OURS | (set() if settings.BEHIND_TLS else _OF_TLS)
    said = [one for one in checks.run_checks(include_deployment_checks=True) if one.id not in left_out]
    for one in said:
        make = error if one.level >= checks.ERROR else warning
        yield make(_PART, f"{one.id}: {' '.join(one.msg.split())}", one.hint or "manage.py check --deploy")
    if not said:
        rest = "." if settings.BEHIND_TLS else " but on TLS."
        yield ok(_PART, f"manage.py check --deploy has nothing to say{rest}")
