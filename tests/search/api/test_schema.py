"""What the API says of itself, and whether it keeps to it whatever it is sent, by anybody or by staff with a token."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from search import tokens
from search.models import ApiToken, Image, Job

AddImage = Callable[..., Image]


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Let requests leave the connection of the test alone, as Django's own client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def described(one_connection: None, add_image: AddImage) -> Any:
    """The description of the API, over a gallery with something of each kind in it."""
    for colour in ("red", "blue", "green"):
        add_image(colour, label="warm", tags=["plain"])
    Job.objects.create(kind=Job.Kind.IMPORT, state=Job.State.DONE)
    return schemathesis.openapi.from_wsgi("/api/openapi.json", get_wsgi_application())


@pytest.fixture
def bearer(db: None) -> dict[str, str]:
    """What a program of a superuser sends along."""
    chief = get_user_model().objects.create_user("chief", is_staff=True, is_superuser=True)
    made = tokens.make(chief, "all", ApiToken.Scope.values, timedelta(days=1))
    return {"Authorization": f"Bearer {made.secret}"}


# What is of the right kind may still be no picture, no vector of the encoder that is named, no group.
MEANS_MORE = [positive_data_acceptance]
LABELS = {
    "POST /api/v1/search",
    "POST /api/v1/datasets",
    "PATCH /api/v1/datasets/{slug}",
    "POST /api/v1/datasets/{slug}/images",
    "POST /api/v1/evaluations",
}
FEW = 4
MANY = 120  # for each operation, of each kind, by each caller


def attempt(operation: Any, mode: GenerationMode, headers: dict[str, str], most: int) -> int:
    """Send what an address describes, or what it does not, and hold the answers against its description.

    Return how many calls that were; fewer than `most` where there is no more to vary.
    """
    n_sent = 0

    @hypothesis.settings(
        max_examples=most,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        nonlocal n_sent
        n_sent += 1
        excluded = MEANS_MORE if operation.label in LABELS else []
        if headers and lacks_its_token(case):
            excluded = [*excluded, negative_data_rejection]
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    send()
    return n_sent


def lacks_its_token(case: Any) -> bool:
    """Return whether a call is wrong by its headers, which are replaced by those of the caller before it is sent."""
    header = case.meta.components.get(ParameterLocation.HEADER)
    return header is not None and header.mode.is_negative


def attempt_all(described: Any, mode: GenerationMode, headers: dict[str, str], most: int) -> int:
    """Attempt every operation; return how many calls that were, or fail with all that is not as described."""
    n_sent, failures = 0, []
    for found in described.get_all_operations():
        operation = found.ok()
        try:
            n_sent += attempt(operation, mode, headers, most)
        except FailureGroup as error:
            failures.append(f"{operation.label}: {error}")
    assert not failures, "\n".join(failures)
    return n_sent


everybody = pytest.mark.parametrize("who", ["anybody", "bearer"])
all_kinds = pytest.mark.parametrize("mode", list(GenerationMode))


@all_kinds
@everybody
def test_every_answer_is_as_described(described: Any, bearer: dict[str, str], who: str, mode: GenerationMode) -> None:
    attempt_all(described, mode, bearer if who == "bearer" else {}, FEW)


@pytest.mark.thorough
@all_kinds
@everybody
def test_ten_thousand_calls_in_four_parts(
    described: Any, bearer: dict[str, str], who: str, mode: GenerationMode
) -> None:
    assert attempt_all(described, mode, bearer if who == "bearer" else {}, MANY) >= 2_500
