"""Pictures and archives are uploaded into a dataset: file by file from a script, or several in one form without."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler, TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from embeddings.images import RefusedImage
from embeddings.images.decoding import MAX_FILE_BYTES, check_file_size
from search.files.arriving import ArchivesOnDisk, FileOnDisk, LimitedByKind
from search.forms.uploads import FilesForm
from search.ingest import archives, uploads
from search.ingest.errors import DatasetDeleted
from search.ingest.sources import READ_ENDINGS
from search.language.numbers import whole
from search.language.wording import told
from search.models import Dataset, Job
from search.views.guarding import of_own_dataset
from search.views.job_actions import WHEN_STOPPED
from search.views.jobs import facts_of
from search.work import repeating
from search.work.jobs import can_be_stopped, cancel

N_RECENT = 10


@csrf_exempt
def upload(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show the page, and take what its form sends."""
    _stream(request)
    return _upload(request, slug=slug)


@csrf_exempt
def send(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Take one file of a job, and say as JSON what became of it."""
    _stream(request)
    return _send(request, slug=slug)


def _stream(request: HttpRequest) -> None:
    """Have files written where they stay. Before anything reads the request; so the token is checked afterwards."""
    if request.content_type == "multipart/form-data":  # a form without files has been read already
        request.upload_handlers = [
            LimitedByKind(request),
            ArchivesOnDisk(request),
            MemoryFileUploadHandler(request),
            TemporaryFileUploadHandler(request),
        ]


@csrf_protect
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@of_own_dataset
def _upload(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    form = FilesForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        files = request.FILES.getlist("files")
        if files:
            job = _take_all(request, dataset, files, form.cleaned_data)
            return redirect("upload-job", slug=dataset.slug, pk=job.pk)
        form.add_error(None, _("Choose some pictures or an archive first."))
    context = {
        "dataset": dataset,
        "form": form,
        "max_bytes": MAX_FILE_BYTES,
        "max_archive_bytes": settings.MAX_ARCHIVE_BYTES,
        "limits": [f"{whole(n // 1_000_000)} MB" for n in (MAX_FILE_BYTES, settings.MAX_ARCHIVE_BYTES)],
        "archive_endings": ",".join(READ_ENDINGS),
        "recent": _jobs_of(dataset)[:N_RECENT],
    }
    return render(request, "search/upload.html", context, status=422 if form.is_bound and form.errors else 200)


def _take_all(request: HttpRequest, dataset: Dataset, files: list[UploadedFile[bytes]], wanted: dict[str, Any]) -> Job:
    """Take what a form has sent; return the job to look at. Each archive is a job of its own."""
    packed = [file for file in files if isinstance(file, FileOnDisk)]
    pictures = [file for file in files if not isinstance(file, FileOnDisk)]
    sent = [(file.name or "", _archive(request, dataset, file, wanted)) for file in packed]
    kept = [one for _name, one in sent if isinstance(one, Job)]
    if len(kept) == len(files):
        return kept[-1]
    job = uploads.begin(dataset, request.user)
    for name, why in sent:
        if isinstance(why, RefusedImage):
            uploads.refuse(job, name, why)
    outcomes = [_picture(job, dataset, file, wanted).kind for file in pictures]
    uploads.end(job)
    n = outcomes.count("added")
    said = ngettext("%(n)d picture is new here.", "%(n)d pictures are new here.", n) % {"n": n}
    messages.success(request, said)
    return job


@csrf_protect
@require_POST
@of_own_dataset
def _send(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    form = FilesForm(request.POST)
    file = request.FILES.get("file")
    if file is None or not form.is_valid():
        return JsonResponse({"outcome": "refused", "reason": _("The request has no file in it.")}, status=400)
    if isinstance(file, FileOnDisk):
        kept = _archive(request, dataset, file, form.cleaned_data)
        if isinstance(kept, RefusedImage):
            return JsonResponse({"outcome": "refused", "reason": told(kept.reason)})
        return JsonResponse({"outcome": "archive", "job": _address(dataset, kept)})
    job = _begun(request, dataset)
    if job is None:
        return _ended()
    try:
        outcome = _picture(job, dataset, file, form.cleaned_data)
    except DatasetDeleted as error:
        return JsonResponse({"outcome": "refused", "reason": told(error)}, status=410)
    answer = {"outcome": outcome.kind, "reason": told(outcome.reason)}
    if outcome.image is not None:
        answer["image"] = outcome.image.get_absolute_url()
    return JsonResponse(answer)


@require_POST
@of_own_dataset
def begin(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Begin the job of the files that a page is going to send."""
    job = uploads.begin(dataset, request.user)
    return JsonResponse({"job": job.pk, "url": _address(dataset, job)})


@require_POST
@of_own_dataset
def end(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """End the job: all files are sent."""
    job = _begun(request, dataset)
    if job is None:
        return _ended()
    uploads.end(job)
    return JsonResponse({"url": _address(dataset, job)})


@never_cache
@require_safe
@of_own_dataset
def job(request: HttpRequest, dataset: Dataset, pk: int) -> HttpResponse:
    """Show how far an upload into a dataset is, and what it refused."""
    shown = get_object_or_404(_jobs_of(dataset).select_related("owner"), pk=pk)
    actions = {
        "may_stop": can_be_stopped(shown),
        "may_repeat": archives.may_begin_again(shown),
        "stop_address": reverse("stop-upload", args=[dataset.slug, pk]),
        "repeat_address": reverse("repeat-upload", args=[dataset.slug, pk]),
    }
    return render(request, "search/job.html", facts_of(shown) | actions | {"dataset": dataset})


@require_POST
@of_own_dataset
def stop(request: HttpRequest, dataset: Dataset, pk: int) -> HttpResponse:
    """Ask whoever works on an upload to stop."""
    wanted = get_object_or_404(_jobs_of(dataset), pk=pk)
    if cancel(wanted):
        messages.info(request, WHEN_STOPPED[Job.Kind.IMPORT])
    return redirect("upload-job", slug=dataset.slug, pk=pk)


@require_POST
@of_own_dataset
def repeat(request: HttpRequest, dataset: Dataset, pk: int) -> HttpResponse:
    """Have an archive whose import was stopped read once more."""
    old = get_object_or_404(_jobs_of(dataset), pk=pk)
    try:
        new = repeating.repeat_import(old, request.user)
    except repeating.CannotRepeat as error:
        messages.error(request, told(error))
        return redirect("upload-job", slug=dataset.slug, pk=pk)
    return redirect("upload-job", slug=dataset.slug, pk=new.pk)


def _picture(job: Job, dataset: Dataset, file: UploadedFile[bytes], wanted: dict[str, Any]) -> uploads.Outcome:
    try:
        check_file_size(file.size or 0)
    except RefusedImage as error:
        return uploads.refuse(job, file.name or "", error)
    return uploads.take(job, dataset, file.name or "", file.read(), label=wanted["label"], split=wanted["split"])


def _archive(request: HttpRequest, dataset: Dataset, file: FileOnDisk, wanted: dict[str, Any]) -> Job | RefusedImage:
    """Leave an archive to the workers; return its job, or why it is not taken."""
    if (file.size or 0) > settings.MAX_ARCHIVE_BYTES:
        limit = settings.MAX_ARCHIVE_BYTES // 1_000_000
        return RefusedImage("too_large_file", f"An archive may have {limit:,} MB here. Divide it into smaller ones.")
    if not file.size:
        return RefusedImage("empty", "The file is empty.")
    options = {"label": wanted["label"], "split": wanted["split"], "folders": wanted["folders"]}
    return archives.begin(dataset, file, request.user, **options)


def _begun(request: HttpRequest, dataset: Dataset) -> Job | None:
    text = request.POST.get("job", "")
    return uploads.begun(int(text), dataset, request.user) if text.isdecimal() and len(text) < 19 else None


def _ended() -> HttpResponse:
    return JsonResponse({"outcome": "ended", "reason": _("This upload has ended. Begin another one.")}, status=409)


def _jobs_of(dataset: Dataset) -> Any:
    return Job.objects.filter(kind=Job.Kind.IMPORT, parameters__dataset_id=dataset.pk)


def _address(dataset: Dataset, job: Job) -> str:
    return redirect("upload-job", slug=dataset.slug, pk=job.pk)["Location"]
