"""The pages of the datasets."""

from __future__ import annotations

import secrets

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from search.curating import browsing, selecting, trash
from search.forms.galleries import GalleryForm
from search.models import Dataset, Evaluation
from search.reports import standing
from search.views.deleted import deleted_from

PER_PAGE = 60


@require_safe
def datasets(request: HttpRequest) -> HttpResponse:
    """List the datasets with a few pictures of each."""
    cards = browsing.galleries(Dataset.objects.visible_to(request.user))
    context = {"galleries": cards, "deleted": trash.datasets_of(request.user)}
    return render(request, "search/datasets.html", context)


@require_safe
def dataset(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the images of a dataset, filtered and page by page."""
    visible = Dataset.objects.visible_to(request.user)
    shown = get_object_or_404(visible, slug=slug)
    form = GalleryForm(request.GET)
    is_valid = form.is_valid()
    page = Paginator(browsing.filtered(shown, form.cleaned_data), PER_PAGE).get_page(request.GET.get("page"))
    own = selecting.datasets_of(request.user)
    may_change = own.filter(pk=shown.pk).exists()
    context = {
        "dataset": shown,
        "may_change": may_change,
        "may_delete": selecting.may_delete(request.user, shown),
        "gallery": browsing.galleries(visible.filter(pk=shown.pk))[0],
        "form": form,
        "labels": browsing.labels(shown),
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
        "is_filtered": is_valid and form.is_filtered,
        "asked": form.address(page.number),
        "another_draw": secrets.randbelow(1_000_000),
        "best": standing.best(Evaluation.objects.visible_to(request.user).filter(dataset=shown)),
    }
    if may_change:
        context["other_datasets"] = own.exclude(pk=shown.pk)
        context["n_deleted"] = deleted_from(shown).count()
        context["reasons"] = browsing.reasons(shown)
    return render(request, "search/dataset.html", context, status=200 if is_valid else 400)
