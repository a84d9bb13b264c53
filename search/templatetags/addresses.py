"""Template tags for the addresses of searches: with a picture more, with one less, and as fields of a form."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from search.asking.results import Results
from search.forms.fields import place_text

register = template.Library()
# Where a page of results goes on: another search begins at its first hit.
PLACES = ("offset", "after")


@register.simple_tag
def without_picture(asked: QueryDict, picture: str) -> str:
    """Return the query string of a search without one of its pictures: a key or an image's id."""
    return "?" + _without(asked, picture).urlencode()


@register.simple_tag
def with_weight(asked: QueryDict, name: str, picture: str, weight: float) -> str:
    """Return the query string of a search in which a picture counts so much."""
    address = asked.copy()
    text = picture if weight == 1 else f"{picture}~{weight:g}"
    address.setlist(name, [text if _named(one) == picture else one for one in address.getlist(name)])
    return "?" + address.urlencode()


@register.simple_tag
def next_page(asked: QueryDict, results: Results) -> str:
    """Return the query string of the page of hits after these."""
    address = asked.copy()
    address["offset"] = str(results.next_offset)
    if results.next_place:
        address["after"] = place_text(results.next_place)
    return "?" + address.urlencode()


@register.simple_tag
def querystring_without(asked: QueryDict, name: str) -> str:
    """Return the query string without one of its fields."""
    address = asked.copy()
    address.pop(name, None)
    return "?" + address.urlencode()


@register.simple_tag
def hidden_fields(asked: QueryDict, *names_of_others: str) -> SafeString:
    """Return hidden fields for what an address says, but for what the form asks by fields of its own."""
    rows = [
        (name, value)
        for name, values in asked.lists()
        if name not in names_of_others and name not in PLACES
        for value in values
    ]
    return format_html("{}", format_html_join("", '<input type="hidden" name="{}" value="{}">', rows))


def encoded(asked: QueryDict, *names_left_out: str) -> str:
    """Return the query string of a search from its first hit on, without its question mark and some of its fields."""
    pairs = [
        (name, value)
        for name, values in asked.lists()
        if name not in names_left_out and name not in PLACES
        for value in values
    ]
    return urlencode(pairs)


def _without(asked: QueryDict, picture: str) -> QueryDict:
    address = asked.copy()
    first = next((_named(one) for one in [*address.getlist("q"), *address.getlist("image")]), "")
    for name in ("q", "image", "less"):
        kept = [one for one in address.getlist(name) if _named(one) != picture]
        if kept:
            address.setlist(name, kept)
        else:
            address.pop(name, None)
    if picture == first:  # the crop was one of that
        address.pop("crop", None)
    for name in PLACES:
        address.pop(name, None)
    return address


def _named(text: str) -> str:
    return text.partition("~")[0]
