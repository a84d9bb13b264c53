"""What shall be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from embeddings.training.presets import CLASSIFIER_AUGMENTATION
from search.forms.menus import offer
from search.language.wording import told_lazily
from search.models import Dataset, Encoder
from search.training.requests import LOSSES, SUMMARIES, Wanted

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

_THE_RECIPES = gettext_lazy("The recipe's")


class TrainingForm(forms.Form):
    """What shall be trained, on what. Empty fields leave it to the recipe."""

    dataset = forms.CharField(widget=forms.Select)
    preset = forms.ChoiceField(choices=[(name, name) for name in SUMMARIES])
    backbone = forms.CharField(required=False, widget=forms.Select)
    name = forms.CharField(required=False, max_length=60)
    epochs = forms.IntegerField(required=False, min_value=1, max_value=10_000)
    dim = forms.IntegerField(required=False, min_value=1, max_value=4000)
    loss = forms.ChoiceField(required=False, choices=[("", _THE_RECIPES), *((loss, loss) for loss in LOSSES)])
    augmenting = forms.ChoiceField(required=False, choices=[("", _THE_RECIPES), ("own", gettext_lazy("Only these:"))])
    augmentation = forms.MultipleChoiceField(
        required=False, choices=[(name, told_lazily(name.replace("_", " "))) for name in CLASSIFIER_AUGMENTATION]
    )

    feedback = forms.BooleanField(required=False)

    def __init__(self, data: Mapping[str, Any] | None, *, user: AbstractBaseUser | AnonymousUser) -> None:
        super().__init__(data)
        self.user = user
        self.datasets = list(Dataset.objects.visible_to(user))
        names = [(one.name, one.name) for one in Encoder.objects.all() if not one.spec.get("backbone")]
        offer(self, "dataset", [(one.slug, one.name) for one in self.datasets])
        offer(self, "backbone", [("", str(_THE_RECIPES)), *names])

    @property
    def has_details(self) -> bool:
        return any(self[name].value() for name in ("backbone", "name", "epochs", "dim", "loss"))

    def clean_dataset(self) -> Dataset:
        dataset = next((one for one in self.datasets if one.slug == self.cleaned_data["dataset"]), None)
        if dataset is None:
            raise ValidationError(_("Choose one of the datasets."), code="unknown_dataset")
        return dataset

    def wanted(self) -> Wanted:
        """Return what was asked for, for `training.running.begin`."""
        fields = self.cleaned_data
        return Wanted(
            preset=fields["preset"],
            dataset=fields["dataset"],
            backbone=fields["backbone"],
            name=fields["name"],
            changes={name: fields[name] or None for name in ("epochs", "dim", "loss", "feedback")}
            | {"augmentation": tuple(fields["augmentation"]) if fields["augmenting"] else None},
            owner=self.user,
        )
