"""The pages of the encoders, and the change of the default one."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from search import encoders, indexing
from search.encoders import coverage, removing
from search.language import numbers
from search.language.wording import told
from search.models import Dataset, Encoder, Evaluation
from search.reports import standing, switching
from search.training import runs
from search.training.curves import curves
from search.views.guarding import staff_only
from search.views.undoing import with_button
from search.work import embedding_jobs


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An encoder, how many images it has embedded, and how a search through all of them compares.

    why_unusable: what is wrong with its files, if anything is.
    """

    encoder: Encoder
    n_embedded: int
    n_images: int
    has_index: bool
    wants_index: bool
    why_unusable: str


# What is kept of a training, in the order and by the words in which it is shown.
TRAINING_FACTS = {
    "preset": gettext_lazy("Recipe"),
    "method": gettext_lazy("Method"),
    "dataset": gettext_lazy("Dataset"),
    "n_images": gettext_lazy("Images"),
    "n_classes": gettext_lazy("Labels"),
    "seed": gettext_lazy("Seed"),
    "shrinkage": gettext_lazy("Shrinkage"),
    "data_sha256": gettext_lazy("SHA-256 of the data"),
}


@require_safe
def encoder_list(request: HttpRequest) -> HttpResponse:
    """List the installed encoders."""
    embedded, n_images = coverage.totals(Dataset.objects.visible_to(request.user))
    rows = [_installed(one, embedded.get(one.pk, 0), n_images) for one in Encoder.everything.all()]
    return render(request, "search/encoders.html", {"rows": rows, "exact_up_to": settings.EXACT_SEARCH_UP_TO})


@require_safe
def encoder(request: HttpRequest, name: str) -> HttpResponse:
    """Show an encoder: what it is, how far it has embedded, and to staff what it was trained on and how it went."""
    shown = get_object_or_404(Encoder.everything.select_related("job"), name=name)
    covered = coverage.by_dataset(shown, Dataset.objects.visible_to(request.user))
    facts = shown.spec.get("training", {}) if request.user.is_staff else {}
    context = {
        "row": _installed(shown, sum(one.n_embedded for one in covered), sum(one.n_images for one in covered)),
        "covered": covered,
        "may_change": (may_change := _may_change(request) and not shown.is_being_removed),
        "may_embed": may_change and any(one.n_missing for one in covered),
        "embedding": embedding_jobs.live(shown) if request.user.is_staff else None,
        "removal": removing.job_of(shown) if request.user.is_staff else None,
        "exact_up_to": settings.EXACT_SEARCH_UP_TO,
        "training": [(key, words, _shown(facts[key])) for key, words in TRAINING_FACTS.items() if key in facts],
        "facts": facts,
        "standings": (standings := standing.standings(_evaluations(request, shown))),
        "has_plots": any(one.plot for one in standings),
        "health": standing.health(shown),
        "curves": curves(facts.get("history", [])),
        "reconstructions_of": shown.job if facts and shown.job and runs.reconstructions(shown.job) else None,
    }
    return render(request, "search/encoder.html", context)


def _may_change(request: HttpRequest) -> bool:
    """Return whether one may choose what is done with encoders."""
    return request.user.is_staff and request.user.has_perm("search.change_encoder")


def _evaluations(request: HttpRequest, encoder: Encoder) -> QuerySet[Evaluation]:
    """Return the evaluations of an encoder that one may see, the newest first."""
    known = Evaluation.objects.visible_to(request.user).filter(encoder=encoder)
    return known.defer("details", "figures").select_related("encoder", "dataset")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return numbers.localised(f"{value:g}")
    return numbers.whole(value) if isinstance(value, int) else str(value)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def make_default(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether an encoder shall answer searches from now on; when confirmed, let it."""
    if not request.user.has_perm("search.change_encoder"):
        raise PermissionDenied("You may not change encoders.")
    encoder = get_object_or_404(Encoder, name=name)
    before = Encoder.objects.filter(is_default=True).exclude(pk=encoder.pk).first()
    if request.method == "POST":
        try:
            encoders.network(encoder)  # an encoder that cannot be loaded must not answer searches
            encoders.set_default(encoder)
        except encoders.NoEncoder as error:
            messages.error(request, told(error))
        else:
            messages.success(request, _switched(request, encoder, before))
        return redirect("encoders")
    embedded, n_images = coverage.totals(Dataset.objects.all())
    evaluations = Evaluation.objects.visible_to(request.user)
    row = _installed(encoder, embedded.get(encoder.pk, 0), n_images)
    now = before and _installed(before, embedded.get(before.pk, 0), n_images)
    context = {
        "row": row,
        "before": now,
        "sides": [now, row],
        "incomplete": [one for one in coverage.by_dataset(encoder, Dataset.objects.all()) if one.n_missing],
        "changes": switching.changes(before, encoder, evaluations) if before else [],
    }
    return render(request, "search/make_default.html", context)


def _switched(request: HttpRequest, encoder: Encoder, before: Encoder | None) -> str:
    """Say which encoder answers now, with a button that makes it the one before again."""
    said = _("%(name)s is the default encoder now.") % {"name": encoder.name}
    if before is None:
        return said
    words = _("Switch back to %(name)s") % {"name": before.name}
    return with_button(request, said, reverse("make-default", args=[before.name]), words)


def _installed(encoder: Encoder, n_embedded: int, n_images: int) -> Installed:
    return Installed(
        encoder=encoder,
        n_embedded=n_embedded,
        n_images=n_images,
        has_index=indexing.is_valid(encoder),
        wants_index=n_embedded > settings.EXACT_SEARCH_UP_TO,
        why_unusable="" if encoder.is_being_removed else encoders.why_unusable(encoder),
    )
