"""What a dataset holds, counted and drawn, for those who may change it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from search.models import Dataset
from search.reports.contents import contents
from search.views.guarding import of_own_dataset


@require_safe
@of_own_dataset
def statistics(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Show the statistics of a dataset."""
    return render(request, "search/statistics.html", {"dataset": dataset, "contents": contents(dataset)})
