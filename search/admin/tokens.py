"""Tokens of the API in the admin, for superusers: to be looked at, and revoked by deleting them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from search.admin.rows import LookedAt
from search.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(LookedAt):
    list_display = ["name", "owner", "what_it_may", "expires_at", "last_used_at", "created_at"]
    list_filter = [("expires_at", admin.DateFieldListFilter)]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__username"]

    @admin.display(description=gettext_lazy("scopes"))
    def what_it_may(self, token: ApiToken) -> str:
        return ", ".join(token.scopes_in_words)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)
