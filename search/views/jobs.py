"""The pages of the jobs, for staff."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from search.models import Encoder, Job
from search.training import runs
from search.training.curves import curves
from search.work.jobs import standing

PER_PAGE = 50
MAX_REFUSALS = 500
P = ParamSpec("P")


def staff_only(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Send strangers to the sign-in page, and tell those who are signed in and no staff that this is not for them."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_staff:
            raise PermissionDenied("This page is for staff.")
        return view(request, *args, **kwargs)

    return guarded


@never_cache
@require_safe
@staff_only
def jobs(request: HttpRequest) -> HttpResponse:
    """List the jobs, the newest first."""
    page = Paginator(Job.objects.select_related("owner"), PER_PAGE).get_page(request.GET.get("page"))
    is_live = any(is_running(job) for job in page)
    return render(request, "search/jobs.html", {"page": page, "is_live": is_live})


@never_cache
@require_safe
@staff_only
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a job: how far it is, what it was asked, what it refused."""
    shown = get_object_or_404(Job.objects.select_related("owner"), pk=pk)
    now = standing(shown)
    context = {
        "job": shown,
        "standing": now,
        "n_finished": now.n_ready + now.n_refused,
        "refusals": shown.refusals.all()[:MAX_REFUSALS],
        "n_refusals": shown.refusals.count(),
        "refused_images": shown.images.filter(status="refused").select_related("dataset")[:MAX_REFUSALS],
        "is_live": is_running(shown),
        "curves": curves(shown.progress.get("history", [])),
        "trained": Encoder.objects.filter(job=shown).first(),
        "has_reconstructions": shown.kind == Job.Kind.TRAIN and runs.reconstructions(shown) is not None,
    }
    return render(request, "search/job.html", context)


def is_running(job: Job) -> bool:
    """Return whether a job may still change."""
    return job.state in (Job.State.WAITING, Job.State.RUNNING, Job.State.EMBEDDING)
