"""Duplicates in the admin: the pairs that were found, and what was decided about them; the pages do the work."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy

from search.admin.rows import LookedAt
from search.models import DuplicateDecision, DuplicatePair, DuplicateReview


@admin.register(DuplicatePair)
class DuplicatePairAdmin(LookedAt):
    list_display = ["first", "second", "relation", "n_bits", "dataset"]
    list_filter = ["relation", "dataset"]
    list_select_related = ["first", "second", "dataset"]


@admin.register(DuplicateReview)
class DuplicateReviewAdmin(LookedAt):
    list_display = ["__str__", "kept", "n_discarded", "dataset", "user", "created_at"]
    list_filter = ["dataset", ("created_at", admin.DateFieldListFilter)]
    list_select_related = ["kept", "dataset", "user"]

    @admin.display(description=gettext_lazy("deleted"))
    def n_discarded(self, review: DuplicateReview) -> int:
        return len(review.discarded)


@admin.register(DuplicateDecision)
class DuplicateDecisionAdmin(LookedAt):
    list_display = ["__str__", "verdict", "dataset", "review"]
    list_filter = ["verdict", "dataset"]
    list_select_related = ["dataset", "review"]
    search_fields = ["first_sha256", "second_sha256"]
