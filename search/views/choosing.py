"""Which images were chosen on a page, and the way back to it: to a search, or to the page of a dataset."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from search.asking.examples import LARGEST_ID
from search.asking.scope import visible_images
from search.curating import browsing
from search.forms.fields import IMAGE_ID
from search.forms.galleries import GalleryForm
from search.models import Dataset, Image
from search.text import storable

MOST_CHOSEN = 1000
# Of all that match a filter at once; who wants more narrows the filter and goes on.
MOST_MATCHING = 5000
_NO_ADDRESS = (
    "csrfmiddlewaretoken", "chosen", "do", "scope", "new_label", "new_tags", "new_split", "into", "labels", "field",
    "images", "back", "gallery",
)  # fmt: skip
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,110}")


class TooManyMatch(Exception):
    """More images match than are changed at once; the message says how many that may be."""


def chosen(request: HttpRequest) -> list[Image]:
    """Return the images that were chosen and that the user may see, in the order of the page.

    With scope=all, all that match the filter of a dataset's page. Raises TooManyMatch.
    """
    if request.POST.get("scope") == "all":
        return _all_that_match(request)
    ids = [int(text) for text in request.POST.getlist("chosen")[:MOST_CHOSEN] if IMAGE_ID.fullmatch(text)]
    found = visible_images(request.user).in_bulk([pk for pk in ids if pk <= LARGEST_ID])
    return [found[pk] for pk in dict.fromkeys(ids) if pk in found]


def _all_that_match(request: HttpRequest) -> list[Image]:
    dataset = Dataset.objects.visible_to(request.user).filter(slug=_gallery(request)).first()
    form = GalleryForm(request.POST)
    if dataset is None or not form.is_valid():
        return []
    found = list(browsing.filtered(dataset, form.cleaned_data)[: MOST_MATCHING + 1])
    if len(found) > MOST_MATCHING:
        raise TooManyMatch(
            _("More than %(most)s images match. Narrow the filter, and do it in several steps.")
            % {"most": MOST_MATCHING}
        )
    return found


def address(request: HttpRequest) -> str:
    """Return the address of the page that the images were chosen on: the form carries its fields."""
    asked = QueryDict(mutable=True)
    for name, values in request.POST.lists():
        if name not in _NO_ADDRESS:
            asked.setlist(name, values)
    slug = _gallery(request)
    path = reverse("dataset", args=[slug]) if slug else reverse("search")
    return f"{path}?{asked.urlencode()}" if asked or not slug else path


def back(request: HttpRequest) -> HttpResponseRedirect:
    """Lead back to where the images were chosen."""
    return HttpResponseRedirect(address(request), status=303)


def back_from_undo(request: HttpRequest) -> HttpResponseRedirect:
    """Lead back to the page that a form names, if it is one of those that images are chosen on."""
    named = request.POST.get("back", "")
    is_search = named.startswith(reverse("search") + "?")
    is_gallery = re.fullmatch(re.escape(reverse("datasets")) + rf"{_SLUG.pattern}/(trash/)?(\?.*)?", named)
    return HttpResponseRedirect(named if is_search or is_gallery else reverse("search"), status=303)


def _gallery(request: HttpRequest) -> str:
    """Return the slug of the dataset on whose page the images were chosen; empty where that was a search."""
    slug = storable(request.POST.get("gallery", ""))
    return slug if _SLUG.fullmatch(slug) else ""
