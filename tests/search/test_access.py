"""Who may open what: every address and method by every role, and a private dataset that shows through nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from search.models import Dataset, Evaluation, Image, Job
from tests.conftest import png

AddImage = Callable[..., Image]
ROLES = ("anonymous", "stranger", "member", "owner", "staff", "superuser")
# Everybody; those who may see the dataset; staff; those with permissions; and those who may change the dataset, where a
# page is shown, where one is led back, and in the API.
ALL = "200 200 200 200 200 200"
SEES = "404 404 200 200 200 200"
STAFF = "302 403 403 403 200 200"
RIGHTS = "302 403 403 403 403 200"
OWN = "404 404 403 200 403 200"
OWN_DONE = "404 404 403 302 403 302"
BY_TOKEN = "401 404 403 200 403 200"
SECRETS = ("Herbarium", "herbarium", "nightshade", "hemlock", "poison", "cellar", "first.png", "second.png")


class Door(NamedTuple):
    """An address, how it is asked for, and what each role is answered, in the order of ROLES."""

    name: str
    arguments: tuple[str, ...] = ()  # names of attributes of `World`, or what stands between quotes
    method: str = "get"
    answers: str = ALL
    fields: str = ""  # of the query or the form; or JSON


@dataclass(frozen=True, kw_only=True)
class World:
    """A private dataset among public ones, and what there is of it."""

    herbarium: str
    image: Image
    other: Image
    evaluation: Evaluation
    job: Job
    training: Job
    users: dict[str, User | None]

    def words(self) -> dict[str, str]:
        """Return what stands for the placeholders of the table."""
        return {
            "slug": self.herbarium,
            "image": str(self.image.pk),
            "version": self.image.sha256[:12],
            "evaluation": str(self.evaluation.pk),
            "other": str(self.other.pk),
            "job": str(self.job.pk),
            "training": str(self.training.pk),
        }


@pytest.fixture
def world(add_image: AddImage, dataset: Dataset, django_user_model: type[User]) -> World:
    make = django_user_model.objects.create_user
    users: dict[str, User | None] = {
        "anonymous": None,
        "stranger": make("sam"),
        "member": make("mary"),
        "owner": make("olga"),
        "staff": make("stan", is_staff=True),
        "superuser": make("sue", is_staff=True, is_superuser=True),
    }
    herbarium = Dataset.objects.create(name="Herbarium", is_public=False, owner=users["owner"])
    herbarium.groups.add(group := Group.objects.create(name="botanists"))
    users["member"].groups.add(group)  # type: ignore[union-attr]
    for n, colour in enumerate(["red", "orange", "blue", "navy"]):
        add_image(colour, label="public warm" if n < 2 else "public cold")
    job = Job.objects.create(kind="import", state="done", parameters={"path": "cellar", "dataset": "Herbarium"})
    training = Job.objects.create(kind="train", state="failed", parameters={"preset": "linear-head"})
    images = [
        add_image(
            content=png(colour, (65, 49)),
            dataset=herbarium,
            label="nightshade" if n < 2 else "hemlock",
            tags=["poison"],
            source=f"cellar/{'first' if n else 'second'}.png",
            job=job,
        )
        for n, colour in enumerate(["red", "orange", "blue", "navy"])
    ]
    call_command("evaluate_search", dataset="herbarium")
    return World(
        herbarium=herbarium.slug,
        image=images[0],
        other=images[1],
        evaluation=Evaluation.objects.get(),
        job=job,
        training=training,
        users=users,
    )


TABLE = [
    Door("search"),
    Door("search", fields="image={image}", answers="404 404 200 200 200 200"),
    Door("search", fields="dataset={slug}&words=nightshade", answers="400 400 200 200 200 200"),
    Door("search", method="post", answers="422 422 422 422 422 422"),
    Door("results-file", ("'csv'",), fields="image={image}", answers=SEES),
    Door("results-file", ("'json'",), fields="image={image}", answers=SEES),
    Door("search-by-link", method="post", answers="422 422 422 422 422 422"),
    Door("vote", method="post", answers="400 400 400 400 400 400"),
    Door("keep-marks", method="post", fields="image={image}", answers="302 303 303 303 303 303"),
    Door("regions", fields="image={image}", answers=SEES),
    Door("why", ("image",), fields="image={image}", answers=SEES),
    Door("selection", method="post", fields="do=json&chosen={image}", answers="303 303 200 200 200 200"),
    Door("selection", method="post", fields="do=label&new_label=x&chosen={image}", answers="303 303 303 303 303 303"),
    Door("undo-labels", method="post", answers="303 303 303 303 303 303"),
    Door("query-picture", ("'none'",), answers="404 404 404 404 404 404"),
    Door("image", ("image",), answers=SEES),
    Door("picture", ("image", "version"), answers=SEES),
    Door("thumbnail", ("image", "version"), answers=SEES),
    Door("datasets"),
    Door("dataset", ("slug",), answers=SEES),
    Door("new-dataset", answers="302 403 403 403 403 200"),
    Door("new-dataset", method="post", fields="name=New", answers="302 403 403 403 403 302"),
    Door("edit-dataset", ("slug",), answers=OWN),
    Door("edit-dataset", ("slug",), "post", OWN_DONE, "name=Flora"),
    Door("delete-dataset", ("slug",), answers=OWN),
    Door("delete-dataset", ("slug",), "post", OWN_DONE),
    Door("restore-dataset", (), "post", "404 404 404 404 404 404", "dataset=1"),
    Door("restore-images", (), "post", "303 303 303 303 303 303"),
    Door("upload", ("slug",), answers=OWN),
    Door("upload", ("slug",), "post", "404 404 403 422 403 422"),
    Door("begin-upload", ("slug",), "post", OWN),
    Door("upload-file", ("slug",), "post", "404 404 403 400 403 400"),
    Door("end-upload", ("slug",), "post", "404 404 403 409 403 409", "job=1"),
    Door("upload-job", ("slug", "job"), answers="404 404 403 404 403 404"),
    Door("stop-upload", ("slug", "job"), "post", "404 404 403 404 403 404"),
    Door("repeat-upload", ("slug", "job"), "post", "404 404 403 404 403 404"),
    Door("statistics", ("slug",), answers=OWN),
    Door("export", ("slug",), answers=OWN),
    Door("export-file", ("slug", "'csv'"), answers=OWN),
    Door("export-file", ("slug", "'zip'"), answers=OWN),
    Door("deleted", ("slug",), answers=OWN),
    Door("deleted-thumbnail", ("slug", "image", "version"), answers="404 404 403 404 403 404"),
    Door("duplicates", ("slug",), answers=OWN),
    Door("duplicates", ("slug",), "post", "404 404 403 303 403 303", "do=find"),
    Door("duplicate-decisions", ("slug",), answers=OWN),
    Door("compare-duplicates", ("slug", "image", "other"), answers="404 404 403 404 403 404"),
    Door("evaluate", ("slug",), answers="302 403 403 403 403 200"),
    Door("evaluate", ("slug",), "post", answers="302 403 403 403 403 200"),
    Door("comparison", ("slug",), answers=SEES),
    Door("comparison-file", ("slug", "'csv'"), answers=SEES),
    Door("evaluation", ("evaluation",), answers=SEES),
    Door("evaluation-file", ("evaluation",), answers=SEES),
    Door("jobs", answers=STAFF),
    Door("job", ("job",), answers=STAFF),
    Door("import-report", ("job", "'json'"), answers=STAFF),
    Door("import-report", ("job", "'csv'"), answers=STAFF),
    Door("workers", answers=STAFF),
    Door("stop-job", ("job",), "post", answers="302 403 403 403 403 302"),
    Door("repeat-job", ("job",), "post", answers="302 403 403 403 403 302"),
    Door("try-again", ("job",), "post", answers="302 403 403 403 403 302"),
    Door("discard-job", ("job",), answers=RIGHTS),
    Door("discard-job", ("job",), "post", answers="302 403 403 403 403 302"),
    Door("bring-back", ("job",), "post", answers="302 403 403 403 403 302"),
    Door("go-on-training", ("training",), "post", answers="302 403 403 403 403 302"),
    Door("reconstructions", ("training",), answers="302 403 403 403 404 404"),
    Door("train", answers=RIGHTS),
    Door("train", method="post", answers=RIGHTS),
    Door("encoders"),
    Door("encoder", ("'colours'",)),
    Door("make-default", ("'colours'",), answers=RIGHTS),
    Door("make-default", ("'colours'",), "post", answers="302 403 403 403 403 302"),
    Door("install-encoder", answers=RIGHTS),
    Door("install-encoder", method="post", answers="302 403 403 403 403 404"),
    Door("embed", ("'colours'",), "post", answers="302 403 403 403 403 302"),
    Door("embed-imports", ("'colours'",), "post", answers="302 403 403 403 403 302"),
    Door("remove-encoder", ("'colours'",), answers=RIGHTS),
    Door("remove-encoder", ("'colours'",), "post", answers="302 403 403 403 403 409"),
    Door("metrics", answers=ALL),
    Door("tokens", answers="302 200 200 200 200 200"),
    Door("tokens", method="post", answers="302 422 422 422 422 422"),
    Door("revoke-token", ("'1'",), "post", "302 404 404 404 404 404"),
    Door("healthz"),
    Door("readyz", answers="503 503 503 503 503 503"),
    Door("login", answers="200 302 302 302 302 302"),
    Door("login", method="post", answers="200 302 302 302 302 302"),
    Door("logout", method="post", answers="302 302 302 302 302 302"),
    Door("set_language", method="post", fields="language=de", answers="302 302 302 302 302 302"),
    Door("api-1:openapi-json"),
    Door("api-1:openapi-view"),
    Door("api-1:search", method="post", fields="image_id={image}", answers=SEES),
    Door("api-1:search", method="post", fields="image_id={image}&dataset={slug}", answers=SEES),
    Door("api-1:list_datasets"),
    Door("api-1:make_dataset", (), "post", "401 403 403 403 403 201", '{"name": "New"}'),
    Door("api-1:read_dataset", ("slug",), answers=SEES),
    Door("api-1:change_dataset", ("slug",), "patch", BY_TOKEN, '{"description": "Plants"}'),
    Door("api-1:delete_dataset", ("slug",), "delete", "401 404 403 204 403 204"),
    Door("api-1:restore_dataset", ("slug",), "post", BY_TOKEN),
    Door("api-1:list_images", ("slug",), answers=SEES),
    Door("api-1:list_duplicates", ("slug",), answers=BY_TOKEN),
    Door("api-1:find_duplicates", ("slug",), "post", "401 404 403 202 403 202", "{}"),
    Door("api-1:list_decisions", ("slug",), answers=BY_TOKEN),
    Door("api-1:decide", ("slug",), "post", "401 404 403 409 403 409", '{"images": [1, 2]}'),
    Door("api-1:undo", ("slug", "'00000000-0000-0000-0000-000000000000'"), "post", "401 404 403 409 403 409"),
    Door("api-1:upload", ("slug",), "post", "401 422 422 422 422 422"),
    Door("api-1:read_image", ("image",), answers=SEES),
    Door("api-1:change_image", ("image",), "patch", BY_TOKEN, '{"label": "belladonna"}'),
    Door("api-1:delete_image", ("image",), "delete", "401 404 403 204 403 204"),
    Door("api-1:restore_image", ("image",), "post", BY_TOKEN),
    Door("api-1:picture", ("image",), answers=SEES),
    Door("api-1:thumbnail", ("image",), answers=SEES),
    Door("api-1:vector", ("image",), answers=SEES),
    Door("api-1:list_encoders"),
    Door("api-1:read_encoder", ("'colours'",)),
    Door("api-1:list_evaluations"),
    Door("api-1:read_evaluation", ("evaluation",), answers=SEES),
    Door("api-1:ask_for_evaluation", (), "post", "401 403 403 403 403 202", '{"dataset": "SLUG"}'),
    Door("api-1:list_jobs", answers="401 200 200 200 200 200"),
    Door("api-1:read_job", ("job",), answers="401 404 404 404 200 200"),
    Door("api-1:stop_job", ("job",), "post", "401 404 404 404 403 409"),
    Door("api-1:search_by_another_method", answers="405 405 405 405 405 405"),
]
# Where nothing can be asked for: the root of the API only helps to make addresses.
NO_DOORS = {"api-1:api-root"}


def test_each_role_is_answered_as_it_should_be(world: World) -> None:
    wrong = {}
    clients = [signed_in(user) for user in world.users.values()]
    for door in TABLE:
        given = [answer(world, door, client) for client in clients]
        if given != door.answers.split():
            wrong[f"{door.method} {door.name} {door.fields}"] = dict(zip(ROLES, given, strict=True))
    assert wrong == {}


def signed_in(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def answer(world: World, door: Door, client: Client) -> str:
    """Return the status that is answered. What the request changes is undone, in the client too."""
    address, fields, options = how_to_ask(world, door)
    cookies = copy(client.cookies)
    with transaction.atomic():
        response = getattr(client, door.method)(address, fields, **options)
        _ = content_of(response)
        transaction.set_rollback(True)
    client.cookies = cookies
    return str(response.status_code)


def test_every_address_is_in_the_table() -> None:
    named = {door.name for door in TABLE} | NO_DOORS
    assert {name for name in names() if not name.startswith("admin:")} == named


@pytest.mark.parametrize("role", ["anonymous", "stranger"])
def test_a_private_dataset_shows_through_nowhere(world: World, role: str) -> None:
    """What strangers can read, with a public picture that is nearly the private one, tells nothing of that."""
    public = Image.objects.filter(dataset__is_public=True).order_by("pk")
    client, near = signed_in(world.users[role]), public[0]
    hidden = (*SECRETS, f"/images/{world.image.pk}/", world.image.sha256[:12])
    for address in (
        "/",
        f"/?image={near.pk}",
        f"/?image={near.pk}&image={public[1].pk}&less={public[3].pk}",
        f"/?image={near.pk}&k=100&sort=date",
        "/?words=png",
        "/?tag=nothing",
        "/datasets/",
        "/datasets/colours/",
        "/encoders/",
        "/encoders/colours/",
        f"/images/{near.pk}/",
        f"/results.csv?image={near.pk}&k=100",
        f"/results.json?image={near.pk}&k=100",
        f"/regions.json?image={near.pk}",
        "/images/999999999/",
        "/datasets/nothing/",
        f"/images/{world.image.pk}/",
        f"/?image={world.image.pk}",
        f"/?image={near.pk}&dataset=nothing",
        "/api/openapi.json",
        "/api/v1/datasets",
        "/api/v1/datasets/colours",
        "/api/v1/datasets/colours/images",
        "/api/v1/encoders",
        "/api/v1/evaluations",
        "/datasets/colours/statistics/",
        "/metrics",
    ):
        text = content_of(client.get(address)).decode(errors="replace")
        assert [secret for secret in hidden if secret in text.replace(address, "")] == [], address
    for fields in ({"image_id": near.pk, "k": 100}, {"image_id": near.pk, "dataset": "nothing"}):
        text = client.post("/api/v1/search", fields).text
        assert [secret for secret in hidden if secret in text] == [], fields


def test_absent_and_forbidden_look_alike(world: World) -> None:
    client = Client()
    absent, last = 10**9, Image.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for there, nowhere in (
        (f"/images/{last}/", f"/images/{absent}/"),
        (f"/datasets/{world.herbarium}/", "/datasets/nothing-x/"),
        (f"/evaluations/{world.evaluation.pk}/", f"/evaluations/{absent}/"),
    ):
        answers = [client.get(address) for address in (there, nowhere)]
        assert answers[0].status_code == answers[1].status_code == 404
        texts = [answer.text.replace(address, "") for answer, address in zip(answers, (there, nowhere), strict=True)]
        assert strip_tokens(texts[0]) == strip_tokens(texts[1])
    found = [client.post("/api/v1/search", {"image_id": pk}).text.replace(str(pk), "") for pk in (last, absent)]
    assert found[0] == found[1]


@pytest.mark.parametrize("role", ROLES)
def test_the_admin_is_for_staff_with_rights(world: World, role: str) -> None:
    client = signed_in(world.users[role])
    wanted = {"superuser": 200, "staff": 403}.get(role, 302)
    for name in ("dataset", "image", "encoder", "job", "evaluation", "duplicatepair", "duplicatereview"):
        assert client.get(f"/admin/search/{name}/").status_code == wanted


def test_nothing_is_changed_from_another_site(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.users["superuser"])  # type: ignore[arg-type]
    let_in = []
    for door in TABLE:
        if door.method != "get":
            address, fields, options = how_to_ask(world, door)
            if getattr(client, door.method)(address, fields, **options).status_code != 403:
                let_in.append(door)
    assert let_in == []


def test_no_script_and_no_other_site_gets_a_cookie(client: Client, django_user_model: Any) -> None:
    django_user_model.objects.create_user("ann", password="secret")
    given = client.post("/login/", {"username": "ann", "password": "secret"}).cookies
    assert given.keys() == {"sessionid", "csrftoken"}
    assert all(cookie["httponly"] and cookie["samesite"] == "Lax" for cookie in given.values())


def how_to_ask(world: World, door: Door) -> tuple[str, Any, dict[str, str]]:
    """Return the address of a door, what is sent to it, and how."""
    words = world.words()
    address = reverse(door.name, args=[part[1:-1] if part[0] == "'" else words[part] for part in door.arguments])
    if door.fields.startswith("{"):
        return address, door.fields.replace("SLUG", words["slug"]), {"content_type": "application/json"}
    return address, dict(field.split("=") for field in door.fields.format(**words).split("&") if field), {}


def names(resolver: URLResolver | None = None, space: str = "") -> Iterator[str]:
    """Return the names of all addresses, with the spaces they are in."""
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLPattern):
            yield f"{space}{one.name}"
        else:
            yield from names(one, f"{space}{one.namespace}:" if one.namespace else space)


def content_of(response: HttpResponseBase) -> bytes:
    """Return all of an answer, also of one that comes in pieces."""
    return b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]


def strip_tokens(page: str) -> str:
    """Return a page without the tokens of its forms, which are others each time."""
    marker = 'name="csrfmiddlewaretoken" value="'
    first, *rest = page.split(marker)
    return first + "".join(part.partition('"')[2] for part in rest)
