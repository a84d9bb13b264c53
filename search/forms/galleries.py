"""Which images of a dataset to show."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from search.models import Image


class GalleryForm(forms.Form):
    """Which images of a dataset to show."""

    name = forms.CharField(required=False, label=_("Name contains"), max_length=200)
    label = forms.CharField(required=False, label=_("Label"), max_length=200)
    tag = forms.CharField(required=False, label=_("Tag"), max_length=100)
    status = forms.ChoiceField(required=False, label=_("Status"), choices=[("", _("Any")), *Image.Status.choices])
    # The seed of a random order: the same one shows the same grid again.
    draw = forms.IntegerField(required=False, min_value=0, max_value=999_999)
