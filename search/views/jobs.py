"""The pages of the jobs, for staff."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from search.models import Encoder, Job
from search.training import runs
from search.training.curves import curves
from search.work.jobs import cancel, standing

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
        "may_stop": shown.kind in PERMISSIONS and request.user.has_perm(PERMISSIONS[Job.Kind(shown.kind)]),
        "evaluations": shown.evaluations.defer("details", "figures").select_related("encoder", "dataset"),
        "has_reconstructions": shown.kind == Job.Kind.TRAIN and runs.reconstructions(shown) is not None,
    }
    return render(request, "search/job.html", context)


# What a user needs to have a job of a kind stopped.
PERMISSIONS = {Job.Kind.TRAIN: "search.add_encoder", Job.Kind.EVALUATE: "search.add_evaluation"}
_WHEN_STOPPED = {
    Job.Kind.TRAIN: _("It stops in a moment, and keeps what its last whole epoch gave."),
    Job.Kind.EVALUATE: _("It stops in a moment, and keeps the encoders that are evaluated."),
}


@require_POST
@staff_only
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whoever works on a job to stop."""
    wanted = Job.objects.filter(pk=pk, kind__in=list(PERMISSIONS)).first()
    needed = [PERMISSIONS[Job.Kind(wanted.kind)]] if wanted else list(PERMISSIONS.values())
    if not any(request.user.has_perm(one) for one in needed):
        raise PermissionDenied("You may not stop this job.")
    if wanted is None:
        raise Http404("There is no such job that could be stopped.")
    kind = Job.Kind(wanted.kind)
    if cancel(wanted):
        messages.info(request, _WHEN_STOPPED[kind])
    return redirect(wanted)


def is_running(job: Job) -> bool:
    """Return whether a job may still change."""
    return job.state in (Job.State.WAITING, Job.State.RUNNING, Job.State.EMBEDDING)
