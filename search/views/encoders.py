"""The pages of the encoders, and the change of the default one."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from search import encoders, indexing, removing
from search.language import numbers
from search.models import Dataset, Encoder, Evaluation, Image
from search.reports import standing
from search.training import runs
from search.training.curves import curves
from search.views.guarding import staff_only


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An encoder, how many images it has embedded, and how a search through all of them compares."""

    encoder: Encoder
    n_embedded: int
    n_images: int
    has_index: bool
    wants_index: bool


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
    annotated, n_images = _visible(request)
    # A statement that groups forgets the model's own order.
    rows = [_installed(one, n_images) for one in annotated.order_by("-is_default", "name")]
    return render(request, "search/encoders.html", {"rows": rows, "exact_up_to": settings.EXACT_SEARCH_UP_TO})


@require_safe
def encoder(request: HttpRequest, name: str) -> HttpResponse:
    """Show an encoder: what it is, how far it has embedded, and to staff what it was trained on and how it went."""
    annotated, n_images = _visible(request)
    shown = get_object_or_404(annotated.select_related("job"), name=name)
    facts = shown.spec.get("training", {}) if request.user.is_staff else {}
    context = {
        "row": _installed(shown, n_images),
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


def _evaluations(request: HttpRequest, encoder: Encoder) -> QuerySet[Evaluation]:
    """Return the evaluations of an encoder that one may see, the newest first."""
    known = Evaluation.objects.visible_to(request.user).filter(encoder=encoder)
    return known.defer("details", "figures").select_related("encoder", "dataset")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return numbers.localised(f"{value:g}")
    return numbers.whole(value) if isinstance(value, int) else str(value)


def _visible(request: HttpRequest) -> tuple[QuerySet[Encoder], int]:
    """Return the encoders with how many images each has embedded, and how many there are, of those that one may see."""
    visible = Dataset.objects.visible_to(request.user)
    n_images = Image.objects.filter(dataset__in=visible).exclude(status=Image.Status.REFUSED).count()
    counted = Count("embeddings", filter=Q(embeddings__dataset__in=visible))
    return Encoder.everything.annotate(n_embedded=counted), n_images


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def make_default(request: HttpRequest, name: str) -> HttpResponse:
    """Ask whether an encoder shall answer searches from now on; when confirmed, let it."""
    if not request.user.has_perm("search.change_encoder"):
        raise PermissionDenied("You may not change encoders.")
    annotated = Encoder.objects.annotate(n_embedded=Count("embeddings"))
    encoder = get_object_or_404(annotated, name=name)
    if request.method == "POST":
        encoders.set_default(encoder)
        messages.success(request, _("%(name)s is the default encoder now.") % {"name": encoder.name})
        return redirect("encoders")
    n_images = Image.objects.filter(dataset__in=Dataset.objects.all()).exclude(status=Image.Status.REFUSED).count()
    return render(request, "search/make_default.html", {"row": _installed(encoder, n_images)})


def _installed(encoder: Encoder, n_images: int) -> Installed:
    n_embedded: int = encoder.n_embedded  # type: ignore[attr-defined]  # annotated by both callers
    return Installed(
        encoder=encoder,
        n_embedded=n_embedded,
        n_images=n_images,
        has_index=indexing.is_valid(encoder),
        wants_index=n_embedded > settings.EXACT_SEARCH_UP_TO,
    )
