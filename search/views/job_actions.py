"""What is done with a job from its page: stopped, repeated, its refused images tried again, its images deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from embeddings.specs import UnknownEncoder
from search import embedding, encoders
from search.curating import trash
from search.encoders.installing import CannotInstall
from search.evaluation.protocol import CannotEvaluate
from search.language import wording
from search.language.numbers import whole
from search.models import Image, Job
from search.views.guarding import staff_only
from search.work import repeating
from search.work.jobs import PERMISSIONS, cancel
from search.work.missing import send

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

WHEN_STOPPED = {
    Job.Kind.IMPORT: gettext_lazy("It stops in a moment. What it has read so far stays."),
    Job.Kind.TRAIN: gettext_lazy("It stops in a moment, and keeps what its last whole epoch gave."),
    Job.Kind.EVALUATE: gettext_lazy("It stops in a moment, and keeps the encoders that are evaluated."),
    Job.Kind.EMBED: gettext_lazy("It stops in a moment, and what was embedded stays."),
    Job.Kind.INDEX: gettext_lazy("It stops in a moment. Searches compare every vector until the index is built."),
    Job.Kind.INSTALL: gettext_lazy("It stops after the step that it is at, and installs nothing."),
    Job.Kind.DUPLICATES: gettext_lazy("It stops in a moment. What was found before is kept."),
}

# Why something cannot be done once more.
_UNREPEATABLE = (repeating.CannotRepeat, CannotEvaluate, CannotInstall, UnknownEncoder, encoders.NoEncoder)


def n_to_discard(user: User | AnonymousUser, job: Job) -> int:
    """Return how many images of an import this user may delete: those that it added, and that are still there."""
    if job.kind != Job.Kind.IMPORT or not job.is_over or not user.has_perm("search.delete_image"):
        return 0
    return Image.objects.filter(job=job, trashed_at=None).count()


def n_discarded(user: User | AnonymousUser, job: Job) -> int:
    """Return how many images of a job are in the trash, where this user may bring them back."""
    if not user.has_perm("search.delete_image"):
        return 0
    return Image.objects.filter(job=job, trashed_at__isnull=False).count()


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
    if cancel(wanted):
        messages.info(request, WHEN_STOPPED[Job.Kind(wanted.kind)])
    return redirect(wanted)


@require_POST
@staff_only
def repeat(request: HttpRequest, pk: int) -> HttpResponse:
    """Have what a job did done once more, as a new job."""
    old = Job.objects.filter(pk=pk, kind__in=list(repeating.PERMISSIONS), state__in=Job.OVER).first()
    needed = [repeating.PERMISSIONS[old.kind]] if old else list(repeating.PERMISSIONS.values())
    if not any(request.user.has_perm(one) for one in needed):
        raise PermissionDenied("You may not begin this once more.")
    if old is None:
        raise Http404("There is no such job that could be begun once more.")
    try:
        return redirect(repeating.repeat(old, request.user))
    except _UNREPEATABLE as error:
        messages.error(request, wording.told(error))
        return redirect(old)


@require_POST
@staff_only
def try_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the images of an import that were refused another try."""
    if not request.user.has_perm("search.change_image"):
        raise PermissionDenied("You may not change images.")
    job = get_object_or_404(Job, pk=pk)
    refused = Image.objects.filter(job=job, status=Image.Status.REFUSED, trashed_at=None)
    ids = list(refused.order_by("pk").values_list("pk", flat=True))
    try:
        encoder = encoders.default()
    except encoders.NoEncoder as error:
        messages.error(request, wording.told(error))
        return redirect(job)
    n = embedding.forget(ids)
    send(encoder, ids)
    told = ngettext("%(n)s image waits for the workers.", "%(n)s images wait for the workers.", n)
    messages.success(request, told % {"n": whole(n)})
    return redirect(job)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether the images that an import added shall go; when confirmed, put them into the trash, for a day."""
    if not request.user.has_perm("search.delete_image"):
        raise PermissionDenied("You may not delete images.")
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.IMPORT, state__in=Job.OVER)
    added = Image.objects.filter(job=job, trashed_at=None)
    if request.method != "POST":
        return render(request, "search/discard.html", {"job": job, "n_images": added.count()})
    n = trash.discard(list(added.values_list("pk", flat=True)))
    told = ngettext("%(n)s image was deleted.", "%(n)s images were deleted.", n)
    back = _("Within a day, they can be brought back here.")
    messages.success(request, f"{told} {back}" % {"n": whole(n)})
    return redirect(job)


@require_POST
@staff_only
def bring_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the images of an import out of the trash."""
    if not request.user.has_perm("search.delete_image"):
        raise PermissionDenied("You may not delete images.")
    job = get_object_or_404(Job, pk=pk, kind=Job.Kind.IMPORT)
    n = trash.restore(list(Image.objects.filter(job=job, trashed_at__isnull=False).values_list("pk", flat=True)))
    told = ngettext("%(n)s image is back.", "%(n)s images are back.", n)
    messages.success(request, told % {"n": whole(n)})
    return redirect(job)
