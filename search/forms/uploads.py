"""What is said of files that are uploaded into a dataset."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from search.models import Image
from search.text import storable


class FilesForm(forms.Form):
    """The label and the split of what is sent."""

    label = forms.CharField(required=False, max_length=200, label=_("Label for all of them"))
    split = forms.ChoiceField(required=False, choices=Image.Split.choices, label=_("Split"))
    folders = forms.BooleanField(required=False)

    def clean_label(self) -> str:
        return storable(" ".join(self.cleaned_data["label"].split()))

    def clean_split(self) -> str:
        return self.cleaned_data["split"] or Image.Split.NONE
