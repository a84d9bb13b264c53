"""A template filter for sentences that come in English from rows, and numbers for texts."""

from django import template

from search.language import wording

register = template.Library()


@register.filter
def told(english: object) -> str:
    """Return a sentence in the language of the page, and nothing for None."""
    return "" if english is None else wording.told(english)
