"""What visitors may ask: each field checked once, each refusal a sentence with a code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count
from django.http import QueryDict

from embeddings.images.decoding import MAX_FILE_BYTES
from embeddings.training.presets import CLASSIFIER_AUGMENTATION
from search import encoders
from search.evaluation.protocol import SPLITS, Protocol
from search.models import Dataset, Embedding, Encoder, Image
from search.neighbours import MAX_HITS
from search.scope import UnknownDataset, scope_for
from search.training.requests import LOSSES, SUMMARIES, Wanted

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

DEFAULT_K = 24
_K_MESSAGE = f"The number of results is a whole number from 1 to {MAX_HITS:,}."
_LARGEST_ID = 2**63 - 1
_SPLITS = [(split, split) for split in SPLITS]


def _offer(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    """Give a field's menu its choices, which are rows of the moment."""
    widget = form.fields[name].widget
    assert isinstance(widget, forms.Select)
    widget.choices = choices


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
        _offer(self, "dataset", [("", "All datasets"), *((one.slug, one.name) for one in self.datasets)])
        _offer(self, "encoder", [(one.name, one.name) for one in self.encoders])

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


class TrainingForm(forms.Form):
    """What shall be trained, on what. Empty fields leave it to the recipe."""

    dataset = forms.CharField(widget=forms.Select)
    preset = forms.ChoiceField(choices=[(name, name) for name in SUMMARIES])
    backbone = forms.CharField(required=False, widget=forms.Select)
    name = forms.CharField(required=False, max_length=60)
    epochs = forms.IntegerField(required=False, min_value=1, max_value=10_000)
    dim = forms.IntegerField(required=False, min_value=1, max_value=4000)
    loss = forms.ChoiceField(required=False, choices=[("", "The recipe's"), *((loss, loss) for loss in LOSSES)])
    augmenting = forms.ChoiceField(required=False, choices=[("", "The recipe's"), ("own", "Only these:")])
    augmentation = forms.MultipleChoiceField(
        required=False, choices=[(name, name.replace("_", " ")) for name in CLASSIFIER_AUGMENTATION]
    )

    def __init__(self, data: Mapping[str, Any] | None, *, user: AbstractBaseUser | AnonymousUser) -> None:
        super().__init__(data)
        self.user = user
        self.datasets = list(Dataset.objects.visible_to(user))
        names = [(one.name, one.name) for one in Encoder.objects.all() if not one.spec.get("backbone")]
        _offer(self, "dataset", [(one.slug, one.name) for one in self.datasets])
        _offer(self, "backbone", [("", "The recipe's"), *names])

    @property
    def has_details(self) -> bool:
        return any(self[name].value() for name in ("backbone", "name", "epochs", "dim", "loss"))

    def clean_dataset(self) -> Dataset:
        dataset = next((one for one in self.datasets if one.slug == self.cleaned_data["dataset"]), None)
        if dataset is None:
            raise ValidationError("Choose one of the datasets.", code="unknown_dataset")
        return dataset

    def wanted(self) -> Wanted:
        """Return what was asked for, for `training.running.begin`."""
        fields = self.cleaned_data
        return Wanted(
            preset=fields["preset"],
            dataset=fields["dataset"],
            backbone=fields["backbone"],
            name=fields["name"],
            changes={name: fields[name] or None for name in ("epochs", "dim", "loss")}
            | {"augmentation": tuple(fields["augmentation"]) if fields["augmenting"] else None},
            owner=self.user,
        )


class EvaluationForm(forms.Form):
    """Which encoders shall be evaluated on a dataset, and what asks what."""

    encoders = forms.MultipleChoiceField(
        required=False, error_messages={"invalid_choice": "There is no encoder named %(value)s any more."}
    )
    queries = forms.CharField(required=False, widget=forms.Select)
    queries_split = forms.ChoiceField(required=False, choices=[("", "As the dataset is divided"), *_SPLITS])
    gallery_split = forms.ChoiceField(required=False, choices=[("", "As the dataset is divided"), *_SPLITS])

    def __init__(
        self, data: Mapping[str, Any] | None, *, dataset: Dataset, user: AbstractBaseUser | AnonymousUser
    ) -> None:
        super().__init__(data)
        self._dataset = dataset
        self._others = {one.slug: one for one in Dataset.objects.visible_to(user).exclude(pk=dataset.pk)}
        _offer(self, "queries", [("", "This dataset"), *((slug, one.name) for slug, one in self._others.items())])
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
            raise ValidationError("Choose one of the datasets to ask with.", code="unknown_dataset")
        return self._others[slug] if slug else self._dataset

    def protocol(self) -> Protocol:
        """Return what asks what."""
        return Protocol(
            dataset=self._dataset,
            queries_dataset=self.cleaned_data["queries"],
            queries_split=self.cleaned_data["queries_split"],
            gallery_split=self.cleaned_data["gallery_split"],
        )


class GalleryForm(forms.Form):
    """Which images of a dataset to show."""

    name = forms.CharField(required=False, label="Name contains", max_length=200)
    label = forms.CharField(required=False, max_length=200)
    tag = forms.CharField(required=False, max_length=100)
    status = forms.ChoiceField(required=False, choices=[("", "Any"), *Image.Status.choices])
    # The seed of a random order: the same one shows the same grid again.
    draw = forms.IntegerField(required=False, min_value=0, max_value=999_999)
