"""Which images of a dataset to show."""

from __future__ import annotations

from django import forms

from search.models import Image


class GalleryForm(forms.Form):
    """Which images of a dataset to show."""

    name = forms.CharField(required=False, label="Name contains", max_length=200)
    label = forms.CharField(required=False, max_length=200)
    tag = forms.CharField(required=False, max_length=100)
    status = forms.ChoiceField(required=False, choices=[("", "Any"), *Image.Status.choices])
    # The seed of a random order: the same one shows the same grid again.
    draw = forms.IntegerField(required=False, min_value=0, max_value=999_999)
