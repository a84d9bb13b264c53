"""What goes wrong, told to programs as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError

from embeddings.images import RefusedImage

CONTENT_TYPE = "application/problem+json"
# What is told of an answer that says nothing a program could read.
_DETAILS = {
    400: "The request cannot be read. Text is sent in UTF-8, without NUL characters.",
    403: "You may not do this.",
    404: "There is nothing at this address; /api/docs lists what there is.",
    405: "This address takes other methods; the header Allow names them.",
    413: "The request is too large.",
    429: "That was more than one visitor may do in a minute. Retry-After says in how many seconds to go on.",
    500: "The server could not answer. Its log says why.",
    503: "The server's database or its broker does not answer, or is not ready yet. Try again in a few seconds.",
    507: "The server's disk is full. Nothing of the request was kept.",
}

# As RFC 9110 has it; what Python calls them depends on its version.
_CODES = {413: "content_too_large", 422: "unprocessable_content"}


class WrongOut(Schema):
    """One thing that is wrong with a request, and where: "query.limit", "body.name"."""

    where: str
    detail: str


class ProblemOut(Schema):
    """Why a request was not answered (RFC 9457). code: for programs; detail: a sentence that says what would do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[WrongOut] = []


class Problem(Exception):
    """What ends a request: the status and the body of its answer."""

    def __init__(self, status: int, code: str, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Invalid(Exception):
    """Fields of a request do not fit their description. errors: as Pydantic gives them."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


def refusals(*more: int) -> dict[Any, type[ProblemOut]]:
    """Return the answers that every address may give in place of its own, and some more, for its description."""
    return dict.fromkeys((400, 401, 403, 404, 422, *more), ProblemOut)


def problem(
    status: int, code: str, detail: str, *, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] = {}
) -> JsonResponse:
    """Return the answer that tells a problem. errors: each with `where` and `detail`."""
    title = code.replace("_", " ")
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers)


def of_status(status: int, detail: str = "") -> JsonResponse:
    """Return the answer that tells what a status alone says. detail: what there is to say beyond."""
    usual = _DETAILS.get(status, HTTPStatus(status).description or "It went wrong.")
    return problem(status, _code(status), detail or usual)


def handle(api: NinjaAPI) -> None:
    """Have the API tell all that is raised in it as problems; what nobody expected is logged by Django first."""
    api.add_exception_handler(Problem, _of_problem)
    api.add_exception_handler(Http404, lambda request, error: of_status(404))
    for invalid in (ValidationError, Invalid):
        api.add_exception_handler(invalid, _of_invalid)
    api.add_exception_handler(HttpError, _of_http_error)
    api.add_exception_handler(RefusedImage, _of_refusal)
    api.add_exception_handler(RequestDataTooBig, lambda request, error: of_status(413))
    for kind in (SuspiciousOperation, MultiPartParserError):
        api.add_exception_handler(kind, _of_unreadable)


def _of_invalid(request: HttpRequest, error: Any) -> HttpResponse:
    told = [{"where": _place(one["loc"]), "detail": str(one["msg"])} for one in error.errors]
    detail = "; ".join(f"{one['where']}: {one['detail']}" for one in told[:3])
    return problem(422, "invalid", detail, errors=told)


def _place(loc: Sequence[object]) -> str:
    """Return where a field stands, without the names that Python gives to arguments."""
    source, *rest = map(str, loc)
    inner = rest[1:] if source == "body" and len(rest) > 1 else rest
    return ".".join([source, *inner])


def _of_problem(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(error.status, error.code, error.detail, headers=error.headers)


def _of_http_error(request: HttpRequest, error: Any) -> HttpResponse:
    """Tell what Ninja refused; why it could not read a body is what that was raised from."""
    cause = error.__cause__
    if isinstance(cause, Problem):
        return _of_problem(request, cause)
    if isinstance(cause, RequestDataTooBig):
        return of_status(413)
    return problem(error.status_code, _code(error.status_code), f"{error}.".replace("..", "."))


def _of_refusal(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(status_of(error.code), error.code, error.reason)


def status_of(code: str) -> int:
    """Return the status of a refused picture."""
    return 413 if code == "too_large_file" else 422


def _of_unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    return problem(400, "bad_request", f"The body cannot be read: {error}")


def _code(status: int) -> str:
    return _CODES.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_").replace("'", "")
