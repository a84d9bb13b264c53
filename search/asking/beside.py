"""The same search through several encoders, side by side: where they agree, and which of them was asked for blindly."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings

from search.asking.examples import Mix
from search.asking.results import Page, Results, find
from search.models import Encoder
from search.neighbours import Scope

LETTERS = "ABCD"


@dataclass(frozen=True, kw_only=True)
class Column:
    """What one encoder finds. letter: what it is called where its name is not to be known."""

    letter: str
    results: Results

    @property
    def encoder(self) -> Encoder:
        return self.results.encoder

    @property
    def took_ms(self) -> float:
        """From the decoded picture to the hits, as far as that was done now."""
        return self.results.mix.embed_ms + self.results.answer.search_ms


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The columns of one search."""

    columns: Sequence[Column]

    @property
    def found_by(self) -> dict[int, int]:
        """In how many columns each image stands, for those that stand in more than one."""
        counts = Counter(hit.id for column in self.columns for hit in column.results.hits)
        return {image_id: n for image_id, n in counts.items() if n > 1}

    @property
    def can_be_judged(self) -> bool:
        """Whether every encoder found something."""
        return all(column.results.hits for column in self.columns)

    @property
    def n_common(self) -> int:
        """How many images stand in all columns."""
        return sum(n == len(self.columns) for n in self.found_by.values())


def compare(asked: Callable[[Encoder], Mix], encoders: Sequence[Encoder], scope: Scope, page: Page) -> Comparison:
    """Search with several encoders. asked: what is searched with, as an encoder sees it."""
    first_page = Page(k=page.k, sort=page.sort)
    columns = [
        Column(letter=letter, results=find(asked(encoder), encoder, scope, first_page, copies=False))
        for letter, encoder in zip(LETTERS, encoders, strict=False)
    ]
    return Comparison(columns=columns)


def shuffled(encoders: Sequence[Encoder], question: str) -> list[Encoder]:
    """Return encoders in an order that tells nothing of which is which, and is the same whenever the question is."""
    return sorted(encoders, key=lambda encoder: _digest(f"{question}\n{encoder.name}"))


def ballot(question: str, encoders: Sequence[Encoder], voter: str) -> str:
    """Return what a vote is known by: the same voter's, asked the same again, takes its place. 64 characters."""
    names = ",".join(sorted(encoder.name for encoder in encoders))
    return _digest(f"{voter}\n{question}\n{names}")


def _digest(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
