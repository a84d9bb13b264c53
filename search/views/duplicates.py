"""The pages of duplicates in a dataset: looked for, compared, decided and undone, by those who may change it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from search.asking.examples import LARGEST_ID
from search.curating import selecting
from search.curating.selecting import datasets_of
from search.forms.fields import IMAGE_ID
from search.models import Dataset, DuplicatePair, Image, Job
from search.reviewing import deciding, running
from search.reviewing.deciding import GroupChanged, LabelsDiffer
from search.reviewing.groups import Group, groups_of
from search.text import storable
from search.views.guarding import of_own_dataset
from search.views.undoing import tell_with_undo
from search.work import jobs

PER_PAGE = 12
DECISIONS_PER_PAGE = 30
MOST_IN_GROUP = 500
VIEWS = ("side", "overlay", "difference")


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What a form says of one group: its images, which of them stays, and which label."""

    image_ids: list[int]
    kept_id: int
    label: str | None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@of_own_dataset
def duplicates(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Show the groups of a dataset that wait for a decision; do what a button says."""
    if request.method == "POST":
        action = _ACTIONS.get(request.POST.get("do", ""))
        if action is None:
            raise Http404("There is no such action.")
        return action(request, dataset)
    found = groups_of(dataset, request.user)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    job = running.latest(dataset)
    context = {
        "dataset": dataset,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "n_more": found.n_others,
        "n_simple": sum(not group.has_conflict for group in page),
        "job": job,
        "is_live": running.is_live(job),
        "n_added": _n_added_since(dataset, job),
        "others": datasets_of(request.user).exclude(pk=dataset.pk),
        "n_reviews": deciding.reviews_of(dataset, request.user).count(),
    }
    return render(request, "search/duplicates.html", context)


@require_safe
@of_own_dataset
def compare(request: HttpRequest, dataset: Dataset, first: int, second: int) -> HttpResponse:
    """Show two images of a dataset's duplicates beside or over each other, for browsers without scripts."""
    ends = {"first": min(first, second), "second": max(first, second)}
    pair = get_object_or_404(DuplicatePair, dataset=dataset, **{f"{name}_id": pk for name, pk in ends.items()})
    own = Image.objects.filter(dataset__in=datasets_of(request.user)).in_bulk([first, second])
    if len(own) < 2:
        raise Http404("One of the images is gone.")
    view = request.GET.get("view", "")
    context = {
        "dataset": dataset,
        "pair": pair,
        "one": own[first],
        "other": own[second],
        "pictures": [own[first], own[second]],
        "view": view if view in VIEWS else VIEWS[0],
        "views": [("side", _("Side by side")), ("overlay", _("Overlay")), ("difference", _("Difference"))],
    }
    return render(request, "search/duplicates_compared.html", context)


@never_cache
@require_safe
@of_own_dataset
def decisions(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """List what was decided about duplicates, the newest first."""
    reviews = deciding.reviews_of(dataset, request.user)
    page = Paginator(reviews, DECISIONS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "dataset": dataset,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
    }
    return render(request, "search/duplicates_decided.html", context)


def _n_added_since(dataset: Dataset, job: Job | None) -> int:
    """Return how many images came into a dataset since a search, the last one."""
    return dataset.images.filter(created_at__gt=job.started_at).count() if job else 0


def _find(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    if running.is_live(running.latest(dataset)):
        messages.info(request, _("They are being looked for already."))
        return _back(request, dataset)
    slugs = [storable(text) for text in request.POST.getlist("also")]
    also = list(datasets_of(request.user).filter(slug__in=slugs).exclude(pk=dataset.pk))
    running.send(running.begin(dataset, also, owner=request.user))
    return _back(request, dataset)


def _stop(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    job = running.latest(dataset)
    if job is not None and jobs.cancel(job):
        messages.info(request, _("It stops in a moment. What was found before is kept."))
    return _back(request, dataset)


def _keep(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Keep the image that was chosen in a group."""
    chosen = _chosen(request, request.POST.get("group", ""))
    try:
        review = deciding.keep_best(dataset, chosen.kept_id, chosen.image_ids, request.user, label=chosen.label)
    except LabelsDiffer as error:
        messages.warning(
            request,
            _("They have different labels: %(labels)s. Say which one stays.") % {"labels": ", ".join(error.labels)},
        )
    except (GroupChanged, selecting.NotAllowed):
        messages.warning(request, _changed())
    else:
        _tell(request, dataset, review.batch, n_discarded=len(review.discarded))
    return _back(request, dataset)


def _keep_all(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    chosen = _chosen(request, request.POST.get("group", ""))
    try:
        review = deciding.keep_all(dataset, chosen.image_ids, request.user)
    except (GroupChanged, selecting.NotAllowed):
        messages.warning(request, _changed())
    else:
        said = _("They are no duplicates. None of these pairs is shown again.")
        tell_with_undo(request, said, _address(dataset), batch=review.batch, do="undo")
    return _back(request, dataset)


def _suggested(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Do what is suggested for all groups of a page, after asking; those with different labels are left for people."""
    page = Paginator(groups_of(dataset, request.user), PER_PAGE).get_page(request.POST.get("page"))
    simple = [group for group in page if not group.has_conflict]
    if "sure" not in request.POST:
        context = {
            "dataset": dataset,
            "groups": simple,
            "n_discarded": sum(len(group.others) for group in simple),
            "n_left": len(page) - len(simple),
            "page": page,
        }
        return render(request, "search/duplicates_sure.html", context)
    # Only what was shown and asked about: others may have decided, or more been found, meanwhile.
    asked = {text for text in request.POST.getlist("suggested") if len(text) < 20 * MOST_IN_GROUP}
    _decide_all(request, dataset, [group for group in simple if _as_text(group) in asked])
    return _back(request, dataset)


def _decide_all(request: HttpRequest, dataset: Dataset, chosen: list[Group]) -> None:
    batch, n_discarded = uuid.uuid4(), 0
    for group in chosen:
        try:
            ids = [image.pk for image in group.images]
            review = deciding.keep_best(dataset, group.best.pk, ids, request.user, batch=batch)
            n_discarded += len(review.discarded)
        except (GroupChanged, LabelsDiffer, selecting.NotAllowed):
            continue  # it waits on the page, as it is now
    if n_discarded:
        _tell(request, dataset, batch, n_discarded=n_discarded)
    else:
        messages.warning(request, _changed())


def _undo(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    try:
        undone = deciding.undo(uuid.UUID(request.POST.get("batch", "")), request.user)
    except (ValueError, selecting.NotAllowed):
        messages.error(request, _("This was undone already."))
        return _back(request, dataset)
    said = _("The decision is undone.")
    if undone.n_restored:
        restored = ngettext("%(n)d image is back.", "%(n)d images are back.", undone.n_restored)
        said += " " + restored % {"n": undone.n_restored}
    if undone.n_lost:
        lost = ngettext(
            "%(n)d was in the trash for more than a day and is gone, or was imported anew.",
            "%(n)d were in the trash for more than a day and are gone, or were imported anew.",
            undone.n_lost,
        )
        said += " " + lost % {"n": undone.n_lost}
    messages.success(request, said)
    return _back(request, dataset)


_ACTIONS: dict[str, Callable[[HttpRequest, Dataset], HttpResponse]] = {
    "find": _find,
    "stop": _stop,
    "keep": _keep,
    "keep-all": _keep_all,
    "suggested": _suggested,
    "undo": _undo,
}


def _changed() -> str:
    return _("These pictures have changed meanwhile: look at them again. Nothing was done.")


def _chosen(request: HttpRequest, group: str) -> _Chosen:
    """Read a group from its form: the ids of its images in one field, the one to keep in another."""
    texts = group.split(",")[:MOST_IN_GROUP]
    ids = [int(text) for text in texts if IMAGE_ID.fullmatch(text) and int(text) <= LARGEST_ID]
    kept = request.POST.get("kept", "")
    label = request.POST.get("label")
    return _Chosen(
        image_ids=ids,
        kept_id=int(kept) if IMAGE_ID.fullmatch(kept) else 0,
        label=storable(label) if label else None,
    )


def _as_text(group: Group) -> str:
    return ",".join(str(image.pk) for image in group.images)


def _tell(request: HttpRequest, dataset: Dataset, batch: uuid.UUID, *, n_discarded: int) -> None:
    said = ngettext("%(n)d image is in the trash, for a day.", "%(n)d images are in the trash, for a day.", n_discarded)
    tell_with_undo(request, said % {"n": n_discarded}, _address(dataset), batch=batch, do="undo")


def _address(dataset: Dataset) -> str:
    return reverse("duplicates", args=[dataset.slug])


def _back(request: HttpRequest, dataset: Dataset) -> HttpResponseRedirect:
    """Lead back to the page of groups, or of decisions, that the form stood on."""
    name = "duplicate-decisions" if request.POST.get("back") == "decisions" else "duplicates"
    number = request.POST.get("page", "")
    query = f"?page={number}" if number.isascii() and number.isdigit() and len(number) < 8 and number != "1" else ""
    return HttpResponseRedirect(reverse(name, args=[dataset.slug]) + query, status=303)
