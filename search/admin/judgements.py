"""What is known of searches in the admin: evaluations, audits of indexes, marks, votes."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from search.admin.rows import LookedAt
from search.language.numbers import decimal
from search.models import Evaluation, IndexAudit, Mark, Vote


@admin.register(Evaluation)
class EvaluationAdmin(LookedAt):
    list_display = ["__str__", "encoder", "dataset", "n_queries", "n_gallery", "map", "created_at", "page"]
    list_filter = ["dataset", "encoder"]
    list_select_related = ["encoder", "dataset"]
    exclude = ["figures", "details"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Evaluation]:
        return super().get_queryset(request).defer("figures", "details")

    @admin.display(description=gettext_lazy("mAP"))
    def map(self, evaluation: Evaluation) -> str:
        return decimal(evaluation.metrics["map"], 4) if evaluation.metrics else _("none")

    @admin.display(description=gettext_lazy("page"))
    def page(self, evaluation: Evaluation) -> SafeString:
        return format_html('<a href="{}">{}</a>', evaluation.get_absolute_url(), _("Look at it"))


@admin.register(IndexAudit)
class IndexAuditAdmin(LookedAt):
    list_display = ["encoder", "recall", "n_queries", "n_vectors", "index_ms", "exact_ms", "created_at"]
    list_filter = ["encoder"]
    list_select_related = ["encoder"]


@admin.register(Mark)
class MarkAdmin(LookedAt):
    list_display = ["search", "sign", "image", "is_query", "user", "created_at"]
    list_filter = ["sign", "is_query", "image__dataset", ("created_at", admin.DateFieldListFilter)]
    list_select_related = ["image", "user"]
    search_fields = ["search", "image__source"]


@admin.register(Vote)
class VoteAdmin(LookedAt):
    list_display = ["__str__", "shown", "dataset", "user", "created_at"]
    list_filter = ["winner", "dataset"]
    list_select_related = ["winner", "dataset", "user"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Vote]:
        return super().get_queryset(request).prefetch_related("encoders")

    @admin.display(description=gettext_lazy("shown"))
    def shown(self, vote: Vote) -> str:
        return ", ".join(encoder.name for encoder in vote.encoders.all())
