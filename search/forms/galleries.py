"""Which images of a dataset to show, and in which order."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from embeddings.images.decoding import FORMATS
from search.curating.browsing import ORDERS
from search.models import Image

_ANY = ("", _("Any"))
FILTERS = ("name", "label", "tag", "status", "format", "split", "reason")


class GalleryForm(forms.Form):
    """Which images of a dataset to show, and in which order."""

    name = forms.CharField(required=False, label=_("Name contains"), max_length=200)
    label = forms.CharField(required=False, label=_("Label"), max_length=200)
    tag = forms.CharField(required=False, label=_("Tag"), max_length=100)
    status = forms.ChoiceField(required=False, label=_("Status"), choices=[_ANY, *Image.Status.choices])
    format = forms.ChoiceField(required=False, label=_("Format"), choices=[_ANY, *((name, name) for name in FORMATS)])
    split = forms.ChoiceField(required=False, label=_("Split"), choices=[_ANY, *Image.Split.choices])
    # Why it is refused: one of the codes of `embeddings.images`.
    reason = forms.CharField(required=False, max_length=40)
    sort = forms.ChoiceField(
        required=False,
        label=_("Sort by"),
        choices=[("", _("As imported")), *((name, words) for name, (words, _order) in ORDERS.items())],
    )
    # The seed of a random order: the same one shows the same grid again.
    draw = forms.IntegerField(required=False, min_value=0, max_value=999_999)

    @property
    def is_filtered(self) -> bool:
        """Whether it asks for some images only."""
        return any(self.cleaned_data.get(name) for name in FILTERS)

    def address(self, page: int = 1) -> QueryDict:
        """Return the query string of a page of what is shown, without what is not asked for."""
        address = QueryDict(mutable=True)
        for name in self.fields:
            value = self.cleaned_data.get(name)
            if value not in (None, ""):
                address[name] = str(value)
        if page > 1:
            address["page"] = str(page)
        return address
