"""What shall be evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from search.evaluation.protocol import SPLITS, Protocol
from search.forms.menus import offer
from search.models import Dataset, Embedding, Encoder, Image

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

_SPLITS = [("", gettext_lazy("As the dataset is divided")), *((split, split) for split in SPLITS)]


class EvaluationForm(forms.Form):
    """Which encoders shall be evaluated on a dataset, and what asks what."""

    encoders = forms.MultipleChoiceField(
        required=False, error_messages={"invalid_choice": gettext_lazy("There is no encoder named %(value)s any more.")}
    )
    queries = forms.CharField(required=False, widget=forms.Select)
    queries_split = forms.ChoiceField(required=False, choices=_SPLITS)
    gallery_split = forms.ChoiceField(required=False, choices=_SPLITS)

    def __init__(
        self, data: Mapping[str, Any] | None, *, dataset: Dataset, user: AbstractBaseUser | AnonymousUser
    ) -> None:
        super().__init__(data)
        self._dataset = dataset
        self._others = {one.slug: one for one in Dataset.objects.visible_to(user).exclude(pk=dataset.pk)}
        offer(self, "queries", [("", _("This dataset")), *((slug, one.name) for slug, one in self._others.items())])
        ready = dataset.images.filter(status=Image.Status.READY).count()
        embedded = dict(
            Embedding.objects.filter(dataset=dataset).order_by().values_list("encoder__name").annotate(n=Count("pk"))
        )
        # (name, whether it has embedded all, whether it has embedded any)
        self.offers = [
            (name, embedded.get(name, 0) >= ready, embedded.get(name, 0) > 0)
            for name in Encoder.objects.values_list("name", flat=True)
        ]
        self.fields["encoders"].choices = [(name, name) for name, _, _ in self.offers]  # type: ignore[attr-defined]

    def clean_queries(self) -> Dataset:
        slug = self.cleaned_data["queries"]
        if slug and slug not in self._others:
            raise ValidationError(_("Choose one of the datasets to ask with."), code="unknown_dataset")
        return self._others[slug] if slug else self._dataset

    def protocol(self) -> Protocol:
        """Return what asks what."""
        return Protocol(
            dataset=self._dataset,
            queries_dataset=self.cleaned_data["queries"],
            queries_split=self.cleaned_data["queries_split"],
            gallery_split=self.cleaned_data["gallery_split"],
        )
