"""The pages of the jobs, for staff."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from search import encoders
from search.forms.working import JobsForm
from search.models import Encoder, Image, Job
from search.training import runs
from search.training.curves import curves
from search.views.guarding import staff_only
from search.views.job_actions import n_discarded, n_to_discard
from search.work import queue
from search.work.advance import advance
from search.work.jobs import Standing, may_stop, standing
from search.work.repeating import may_repeat

PER_PAGE = 50
MAX_REFUSALS = 500
MAX_LINES = 200
QUEUES = {
    "soon": _("Embedding by the default encoder, uploads, and indexes"),
    "later": _("Evaluations, duplicates, and all that is done with the other encoders"),
    "training": _("Trainings"),
}
_WORKERS = "workers"
_SECONDS_KNOWN = 5


@never_cache
@require_safe
@staff_only
def jobs(request: HttpRequest) -> HttpResponse:
    """List the jobs, the newest first."""
    form = JobsForm(request.GET)
    wanted = {name: value for name, value in form.cleaned_data.items() if value} if form.is_valid() else {}
    page = Paginator(Job.objects.filter(**wanted).select_related("owner"), PER_PAGE).get_page(request.GET.get("page"))
    for job in page:
        job.advance = None if job.is_over else advance(job, _standing(job))  # type: ignore[attr-defined]
    is_live = not all(job.is_over for job in page)
    context = {
        "page": page,
        "form": form,
        "is_filtered": bool(wanted),
        "is_live": is_live,
        "why_waiting": _why_waiting() if is_live else "",
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1),
    }
    return render(request, "search/jobs.html", context)


@never_cache
@require_safe
@staff_only
def workers(request: HttpRequest) -> HttpResponse:
    """Show who works, and how much waits for them."""
    known = cache.get(_WORKERS)
    if known is None:
        known = queue.workers()
        cache.set(_WORKERS, known, _SECONDS_KNOWN)
    try:
        n: dict[str, int] = queue.depths()
    except Exception:  # noqa: BLE001 -- whatever the broker's client raises: the page says that it is out of reach
        n = {}
    n_pending = Image.objects.filter(status=Image.Status.PENDING).count()
    context = {
        "workers": known,
        "depths": [(name, words, n.get(name)) for name, words in QUEUES.items()],
        "n_pending": n_pending,
        "why_waiting": _why_waiting() if n_pending else "",
        "is_part": bool(request.headers.get("HX-Request")),
    }
    return render(request, "search/workers.html", context)


@never_cache
@require_safe
@staff_only
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a job: how far it is, what it was asked, what it refused."""
    shown = get_object_or_404(Job.objects.select_related("owner"), pk=pk)
    facts = facts_of(shown)
    actions = {
        "may_stop": may_stop(request.user, shown),
        "may_repeat": may_repeat(request.user, shown),
        "stop_address": reverse("stop-job", args=[pk]),
        "repeat_address": reverse("repeat-job", args=[pk]),
        "n_refused": facts["standing"].n_refused if request.user.has_perm("search.change_image") else 0,
        "n_to_discard": n_to_discard(request.user, shown),
        "n_discarded": n_discarded(request.user, shown),
    }
    return render(request, "search/job.html", facts | actions)


def facts_of(shown: Job) -> dict[str, Any]:
    """Return what the page of a job shows."""
    now = standing(shown)
    return {
        "job": shown,
        "parameters": _parameters(shown),
        "standing": now,
        "refusals": shown.refusals.all()[:MAX_REFUSALS],
        "n_refusals": shown.refusals.count(),
        "refused_images": shown.images.filter(status="refused").select_related("dataset")[:MAX_REFUSALS],
        "is_live": not shown.is_over,
        "why_waiting": _why_waiting() if now.n_pending else "",
        "advance": None if shown.is_over else advance(shown, now),
        "lines": list(reversed(shown.lines.order_by("-pk")[:MAX_LINES])),
        "curves": curves(shown.progress.get("history", [])),
        "encoder": Encoder.objects.filter(name=shown.parameters.get("encoder")).first(),
        "trained": Encoder.objects.filter(job=shown).first(),
        "evaluations": shown.evaluations.defer("details", "figures").select_related("encoder", "dataset"),
        "has_reconstructions": shown.kind == Job.Kind.TRAIN and runs.reconstructions(shown) is not None,
    }


def _parameters(job: Job) -> list[tuple[str, Any]]:
    """Return what a job was asked, as people call it; ids, and what only programs know, are left out."""
    names = {
        "also": _("Datasets beside it"), "backbone": _("Backbone"), "dataset": _("Dataset"), "datasets": _("Datasets"),
        "encoder": _("Encoder"), "encoders": _("Encoders"), "epochs": _("Epochs"),
        "gallery_split": _("Split of the gallery"), "label": _("Label"), "labels": _("Labels from"),
        "max_queries": _("Queries at most"), "name": _("Name"), "path": _("Path"), "preset": _("Recipe"),
        "protocol": _("Protocol"), "queries_dataset": _("Queries from"), "queries_split": _("Split of the queries"),
        "seed": _("Seed"), "split": _("Split"),
    }  # fmt: skip
    return [
        (names.get(name, name), value)
        for name, value in job.parameters.items()
        if name != "way" and not name.endswith(("_id", "_ids"))
    ]


def _why_waiting() -> str:
    """Return why no picture that waits is embedded now, as far as that is for its encoder."""
    default = Encoder.objects.filter(is_default=True).first()
    return encoders.why_unusable(default) if default else ""


def _standing(job: Job) -> Standing | None:
    is_waiting = job.kind == Job.Kind.IMPORT and job.state == Job.State.EMBEDDING
    return standing(job) if is_waiting else None
