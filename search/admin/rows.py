"""What the admin's pages of rows share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest


def count_of(rows: QuerySet[Any], of: str) -> Coalesce:
    """Count related rows in a subquery of their own: joined counts would multiply each other."""
    counted = rows.filter(**{of: OuterRef("pk")}).order_by().values(of).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


class MadeElsewhere(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """Rows that commands and workers make: to be looked at, not to be added by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class LookedAt(MadeElsewhere):
    """Rows that are only looked at, and perhaps deleted."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
