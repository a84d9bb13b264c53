"""Jobs in the admin, with what they refused."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from search.admin.rows import LookedAt
from search.models import Job, Refusal


class RefusalInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Refusal
    extra = 0
    can_delete = False
    fields = ["source", "code", "reason"]
    readonly_fields = ["source", "code", "reason"]
    verbose_name_plural = gettext_lazy("refused files")

    def has_add_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(LookedAt):
    list_display = ["__str__", "kind", "state", "n_done", "n_failed", "n_total", "owner", "started_at", "duration"]
    list_filter = ["kind", "state", ("started_at", admin.DateFieldListFilter)]
    list_select_related = ["owner"]
    search_fields = ["message", "parameters"]
    inlines = [RefusalInline]
