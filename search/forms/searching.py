"""Where to search, how, and with which picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict

from embeddings.images.decoding import MAX_FILE_BYTES
from search import encoders
from search.asking.scope import UnknownDataset, scope_for
from search.forms.menus import offer
from search.models import Dataset, Encoder
from search.neighbours import MAX_HITS

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

DEFAULT_K = 24
_K_MESSAGE = f"The number of results is a whole number from 1 to {MAX_HITS:,}."
_LARGEST_ID = 2**63 - 1


class SearchForm(forms.Form):
    """Where to search and how: the part of a search that its address holds. Cleaned, `encoder` is the row itself."""

    dataset = forms.CharField(required=False, label="Search in", widget=forms.Select)
    encoder = forms.CharField(required=False, widget=forms.Select)
    k = forms.IntegerField(
        required=False,
        label="Results",
        min_value=1,
        max_value=MAX_HITS,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), _K_MESSAGE),
    )
    offset = forms.IntegerField(required=False, min_value=0, max_value=MAX_HITS - 1, widget=forms.HiddenInput)
    q = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    image = forms.IntegerField(required=False, min_value=1, max_value=_LARGEST_ID, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any],
        files: Any = None,
        *,
        user: AbstractBaseUser | AnonymousUser,
    ) -> None:
        given = {name: data.get(name) for name in self.base_fields if data.get(name) is not None}
        super().__init__({"k": DEFAULT_K} | given, files)
        self.user = user
        self.datasets = list(Dataset.objects.visible_to(user))
        self.encoders = list(Encoder.objects.all())
        offer(self, "dataset", [("", "All datasets"), *((one.slug, one.name) for one in self.datasets)])
        offer(self, "encoder", [(one.name, one.name) for one in self.encoders])

    @property
    def max_bytes(self) -> int:
        """The largest file that is taken, for the page to say so before it is sent."""
        return MAX_FILE_BYTES

    def clean_dataset(self) -> str:
        try:
            scope_for(self.user, self.cleaned_data["dataset"])
        except UnknownDataset as error:
            raise ValidationError(str(error), code="unknown_dataset") from error
        return self.cleaned_data["dataset"]

    def clean_encoder(self) -> Encoder:
        try:
            return encoders.by_name(self.cleaned_data["encoder"])
        except encoders.NoEncoder as error:
            raise ValidationError(str(error), code="unknown_encoder") from error

    def clean_k(self) -> int:
        k = self.cleaned_data["k"]
        return DEFAULT_K if k is None else k

    def clean_offset(self) -> int:
        return self.cleaned_data["offset"] or 0

    def address(self, **changes: object) -> QueryDict:
        """Return the query string of this search; what is the default, or None in the changes, is left out."""
        encoder: Encoder = self.cleaned_data["encoder"]
        told = {
            "q": self.cleaned_data.get("q"),
            "image": self.cleaned_data.get("image"),
            "dataset": self.cleaned_data["dataset"],
            "encoder": "" if encoder.is_default else encoder.name,
            "k": "" if self.cleaned_data["k"] == DEFAULT_K else self.cleaned_data["k"],
            "offset": self.cleaned_data.get("offset") or "",
        } | changes
        address = QueryDict(mutable=True)
        address.update({name: str(value) for name, value in told.items() if value not in (None, "")})
        return address


class UploadForm(SearchForm):
    """A search with a picture that is sent along."""

    picture = forms.FileField(
        error_messages={
            "required": "Choose a picture to search with.",
            "empty": "The file is empty.",
            "missing": "Choose a picture to search with.",
            "invalid": "Choose a picture to search with.",
        },
    )

    def clean_picture(self) -> UploadedFile[bytes]:
        """Refuse what is too large before it is read into memory."""
        picture: UploadedFile[bytes] = self.cleaned_data["picture"]
        if (picture.size or 0) > MAX_FILE_BYTES:
            limit, size = MAX_FILE_BYTES / 1e6, (picture.size or 0) / 1e6
            raise ValidationError(f"The file has {size:.1f} MB; the limit is {limit:.0f} MB.", code="too_large_file")
        return picture
