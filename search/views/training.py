"""The pages of trainings, for staff: beginning one, stopping it, going on with it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from embeddings.specs import UnknownEncoder
from search.encoders import NoEncoder
from search.forms import TrainingForm
from search.models import Job
from search.training import requests, running
from search.training.labelled import CannotTrain
from search.views.jobs import staff_only
from search.work import jobs


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def train(request: HttpRequest) -> HttpResponse:
    """Ask what shall be trained on what; begin it and lead to its job."""
    _check_permission(request)
    form = TrainingForm(request.POST or request.GET or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            job = running.begin(form.wanted())
        except (CannotTrain, NoEncoder, UnknownEncoder) as error:
            form.add_error(None, str(error))
        else:
            running.send(job)
            return redirect(job)
    context = {"form": form, "presets": requests.SUMMARIES}
    return render(request, "search/train.html", context, status=422 if form.is_bound and form.errors else 200)


@require_POST
@staff_only
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whoever trains to stop at the end of what it does now."""
    _check_permission(request)
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.TRAIN)
    if jobs.cancel(job):
        messages.info(request, "It stops in a moment, and keeps what its last whole epoch gave.")
    return redirect(job)


@require_POST
@staff_only
def go_on(request: HttpRequest, pk: int) -> HttpResponse:
    """Take up a training that was stopped or killed."""
    _check_permission(request)
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.TRAIN)
    if jobs.begin_again(job):
        running.send(job)
    return redirect(job)


def _check_permission(request: HttpRequest) -> None:
    if not request.user.has_perm("search.add_encoder"):
        raise PermissionDenied("You may not train encoders.")
