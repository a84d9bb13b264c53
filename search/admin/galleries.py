"""Datasets and their images in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from search import embedding, encoders
from search.admin.rows import MadeElsewhere, count_of
from search.curating.holding import deleting
from search.language import wording
from search.language.numbers import whole
from search.models import Dataset, Embedding, Encoder, Image
from search.work import missing

MAX_LABELS = 40
IMAGE_FACTS = [
    "source", "status", "error_code", "error_detail", "format", "size", "n_bytes", "sha256", "phash", "file",
    "in_place_path", "embedded_by", "n_attempts", "job", "created_at",
]  # fmt: skip


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "is_public", "n_images", "n_pending", "n_refused", "owner", "created_at"]
    list_filter = ["is_public"]
    list_select_related = ["owner"]
    search_fields = ["name", "slug", "description"]
    autocomplete_fields = ["owner"]
    filter_horizontal = ["groups"]
    readonly_fields = ["slug", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                images_count=count_of(Image.objects.all(), "dataset"),
                pending_count=count_of(Image.objects.filter(status=Image.Status.PENDING), "dataset"),
                refused_count=count_of(Image.objects.filter(status=Image.Status.REFUSED), "dataset"),
            )
        )

    @admin.display(description=gettext_lazy("images"), ordering="images_count")
    def n_images(self, dataset: Any) -> int:
        return dataset.images_count

    @admin.display(description=gettext_lazy("waiting"), ordering="pending_count")
    def n_pending(self, dataset: Any) -> int:
        return dataset.pending_count

    @admin.display(description=gettext_lazy("refused"), ordering="refused_count")
    def n_refused(self, dataset: Any) -> int:
        return dataset.refused_count

    def delete_model(self, request: HttpRequest, obj: Dataset) -> None:
        with deleting([obj.pk]):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:
        with deleting(list(queryset.values_list("pk", flat=True))):
            super().delete_queryset(request, queryset)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say how many images go with each dataset, where Django would list every one of perhaps 100,000."""
        chosen = Dataset.objects.filter(pk__in=[dataset.pk for dataset in objs])
        counted = chosen.order_by("name").values_list("name").annotate(n=Count("images"))
        told = [
            ngettext(
                "Dataset %(name)s with %(n)s image and its embeddings",
                "Dataset %(name)s with %(n)s images and their embeddings",
                n,
            )
            % {"name": name, "n": whole(n)}
            for name, n in counted
        ]
        counts = {
            _("datasets"): len(told),
            _("images"): Image.objects.filter(dataset__in=chosen.values("pk")).count(),
            _("embeddings"): Embedding.objects.filter(dataset__in=chosen.values("pk")).count(),
        }
        needed = set() if request.user.has_perm("search.delete_dataset") else {_("dataset")}
        return told, counts, needed, []


class LabelFilter(admin.SimpleListFilter):
    """The most frequent labels, each with its number of images."""

    title = gettext_lazy("label")
    parameter_name = "label"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labelled = (
            Image.objects.filter(dataset__in=Dataset.objects.all())
            .exclude(label="")
            .order_by()
            .values_list("label")
            .annotate(n=Count("pk"))
        )
        return [(label, f"{label} ({whole(n)})") for label, n in labelled.order_by("-n", "label")[:MAX_LABELS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        return queryset.filter(label=self.value()) if self.value() else queryset


class LabelForm(ActionForm):
    """The action's menu, and the label to set."""

    label = forms.CharField(required=False, max_length=200, label=gettext_lazy("Label:"))


@admin.register(Image)
class ImageAdmin(MadeElsewhere):
    list_display = ["picture", "name", "dataset", "label", "split", "status", "format", "size"]
    list_display_links = ["picture", "name"]
    list_filter = ["dataset", "status", "format", "split", LabelFilter]
    list_select_related = ["dataset"]
    list_per_page = 50
    search_fields = ["source", "label", "tags"]
    show_full_result_count = False
    actions = ["set_label", "embed_again"]
    action_form = LabelForm
    fields = ["picture", "dataset", "label", "tags", "split", *IMAGE_FACTS]
    readonly_fields = ["picture", "dataset", *IMAGE_FACTS]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        return super().get_queryset(request).filter(dataset__in=Dataset.objects.all())

    @admin.display(description=gettext_lazy("picture"))
    def picture(self, image: Image) -> SafeString | str:
        if not image.thumbnail:
            return _("none yet")
        # The longer edge is 72 pixels; style attributes are not allowed by the security policy.
        scale = 72 / max(image.width, image.height)
        width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        return format_html(
            '<img src="{}" width="{}" height="{}" loading="lazy" alt="{}">',
            image.thumbnail_url,
            width,
            height,
            image.name,
        )

    @admin.display(description=gettext_lazy("size"), ordering="width")
    def size(self, image: Image) -> str:
        return f"{image.width} × {image.height}"

    @admin.display(description=gettext_lazy("embedded by"))
    def embedded_by(self, image: Image) -> str:
        return ", ".join(Encoder.objects.filter(embeddings__image=image).values_list("name", flat=True)) or _(
            "none yet"
        )

    @admin.action(description=gettext_lazy("Set the label of the chosen images"), permissions=["change"])
    def set_label(self, request: HttpRequest, images: QuerySet[Image]) -> None:
        label = request.POST.get("label", "").strip()[:200]
        n_changed = images.order_by().update(label=label)
        if label:
            told = ngettext(
                "%(n)s image is labelled %(label)r now.", "%(n)s images are labelled %(label)r now.", n_changed
            )
        else:
            told = ngettext("%(n)s image has no label now.", "%(n)s images have no label now.", n_changed)
        self.message_user(request, told % {"n": whole(n_changed), "label": label}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Embed the chosen images again, refused ones too"), permissions=["change"])
    def embed_again(self, request: HttpRequest, images: QuerySet[Image]) -> None:
        try:
            encoder = encoders.default()
        except encoders.NoEncoder as error:
            self.message_user(request, wording.told(error), messages.ERROR)
            return
        ids = list(images.order_by("pk").values_list("pk", flat=True))
        n_waiting = embedding.forget(ids)
        missing.send(encoder, ids)
        told = ngettext("%(n)s image waits for the workers.", "%(n)s images wait for the workers.", n_waiting)
        self.message_user(request, told % {"n": whole(n_waiting)}, messages.SUCCESS)
