"""Evaluations: how good searches were found to be; and asking for new ones."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Path, Router, Schema, Status
from pydantic import Field

from search.api import fields
from search.api.access import ANYBODY, JOBS, READING, seen_dataset
from search.api.fields import WHOLE, Body, Cursor, Limit, page_of
from search.api.jobs import JobOut
from search.api.problems import Problem, refusals
from search.asking.examples import LARGEST_ID
from search.encoders import NoEncoder
from search.evaluation import running
from search.evaluation.protocol import CannotEvaluate, Protocol
from search.models import Evaluation
from search.reports import exporting

router = Router(tags=["evaluations"])
EvaluationId = Annotated[int, Path(..., ge=1, le=LARGEST_ID)]
AnySplit = Literal["", "all", "none", "train", "val", "test"]
Name = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=110)]


class EvaluationOut(Schema):
    """How good the search of an encoder over a dataset was. metrics: means; intervals: the 95 % interval of each."""

    id: int
    encoder: str
    dataset: str
    queries_dataset: str
    protocol: dict[str, Any]
    n_queries: int
    n_gallery: int
    metrics: dict[str, float | None]
    intervals: dict[str, Any]
    created_at: datetime
    url: str


class EvaluationReadOut(EvaluationOut):
    """An evaluation with all that its page and its file tell: by label, in time, beside the index."""

    report: dict[str, Any]


class EvaluationsOut(Schema):
    """A page of evaluations, the newest first."""

    items: list[EvaluationOut]
    next_cursor: int | None


class EvaluationIn(Body):
    """What asks what. encoders: by name; none means all. Splits that are left out are chosen as on the page."""

    dataset: Name
    encoders: Annotated[list[Name], Field(max_length=100)] = []
    queries_dataset: Name = ""
    queries_split: AnySplit = ""
    gallery_split: AnySplit = ""
    max_queries: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] = 10_000
    seed: Annotated[int, Field(ge=0, lt=2**32), WHOLE] = 0


@router.get(
    "", auth=READING, response={200: EvaluationsOut, **refusals()}, openapi_extra=ANYBODY, summary="List evaluations"
)
def list_evaluations(
    request: HttpRequest, cursor: Cursor, limit: Limit, dataset: fields.Text = "", encoder: fields.Text = ""
) -> dict[str, Any]:
    """List the evaluations of datasets that you may see. dataset: its slug."""
    rows = Evaluation.objects.visible_to(request.user).defer("figures", "details")
    wanted = {name: value for name, value in {"dataset__slug": dataset, "encoder__name": encoder}.items() if value}
    rows = rows.filter(**wanted).select_related("encoder", "dataset", "queries_dataset")
    page = page_of(rows, cursor, limit, newest_first=True)
    return {**page, "items": [_told(one) for one in page["items"]]}


@router.get(
    "/{evaluation_id}",
    auth=READING,
    response={200: EvaluationReadOut, **refusals()},
    openapi_extra=ANYBODY,
    summary="Read an evaluation",
)
def read_evaluation(request: HttpRequest, evaluation_id: EvaluationId) -> dict[str, Any]:
    rows = Evaluation.objects.visible_to(request.user).defer("figures")
    found = rows.select_related("encoder", "dataset", "queries_dataset").filter(pk=evaluation_id).first()
    if found is None:
        raise Problem(404, "not_found", f"There is no evaluation {evaluation_id}.")
    return {**_told(found), "report": exporting.evaluation(found)}


@router.post("", auth=JOBS, response={202: JobOut, **refusals(413, 415, 503)}, summary="Ask for an evaluation")
def ask_for_evaluation(request: HttpRequest, body: EvaluationIn, response: HttpResponse) -> Status[Any]:
    """Have searches evaluated by a worker. It is for staff with the permission to add evaluations."""
    if not (getattr(request.user, "is_staff", False) and request.user.has_perm("search.add_evaluation")):
        raise Problem(403, "forbidden", "You may not evaluate searches.")
    dataset = seen_dataset(request, body.dataset)
    asking = seen_dataset(request, body.queries_dataset) if body.queries_dataset else dataset
    wanted = Protocol(
        dataset=dataset,
        queries_dataset=asking,
        queries_split=body.queries_split,
        gallery_split=body.gallery_split,
        max_queries=body.max_queries,
        seed=body.seed,
    )
    try:
        job = running.begin(wanted, body.encoders, owner=request.user)
    except CannotEvaluate as error:
        raise Problem(422, "cannot_evaluate", str(error)) from error
    except NoEncoder as error:
        raise Problem(422 if body.encoders else 503, "no_encoder", str(error)) from error
    running.send(job)
    job.refresh_from_db()
    response["Location"] = reverse("api-1:read_job", args=[job.pk])
    return Status(202, job)


def _told(one: Evaluation) -> dict[str, Any]:
    return {
        "id": one.pk,
        "encoder": one.encoder.name,
        "dataset": one.dataset.slug,
        "queries_dataset": one.queries_dataset.slug,
        "protocol": one.protocol,
        "n_queries": one.n_queries,
        "n_gallery": one.n_gallery,
        "metrics": one.metrics,
        "intervals": one.intervals,
        "created_at": one.created_at,
        "url": one.get_absolute_url(),
    }
