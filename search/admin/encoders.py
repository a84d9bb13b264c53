"""Encoders in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from search import encoders
from search.admin.rows import MadeElsewhere, count_of
from search.encoders import removing
from search.language import wording
from search.language.numbers import whole
from search.models import Embedding, Encoder


@admin.register(Encoder)
class EncoderAdmin(MadeElsewhere):
    list_display = ["name", "family", "dim", "distance", "is_default", "embeds_imports", "n_embedded", "created_at"]
    search_fields = ["name", "family"]
    actions = ["make_default"]
    readonly_fields = [
        "name", "family", "dim", "distance", "is_default", "spec", "weights_sha256", "job", "created_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Encoder]:
        return super().get_queryset(request).annotate(embedded_count=count_of(Embedding.objects.all(), "encoder"))

    @admin.display(description=gettext_lazy("embedded"), ordering="embedded_count")
    def n_embedded(self, encoder: Any) -> int:
        return encoder.embedded_count

    def has_delete_permission(self, request: HttpRequest, obj: Encoder | None = None) -> bool:
        """Searches need the default encoder, and linear heads their backbones."""
        return super().has_delete_permission(request, obj) and not (obj is not None and encoders.why_kept(obj))

    def delete_model(self, request: HttpRequest, obj: Encoder) -> None:
        """Leave it to the workers: an index and files go too, and vectors by the thousand."""
        removing.ask(obj, request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Encoder]) -> None:
        for one in queryset:
            removing.ask(one, request.user)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say how many embeddings go with each encoder, and keep those that others need."""
        chosen = Encoder.objects.filter(pk__in=[encoder.pk for encoder in objs])
        embeddings = Embedding.objects.filter(encoder__in=chosen.values("pk"))
        counted = chosen.order_by("name").values_list("name").annotate(n=Count("embeddings"))
        told = [
            ngettext("Encoder %(name)s with %(n)s embedding", "Encoder %(name)s with %(n)s embeddings", n)
            % {"name": name, "n": whole(n)}
            for name, n in counted
        ]
        counts = {_("encoders"): len(told), _("embeddings"): embeddings.count()}
        needed = set() if request.user.has_perm("search.delete_encoder") else {_("encoder")}
        kept = [
            _("Encoder %(name)s: %(why)s") % {"name": one.name, "why": wording.told(why)}
            for one in chosen
            if (why := encoders.why_kept(one))
        ]
        return told, counts, needed, kept

    @admin.action(description=gettext_lazy("Make the chosen encoder the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, chosen: QuerySet[Encoder]) -> None:
        if chosen.count() != 1:
            self.message_user(request, _("Choose exactly one encoder."), messages.ERROR)
            return
        encoder = chosen.get()
        encoders.set_default(encoder)
        self.message_user(request, _("%(name)s is the default encoder now.") % {"name": encoder.name}, messages.SUCCESS)
