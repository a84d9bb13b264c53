"""Template tags for the tiles of a grid. A page has dozens: what they share is looked up once."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def tile_words() -> dict[str, str]:
    """Return what every tile of a page says, with {name} for its own, and the addresses that they share."""
    return {
        "search": reverse("search"),
        "icons": static("img/icons.svg"),
        "more": _("More like this"),
        "less": _("Less like this"),
        "similar": _("Find similar"),
        "more_like": _("More like {name}"),
        "less_like": _("Less like {name}"),
        "select": _("Select {name}"),
        "similar_to": _("Find similar to {name}"),
        "similarity": _("Similarity"),
        "distance": _("Distance"),
    }


@register.filter
def named(words: str, name: str) -> str:
    """Return words with the name of a tile in them."""
    return words.replace("{name}", name)
