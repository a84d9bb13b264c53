"""The pages of evaluations in German: nothing English is left on them, and nothing that a browser reads has changed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from search.models import Evaluation, Image, IndexAudit
from search.work import jobs

# What a browser reads as numbers, or scripts do; everything else of a page is words.
READ = set("viewbox x y x1 x2 y1 y2 cx cy r d points width height transform fill-opacity value min max start".split())
ENGLISH = re.compile(r"\b(the|of|and|is|are|with|which|where|its|it|images?|queries|to|from|no)\b", re.IGNORECASE)

LANGUAGES = ({"Accept-Language": "en"}, {"Accept-Language": "de"})


def _is_figure(name: str, value: str | None) -> bool:
    """Return whether it is a number for a script; scripts get texts by the same way."""
    return name.startswith("data-") and bool(re.fullmatch(r"[\d.,]+", value or ""))


class Read(HTMLParser):
    """A page's attributes that are read as numbers, and its words outside of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.numbers: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self._within: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within.append(tag)
        named = dict(attrs)
        if named.get("name") not in {"csrfmiddlewaretoken", "language"}:
            self.numbers += [(tag, name, value) for name, value in attrs if name in READ or _is_figure(name, value)]
        self.words += [named[name] or "" for name in ("title", "alt", "aria-label") if name in named]

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            continue

    def handle_data(self, data: str) -> None:
        if not {"code", "style", "script"} & set(self._within) and "is-code" not in data:
            self.words.append(data.strip())


@pytest.fixture
def pages(muddled: list[Image]) -> list[str]:
    """The addresses of pages with plots, tables, meters and a map on them."""
    call_command("evaluate_search", dataset="colours")
    # A plot over time needs another one.
    evaluation = Evaluation.objects.get()
    evaluation.pk = None
    evaluation.save()
    assert Evaluation.objects.count() == 2
    IndexAudit.objects.create(
        encoder=evaluation.encoder, recall=0.9125, k=10, n_queries=50, n_vectors=40_123, exact_ms=61.25, index_ms=3.5
    )
    IndexAudit.objects.create(
        encoder=evaluation.encoder, recall=0.8, k=10, n_queries=50, n_vectors=41_123, exact_ms=1061.25, index_ms=3.5
    )
    assert evaluation.job is not None
    jobs.move_on(evaluation.job, n_done=1234, n_failed=0, n_total=2345)
    return [
        f"/evaluations/{evaluation.pk}/",
        "/datasets/colours/comparison/",
        "/datasets/colours/evaluate/",
        "/datasets/colours/",
        "/datasets/colours/?name=nothing",
        "/datasets/",
        "/encoders/colours/",
        "/encoders/colours/default/",
        "/encoders/colours/remove/",
        "/encoders/install/",
        "/encoders/",
        f"/jobs/{evaluation.job.pk}/",
        "/jobs/",
        f"/images/{muddled[0].pk}/",
        "/train/",
        "/",
        f"/?image={muddled[0].pk}",
        f"/?image={muddled[0].pk}&beside=colours&k=3",
    ]


def _both(client: Client, address: str, **headers: Any) -> tuple[Read, Read]:
    return Read(client.get(address).text), Read(client.get(address, headers={"Accept-Language": "de"}).text)


def test_nothing_english_is_left_and_what_browsers_read_as_numbers_is_the_same(
    pages: list[str], admin_client: Client
) -> None:
    n_read = 0
    for address in pages:
        english, german = (Read(admin_client.get(address, headers=language).text) for language in LANGUAGES)
        assert [words for words in german.words if ENGLISH.search(words)] == [], address
        assert german.numbers == english.numbers, address
        n_read += sum(bool(re.search(r"\d\.\d", value or "")) for _, _, value in german.numbers)
    assert n_read > 100
    # Where people read them, decimals have commas.
    german = Read(admin_client.get("/encoders/colours/", headers=LANGUAGES[1]).text)
    text = " ".join(german.words)
    for words in ("80,0\N{NO-BREAK SPACE}%", "41.123 Bilder", "3,5 ms", "1.061 ms"):
        assert words in text, words
