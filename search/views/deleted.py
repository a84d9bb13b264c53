"""What was deleted from a dataset within the last day, for those who may take it back."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from search.models import Dataset, Image
from search.views.guarding import of_own_dataset
from search.views.images import jpeg, stored

PER_PAGE = 60


@never_cache
@require_safe
@of_own_dataset
def deleted(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Show what was deleted from a dataset, the latest first, with boxes to take it back."""
    page = Paginator(deleted_from(dataset).order_by("-trashed_at", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    pages = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return render(request, "search/deleted.html", {"dataset": dataset, "page": page, "pages": pages})


@require_safe
@of_own_dataset
def thumbnail(request: HttpRequest, dataset: Dataset, pk: int, version: str) -> HttpResponseBase:
    """Serve the thumbnail of a deleted image: at its own address nobody sees it any more."""
    shown = get_object_or_404(deleted_from(dataset), pk=pk)
    return jpeg(request, shown.sha256, version, "thumbnail", lambda: stored(shown.thumbnail.name or ""))


def deleted_from(dataset: Dataset) -> QuerySet[Image]:
    """Return the images that were deleted from a dataset within the last day."""
    return Image.objects.filter(dataset__trash_of=dataset)
