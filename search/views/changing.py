"""What is changed of images that were chosen: label, tags, split, where they are; and taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from search import encoders
from search.asking.examples import LARGEST_ID
from search.curating import selecting
from search.forms.fields import IMAGE_ID
from search.language import wording
from search.models import Dataset, Image
from search.text import storable
from search.views.choosing import MOST_MATCHING, address, back, back_from_undo
from search.views.undoing import tell_with_undo

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

_UNDO = "search.selecting.undo"
_UNDO_SECONDS = 86_400
# What a change can be taken back of: values of images, where they were, and copies that were made.
_Changed = Literal["label", "tags", "split", "dataset", "copies"]
_MOST_TAGS = 20


def _described(request: HttpRequest, images: list[Image]) -> HttpResponse:
    """Do what somebody has written in a field and pressed Enter for."""
    if _written_label(request):
        return _label(request, images)
    if _tags(request):
        return _tag(request, images)
    messages.warning(request, _("Nothing was changed. Write a label or tags, or press one of the buttons."))
    return back(request)


def _label(request: HttpRequest, images: list[Image]) -> HttpResponse:
    text = _written_label(request)
    if not text:
        messages.warning(request, _("Write the label first."))
        return back(request)
    before = selecting.label(_ids(images), text, request.user)
    n = len(before)
    said = ngettext("%(n)d image is labelled “%(label)s” now.", "%(n)d images are labelled “%(label)s” now.", n)
    return _told(request, "label", before, said % {"n": n, "label": text})


def _unlabel(request: HttpRequest, images: list[Image]) -> HttpResponse:
    before = selecting.label(_ids(images), "", request.user)
    n = len(before)
    said = ngettext("%(n)d image has no label any more.", "%(n)d images have no label any more.", n)
    return _told(request, "label", before, said % {"n": n})


def _tag(request: HttpRequest, images: list[Image]) -> HttpResponse:
    tags = _tags(request)
    if not tags:
        messages.warning(request, _("Write the tags first, with commas between them."))
        return back(request)
    before = selecting.tag(_ids(images), tags, request.user)
    n = len(before)
    said = ngettext("%(n)d image is tagged %(tags)s now.", "%(n)d images are tagged %(tags)s now.", n)
    return _told(request, "tags", before, said % {"n": n, "tags": ", ".join(tags)})


def _untag(request: HttpRequest, images: list[Image]) -> HttpResponse:
    tags = _tags(request)
    if not tags:
        messages.warning(request, _("Write the tags first, with commas between them."))
        return back(request)
    before = selecting.untag(_ids(images), tags, request.user)
    n = len(before)
    said = ngettext("%(n)d image is not tagged %(tags)s any more.", "%(n)d images are not tagged %(tags)s any more.", n)
    return _told(request, "tags", before, said % {"n": n, "tags": ", ".join(tags)})


def _split(request: HttpRequest, images: list[Image]) -> HttpResponse:
    split = request.POST.get("new_split", "")
    if split not in Image.Split.values:
        messages.warning(request, _("Choose one of the splits."))
        return back(request)
    before = selecting.divide(_ids(images), split, request.user)
    n = len(before)
    if split == Image.Split.NONE:
        said = ngettext("%(n)d image belongs to no split now.", "%(n)d images belong to no split now.", n)
    else:
        said = ngettext("%(n)d image belongs to %(split)s now.", "%(n)d images belong to %(split)s now.", n)
    return _told(request, "split", before, said % {"n": n, "split": Image.Split(split).label})


def _move(request: HttpRequest, images: list[Image]) -> HttpResponse:
    into = _into(request)
    origins, n_there = selecting.move(_ids(images), into, request.user)
    said = ngettext("%(n)d image was moved to %(dataset)s.", "%(n)d images were moved to %(dataset)s.", len(origins))
    if n_there:
        said += " " + ngettext("%(there)d was there already.", "%(there)d were there already.", n_there)
    said %= {"n": len(origins), "dataset": into.name, "there": n_there}
    return _told(request, "dataset", origins, said)


def _add(request: HttpRequest, images: list[Image]) -> HttpResponse:
    into = _into(request)
    copies, n_there, n_lost = selecting.add(_ids(images), into, request.user)
    said = ngettext("%(n)d image was added to %(dataset)s.", "%(n)d images were added to %(dataset)s.", len(copies))
    if n_there:
        said += " " + ngettext("%(there)d was there already.", "%(there)d were there already.", n_there)
    if n_lost:
        said += " " + ngettext("%(lost)d could not be read.", "%(lost)d could not be read.", n_lost)
    said %= {"n": len(copies), "dataset": into.name, "there": n_there, "lost": n_lost}
    return _told(request, "copies", dict.fromkeys(copies), said)


def _discard(request: HttpRequest, images: list[Image]) -> HttpResponse:
    ids = _ids(images)
    n = selecting.discard(ids, request.user)
    said = ngettext("%(n)d image is deleted.", "%(n)d images are deleted.", n) % {"n": n}
    said = f"{said} {_('What is deleted is kept for a day.')}"
    tell_with_undo(request, said, reverse("restore-images"), images=",".join(map(str, ids)), back=address(request))
    return back(request)


def _embed(request: HttpRequest, images: list[Image]) -> HttpResponse:
    try:
        n = selecting.embed_again(_ids(images), request.user)
    except encoders.NoEncoder as error:
        messages.error(request, wording.told(error))
    else:
        said = ngettext("%(n)d image waits for the workers.", "%(n)d images wait for the workers.", n)
        messages.success(request, said % {"n": n})
    return back(request)


CHANGES: dict[str, Callable[[HttpRequest, list[Image]], HttpResponse]] = {
    "describe": _described, "label": _label, "unlabel": _unlabel, "tag": _tag, "untag": _untag, "split": _split,
    "move": _move, "add": _add, "discard": _discard, "embed": _embed,
}  # fmt: skip


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Give images the labels, tags, splits or datasets back that they had before, or throw copies away."""
    field = request.POST.get("field", "label")
    if field not in get_args(_Changed):
        raise Http404("There is no such field.")
    try:
        known = signing.loads(request.POST.get("labels", ""), salt=_salt(field), max_age=_UNDO_SECONDS)
        n = _take_back(cast("_Changed", field), {int(pk): value for pk, value in known.items()}, request.user)
    except signing.BadSignature:
        messages.error(request, _("This can no longer be undone."))
    except selecting.NotAllowed:
        messages.error(request, _("You may not change some of these images. Nothing was changed."))
    else:
        messages.success(request, _given_back(field, n) % {"n": n})
    return back_from_undo(request)


@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    """Take images back that were deleted within the last day."""
    try:
        n = selecting.restore(_to_restore(request), request.user)
    except selecting.NotAllowed:
        messages.error(request, _("You may not change some of these images. Nothing was changed."))
    else:
        said = ngettext("%(n)d image is back.", "%(n)d images are back.", n)
        if not n:
            said = _("None came back: they are gone for good, or there again already.")
        messages.success(request, said % {"n": n})
    return back_from_undo(request)


def _to_restore(request: HttpRequest) -> list[int]:
    """Return the images that a form names, or all that were deleted from the dataset that it names."""
    if slug := storable(request.POST.get("all_of", "")):
        of_dataset = selecting.datasets_of(request.user).filter(slug=slug)
        return list(Image.objects.filter(dataset__trash_of__in=of_dataset).values_list("pk", flat=True))
    texts = [one for text in request.POST.getlist("images") for one in text.split(",")]
    ids = [int(text) for text in texts[:MOST_MATCHING] if IMAGE_ID.fullmatch(text)]
    return [pk for pk in ids if pk <= LARGEST_ID]


def _take_back(field: _Changed, before: dict[int, Any], user: AbstractBaseUser | AnonymousUser) -> int:
    if field == "dataset":
        return selecting.move_back(before, user)
    if field == "copies":
        return selecting.discard(list(before), user)
    return selecting.give_back(field, before, user)


def _told(request: HttpRequest, field: _Changed, before: dict[int, Any], said: str) -> HttpResponse:
    """Say what was done, with a button that takes it back where anything was. before: what was before, by image."""
    if not before:
        messages.success(request, said)
        return back(request)
    signed = signing.dumps({str(pk): value for pk, value in before.items()}, salt=_salt(field), compress=True)
    tell_with_undo(request, said, reverse("undo-labels"), labels=signed, field=field, back=address(request))
    return back(request)


def _given_back(field: str, n: int) -> str:
    if field == "label":
        return ngettext("%(n)d image has its old label again.", "%(n)d images have their old labels again.", n)
    if field == "tags":
        return ngettext("%(n)d image has its old tags again.", "%(n)d images have their old tags again.", n)
    if field == "dataset":
        return ngettext("%(n)d image is back where it was.", "%(n)d images are back where they were.", n)
    if field == "copies":
        return ngettext("%(n)d copy is deleted.", "%(n)d copies are deleted.", n)
    return ngettext("%(n)d image is in its old split again.", "%(n)d images are in their old splits again.", n)


def _salt(field: str) -> str:
    return _UNDO if field == "label" else f"{_UNDO}.{field}"


def _written_label(request: HttpRequest) -> str:
    return storable(request.POST.get("new_label", "")).strip()[:200]


def _tags(request: HttpRequest) -> list[str]:
    written = storable(request.POST.get("new_tags", "")).split(",")
    return list(dict.fromkeys(" ".join(tag.split())[:100] for tag in written if tag.strip()))[:_MOST_TAGS]


def _into(request: HttpRequest) -> Dataset:
    slug = storable(request.POST.get("into", ""))
    into = Dataset.objects.visible_to(request.user).filter(slug=slug).first()
    if into is None:
        raise selecting.DatasetGone
    return into


def _ids(images: list[Image]) -> list[int]:
    return [image.pk for image in images]
