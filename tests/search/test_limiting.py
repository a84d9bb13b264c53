"""One visitor gets only so much in a minute, is told when there is more, and takes nothing from the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from search import limiting
from search.limiting import Buckets, address_of
from search.models import Encoder, Image
from tests.pictures import png_bytes


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bucket_is_empty_after_so_many_and_fills_within_a_minute() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    assert [buckets.take("search", "a", 3) for _ in range(4)] == [0, 0, 0, 20]
    assert buckets.take("search", "b", 3) == 0
    assert buckets.take("upload", "a", 3) == 0
    clock.seconds += 15
    assert buckets.take("search", "a", 3) == pytest.approx(5)
    clock.seconds += 5
    assert buckets.take("search", "a", 3) == 0
    clock.seconds += 3600
    assert [bool(buckets.take("search", "a", 3)) for _ in range(4)] == [False, False, False, True]


def test_visitors_without_number_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "MOST_BUCKETS", 10)
    clock = Clock()
    buckets = Buckets(clock)
    for number in range(100):
        clock.seconds += 0.1
        buckets.take("search", str(number), 1)
        assert len(buckets._left) <= 10


@pytest.fixture
def image(add_image: Callable[..., Image]) -> Image:
    return add_image(content=png_bytes(60, 40, seed=1))


@pytest.fixture
def limited(settings: Any) -> None:
    """Two of each in a minute, counted anew: each client of a test has middleware of its own."""
    settings.RATE_LIMITS = {"search": 2, "upload": 2, "link": 1, "login": 2}
    settings.ALLOW_LINKS = True


@pytest.mark.usefixtures("limited")
def test_searches_beyond_the_limit_are_told_when_to_come_back(client: Client, image: Image) -> None:
    address = f"/?image={image.pk}"
    assert [client.get(address).status_code for _ in range(2)] == [200, 200]
    page = client.get(address)
    assert (page.status_code, page.headers["Retry-After"]) == (429, "30")
    assert "Try again in 30 seconds." in page.content.decode()
    assert client.get("/").status_code == 200  # the empty page costs nothing
    assert client.get("/datasets/").status_code == 200


@pytest.mark.usefixtures("limited")
def test_programs_are_told_as_a_problem(client: Client, encoder: Encoder) -> None:
    def search() -> Any:
        picture = SimpleUploadedFile("a.png", png_bytes(40, 30, seed=1), "image/png")
        return client.post("/api/v1/search", {"image": picture})

    assert [search().status_code for _ in range(2)] == [200, 200]
    answer = search()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too_many_requests"


@pytest.mark.usefixtures("limited", "db")
@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_passwords_cannot_be_tried_without_end(client: Client, address: str) -> None:
    tries = [client.post(address, {"username": "chief", "password": str(number)}) for number in range(3)]
    assert [answer.status_code for answer in tries] == [200, 200, 429]
    assert client.get(address).status_code == 200


@pytest.mark.usefixtures("limited")
def test_links_and_uploads_have_limits_of_their_own(admin_client: Client, image: Image) -> None:
    links = [admin_client.post("/by-link/", {"link": "ftp://example.org/"}).status_code for _ in range(2)]
    assert links == [422, 429]
    upload = f"/datasets/{image.dataset.slug}/upload/file/"
    assert [admin_client.post(upload).status_code == 429 for _ in range(3)] == [False, False, True]


@pytest.mark.usefixtures("limited")
def test_accounts_behind_one_address_do_not_share(client: Client, image: Image) -> None:
    address = f"/?image={image.pk}"
    for name in ("first", "second"):
        client.force_login(get_user_model().objects.create_user(name))
        assert [client.get(address).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("n_proxies", "remote", "passed", "expected"),
    [
        (0, "198.51.100.7", "203.0.113.9", "198.51.100.7"),
        (1, "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (1, "127.0.0.1", "10.9.9.9, 203.0.113.9", "203.0.113.9"),  # the first was written by the visitor
        (2, "127.0.0.1", "10.9.9.9, 203.0.113.9, 192.0.2.1", "203.0.113.9"),
        (2, "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        (1, "127.0.0.1", "", "127.0.0.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (0, "::ffff:198.51.100.7", "", "198.51.100.7"),
        (1, "127.0.0.1", "nonsense", "nonsense"),
        (0, "", "", ""),
    ],
)
def test_whose_address_counts(settings: Any, n_proxies: int, remote: str, passed: str, expected: str) -> None:
    settings.N_PROXIES = n_proxies
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=passed)
    assert address_of(request) == expected


def test_without_limits_nothing_is_counted(client: Client, image: Image, settings: Any) -> None:
    settings.RATE_LIMITS = {"search": 0}
    assert {client.get(f"/?image={image.pk}").status_code for _ in range(5)} == {200}
