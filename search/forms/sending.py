"""A search with pictures from elsewhere: uploads, and what a link leads to."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from embeddings.images.decoding import MAX_FILE_BYTES
from search.forms.searching import SearchForm

MOST_PICTURES = 8  # in one upload


class SentForm(SearchForm):
    """A search with pictures from elsewhere; with `add`, what the page was searched with stays."""

    sent_field = ""
    add = forms.BooleanField(required=False, label=_("Add it to this search"))

    def _n_pictures(self) -> int:
        return self._n_sent() + (super()._n_pictures() if self.cleaned_data.get("add") else 0)

    def _n_sent(self) -> int:
        return 1


class UploadForm(SentForm):
    """A search with pictures that are sent along."""

    sent_field = "picture"
    picture = forms.FileField(
        error_messages=dict.fromkeys(("required", "missing", "invalid"), _("Choose a picture to search with."))
        | {"empty": _("The file is empty.")},
    )

    @property
    def pictures(self) -> list[UploadedFile[bytes]]:
        return self.files.getlist("picture")

    def _n_sent(self) -> int:
        return len(self.pictures)

    def clean_picture(self) -> UploadedFile[bytes]:
        """Refuse what is too large before it is read into memory."""
        if len(self.pictures) > MOST_PICTURES:
            raise ValidationError(_("Choose %(most)d pictures at most."), "too_many_files", {"most": MOST_PICTURES})
        for picture in self.pictures:
            if (picture.size or 0) > MAX_FILE_BYTES:
                limit, size = MAX_FILE_BYTES / 1e6, (picture.size or 0) / 1e6
                raise ValidationError(
                    _("The file has %(size).1f MB; the limit is %(limit).0f MB."),
                    "too_large_file",
                    {"size": size, "limit": limit},
                )
        return self.cleaned_data["picture"]


class LinkForm(SentForm):
    """A search with a picture that a link leads to. What links are followed is decided where they are."""

    sent_field = "link"
    link = forms.CharField(max_length=2000, error_messages={"required": _("Give the address of a picture.")})
