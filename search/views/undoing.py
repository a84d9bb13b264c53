"""What a page says after a change, with a button that takes it back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


def tell_with_undo(request: HttpRequest, said: str, address: str, **fields: object) -> None:
    """Say on the next page what was done. address, fields: where the button sends what takes it back."""
    messages.success(request, with_button(request, said, address, _("Undo"), **fields))


def with_button(request: HttpRequest, said: str, address: str, words: str, **fields: object) -> SafeString:
    """Return what is said, with a button behind it. address, fields: where it sends what."""
    return format_html(
        '{} <form class="inline" action="{}" method="post">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">{}<button class="quiet">{}</button></form>',
        said,
        address,
        get_token(request),
        format_html_join("", '<input type="hidden" name="{}" value="{}">', fields.items()),
        words,
    )
