"""What an import came to, as a file for staff."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from search.ingest import reporting
from search.models import Job
from search.views.attaching import attached
from search.views.guarding import staff_only

_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


@never_cache
@require_safe
@staff_only
def import_report(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """Serve the counts of an import and all that it refused, as it stands now."""
    if kind not in _TYPES:
        raise Http404("There is no such file.")
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.IMPORT)
    response = HttpResponse(reporting.as_text(reporting.of_job(job), kind), content_type=_TYPES[kind])
    return attached(response, f"import-{job.pk}.{kind}")
