"""The pages of evaluations: one encoder on one dataset, all encoders on it, and, for staff, beginning one."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from search.encoders import NoEncoder
from search.evaluation import comparing, running
from search.evaluation.comparing import Comparison
from search.evaluation.protocol import CannotEvaluate
from search.forms.evaluating import EvaluationForm
from search.judging import votes
from search.language.wording import told
from search.models import Dataset, Encoder, Evaluation
from search.reports import exporting, showing
from search.training.curves import curves
from search.views.attaching import attached
from search.views.guarding import staff_only


@require_safe
def evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an evaluation to those who may see its datasets."""
    known = _visible(request)
    shown = get_object_or_404(known, pk=pk)
    others = known.defer("details", "figures").filter(encoder=shown.encoder, dataset=shown.dataset).exclude(pk=pk)
    # What it was trained on may be private.
    training = shown.encoder.spec.get("training", {}) if request.user.is_staff else {}
    context = {
        "evaluation": shown,
        "shown": showing.show(shown),
        "others": others[:20],
        "curves": curves(training.get("history", [])),
        "classes": _worst_first(shown),
        "without": _with_and_without(shown),
        "times": [(words, shown.latency[name]) for name, words in _TIMES.items() if shown.latency.get(name)],
        "search_ms": sum(shown.latency.get(name, {}).get("p50", 0.0) for name in _TIMES),
    }
    return render(request, "search/evaluation.html", context)


@require_safe
def evaluation_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve an evaluation as JSON."""
    shown = get_object_or_404(_visible(request), pk=pk)
    return attached(JsonResponse(exporting.evaluation(shown)), f"{shown.dataset.slug}-{shown.encoder.name}.json")


def _visible(request: HttpRequest) -> QuerySet[Evaluation]:
    """Return the evaluations whose queries and gallery one may see."""
    known = Evaluation.objects.visible_to(request.user).defer("figures")
    return known.select_related("encoder", "dataset", "queries_dataset")


_TIMES = {
    "decode": _("Decode the picture"),
    "encode": _("Encode it"),
    "search": _("Search, with all that is shown of a hit"),
}


def _worst_first(shown: Evaluation) -> list[dict[str, object]]:
    """Return the figures of each label; a name with an @ cannot be looked up in a template."""
    classes = sorted(shown.details.get("classes", []), key=lambda one: one["metrics"]["map"])
    return [one | {"precision": one["metrics"]["precision@1"]} for one in classes]


def _with_and_without(shown: Evaluation) -> list[float | None]:
    """Return precision@1 without near-duplicates, and with them."""
    return [one.get("precision@1") for one in (shown.details.get("leaks", {}).get("metrics", {}), shown.metrics)]


@require_safe
def comparison(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare the encoders that were evaluated on a dataset."""
    shown = _visible_dataset(request, slug)
    found = _comparison(shown, request)
    context = {
        "dataset": shown,
        "comparison": found,
        "plots": exporting.plots(found) if found else [],
        "kinds": [("csv", "CSV"), ("json", "JSON"), ("md", "Markdown"), ("html", _("Report"))],
        "n_encoders": Encoder.objects.count(),
        "votes": votes.tally(shown, request.user),
    }
    return render(request, "search/comparison.html", context)


def _visible_dataset(request: HttpRequest, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)


def _comparison(dataset: Dataset, request: HttpRequest) -> Comparison | None:
    kept = comparing.latest(Evaluation.objects.visible_to(request.user).filter(dataset=dataset))
    by = request.GET.get("by", "")
    return comparing.compare(kept, by if by in comparing.COLUMNS else comparing.DEFAULT) if kept else None


FILES: dict[str, tuple[Callable[[Comparison], str], str]] = {
    "csv": (exporting.as_csv, "text/csv; charset=utf-8"),
    "md": (exporting.as_markdown, "text/markdown; charset=utf-8"),
    "html": (exporting.as_html, "text/html; charset=utf-8"),
}


@require_safe
def comparison_file(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Serve a comparison as a file: csv, json, md or html."""
    shown = _visible_dataset(request, slug)
    found = _comparison(shown, request)
    if found is None or kind not in {*FILES, "json"}:
        raise Http404("There is no such file.")
    if kind == "json":
        response: HttpResponse = JsonResponse(found.as_json())
    else:
        write, content_type = FILES[kind]
        response = HttpResponse(write(found), content_type=content_type)
    return attached(response, f"{shown.slug}-encoders.{kind}")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def evaluate(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask which encoders shall be evaluated on a dataset, and how; begin it and lead to its job."""
    if not request.user.has_perm("search.add_evaluation"):
        raise PermissionDenied("You may not evaluate searches.")
    shown = _visible_dataset(request, slug)
    form = EvaluationForm(request.POST or None, dataset=shown, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            job = running.begin(form.protocol(), form.cleaned_data["encoders"], owner=request.user)
        except (CannotEvaluate, NoEncoder) as error:
            form.add_error(None, told(error))
        else:
            running.send(job)
            return redirect(job)
    context = {"dataset": shown, "form": form}
    return render(request, "search/evaluate.html", context, status=422 if form.is_bound and form.errors else 200)
