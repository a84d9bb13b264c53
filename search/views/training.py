"""The pages of trainings, for staff: beginning one, going on with one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import last_modified, require_http_methods, require_POST, require_safe

from embeddings import images
from embeddings.specs import UnknownEncoder
from search.encoders import NoEncoder
from search.forms.training import TrainingForm
from search.language.wording import told
from search.models import Job
from search.training import preview, requests, running, runs
from search.training.dividing import CannotTrain
from search.training.requests import Wanted
from search.views.guarding import staff_only
from search.work import jobs


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def train(request: HttpRequest) -> HttpResponse:
    """Ask what shall be trained on what; show what augmentation makes of it, or begin it and lead to its job."""
    _check_permission(request)
    form = TrainingForm(request.POST or request.GET or None, user=request.user)
    samples = None
    if request.method == "POST" and form.is_valid():
        try:
            if "show" in request.POST:
                samples = _samples(form.wanted())
            else:
                job = running.begin(form.wanted())
                running.send(job)
                return redirect(job)
        except (CannotTrain, NoEncoder, UnknownEncoder) as error:
            form.add_error(None, told(error))
    context = {"form": form, "presets": requests.SUMMARIES, "samples": samples}
    return render(request, "search/train.html", context, status=422 if form.is_bound and form.errors else 200)


def _samples(wanted: Wanted) -> dict[str, object]:
    """Return the names of the augmentations that a training would use, and a sheet of what they do, as a data URL."""
    names = requests.augmentations(wanted)
    sheet = images.jpeg_of(preview.sheet(wanted.dataset, names, 0, preview.SIZE_ON_PAGE))
    address = f"data:image/jpeg;base64,{base64.b64encode(sheet).decode()}"
    return {"names": [told(name.replace("_", " ")) for name in names], "address": address}


def _drawn_at(request: HttpRequest, pk: int) -> datetime | None:
    job = Job.objects.filter(pk=pk, kind=Job.Kind.TRAIN).first()
    path = runs.reconstructions(job) if job else None
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path else None


@require_safe
@staff_only
@cache_control(private=True, no_cache=True)
@last_modified(_drawn_at)
def reconstructions(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve what an autoencoder draws of some pictures, below them; asked for again while it learns, mostly 304."""
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.TRAIN)
    path = runs.reconstructions(job)
    if path is None:
        raise Http404("This training has drawn nothing.")
    return HttpResponse(path.read_bytes(), content_type="image/png")


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
