"""What to search with, where and how: the state of the search page, all of which its address holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from embeddings.images.decoding import FORMATS, MAX_FILE_BYTES
from search import encoders
from search.asking.examples import MOST, Wish, Wishes
from search.asking.results import Page
from search.asking.scope import UnknownDataset, scope_among
from search.forms.fields import IMAGE_ID, KEY, CropField, PlaceField, WishesField, crop_text, place_text
from search.forms.menus import offer
from search.language import wording
from search.models import Dataset, Encoder
from search.neighbours import MAX_HITS, Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

DEFAULT_K = 24
MOST_BESIDE = 3  # encoders beside the first
_K_MESSAGE = _("The number of results is a whole number from 1 to 1,000.")
_LARGEST_OFFSET = 10**9
SORTS = [
    ("", _("most similar")),
    ("newest", _("newest")),
    ("oldest", _("oldest")),
    ("largest", _("largest")),
    ("smallest", _("smallest")),
]
ORIENTATIONS = [("", _("any")), ("landscape", _("landscape")), ("portrait", _("portrait")), ("square", _("square"))]
# Those that say which images may answer, apart from the dataset.
FILTERS = ("words", "label", "tag", "format", "orientation", "min_edge", "max_edge", "since", "until", "least")


def _date(label: Any) -> forms.DateField:
    # Browsers send ISO dates, whatever they show.
    return forms.DateField(
        required=False,
        label=label,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


def _pixels(label: Any) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=1, max_value=100_000, label=label, localize=False)


class SearchForm(forms.Form):
    """Where to search and how: the part of a search that its address holds. Cleaned, `encoder` is the row itself."""

    dataset = forms.CharField(required=False, label=_("Search in"), widget=forms.Select)
    encoder = forms.CharField(required=False, label=_("Encoder"), widget=forms.Select)
    k = forms.IntegerField(
        required=False,
        label=_("Results"),
        min_value=1,
        max_value=MAX_HITS,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), _K_MESSAGE),
    )
    sort = forms.ChoiceField(required=False, label=_("Sort by"), choices=SORTS)

    words = forms.CharField(required=False, max_length=200, label=_("Words"), widget=forms.TextInput)
    label = forms.CharField(
        required=False, max_length=200, label=_("Label"), widget=forms.TextInput(attrs={"list": "labels"})
    )
    tag = forms.CharField(required=False, max_length=100, label=_("Tag"))
    format = forms.ChoiceField(
        required=False, label=_("Format"), choices=[("", _("any")), *((name, name) for name in FORMATS)]
    )
    orientation = forms.ChoiceField(required=False, label=_("Orientation"), choices=ORIENTATIONS)
    min_edge = _pixels(_("Longer side from, pixels"))
    max_edge = _pixels(_("to, pixels"))
    since = _date(_("Added from"))
    until = _date(_("to"))
    least = forms.FloatField(
        required=False, min_value=0, max_value=100, label=_("Similarity at least, %"), localize=False
    )

    q = WishesField(KEY, _("This address names no picture."))
    image = WishesField(IMAGE_ID, _("An image is named by its number."))
    less = WishesField(IMAGE_ID, _("An image is named by its number."))
    crop = CropField(required=False, max_length=100)
    beside = forms.MultipleChoiceField(required=False, label=_("Compare with"), widget=forms.CheckboxSelectMultiple)
    blind = forms.BooleanField(required=False, label=_("Hide which is which"))
    offset = forms.IntegerField(required=False, min_value=0, max_value=_LARGEST_OFFSET, widget=forms.HiddenInput)
    after = PlaceField(required=False, max_length=60)
    # So many were shown, further pages and all, to who comes back to this address.
    shown = forms.IntegerField(required=False, min_value=1, max_value=MAX_HITS, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict, files: Any = None, *, user: AbstractBaseUser | AnonymousUser) -> None:
        given = data.copy()
        if "k" not in given:
            given["k"] = str(DEFAULT_K)
        super().__init__(given, files)
        self.datasets = list(Dataset.objects.visible_to(user))
        self.encoders = list(Encoder.objects.all())
        offer(self, "dataset", [("", gettext("All datasets")), *((one.slug, one.name) for one in self.datasets)])
        offer(self, "encoder", [(one.name, one.name) for one in self.encoders])
        beside = self.fields["beside"]
        assert isinstance(beside, forms.MultipleChoiceField)  # noqa: S101 -- for mypy: see above
        beside.choices = [(one.name, one.name) for one in self.encoders]

    @property
    def max_bytes(self) -> int:
        """The largest file that is taken, for the page to say so before it is sent."""
        return MAX_FILE_BYTES

    @property
    def wishes(self) -> Wishes:
        """What is searched with, apart from what is uploaded."""
        told = self.cleaned_data
        return Wishes(keys=told["q"], images=told["image"], less=told["less"], crop=told["crop"])

    @property
    def page(self) -> Page:
        """Which hits are asked for."""
        told = self.cleaned_data
        after = told["after"] if told["offset"] else None  # a place alone says nothing of its rank
        k = told["k"] if told["offset"] else max(told["k"], told["shown"] or 0)
        return Page(k=k, offset=told["offset"], after=after, sort=told["sort"])

    @property
    def question(self) -> str:
        """What is asked, whatever encoder answers: the same for the same pictures, scope and filters."""
        return self.address(encoder=None, beside=None, blind=None, offset=None, after=None, k=None).urlencode()

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are set, by name."""
        return {name: value for name in FILTERS if (value := self.cleaned_data.get(name)) not in (None, "")}

    @property
    def filters_in_words(self) -> list[tuple[str, str]]:
        """The filters that are set, by name, each as a page says it."""
        return [
            (name, f"{self.fields[name].label}: {self._in_words(name, value)}") for name, value in self.filters.items()
        ]

    def _in_words(self, name: str, value: Any) -> str:
        if isinstance(value, date):
            return date_format(value, "SHORT_DATE_FORMAT")
        return str(dict(getattr(self.fields[name], "choices", ())).get(value, _text(value)))

    @property
    def scope(self) -> Scope:
        """Which images may answer."""
        told = self.cleaned_data
        return scope_among(
            self.datasets,
            told["dataset"],
            labels=(told["label"],) if told["label"] else (),
            tags=(told["tag"],) if told["tag"] else (),
            formats=(told["format"],) if told["format"] else (),
            orientation=told["orientation"],
            min_edge=told["min_edge"],
            max_edge=told["max_edge"],
            added_from=told["since"],
            added_to=told["until"],
            words=tuple(told["words"].split()),
            max_distance=self._max_distance(),
        )

    def _max_distance(self) -> float | None:
        """Return where the scope ends; nowhere for encoders whose distances are no similarity."""
        least, encoder = self.cleaned_data["least"], self.cleaned_data["encoder"]
        if least is None or encoder.distance != Encoder.Distance.COSINE:
            return None
        return 1 - least / 100

    def clean_dataset(self) -> str:
        """Return the slug, also of a dataset that is called by its name."""
        named = self.cleaned_data["dataset"]
        try:
            dataset_ids = scope_among(self.datasets, named).dataset_ids
        except UnknownDataset as error:
            raise ValidationError(wording.told(error), code="unknown_dataset") from error
        return next((one.slug for one in self.datasets if named and one.pk in dataset_ids), named)

    def clean_encoder(self) -> Encoder:
        named = self.cleaned_data["encoder"]
        known = (one for one in self.encoders if (one.name == named if named else one.is_default))
        try:
            return next(known, None) or encoders.by_name(named)
        except encoders.NoEncoder as error:
            raise ValidationError(wording.told(error), code="unknown_encoder") from error

    def clean_k(self) -> int:
        k = self.cleaned_data["k"]
        return DEFAULT_K if k is None else k

    def clean_offset(self) -> int:
        return self.cleaned_data["offset"] or 0

    def clean_beside(self) -> list[Encoder]:
        """Return the encoders beside the first, which is left out here."""
        named = self.cleaned_data["beside"]
        first = self.cleaned_data.get("encoder")
        others = [one for one in self.encoders if one.name in named and one != first]
        if len(others) > MOST_BESIDE:
            raise ValidationError(
                _("Four encoders fit beside each other at most: %(most)d to compare with."),
                "too_many",
                {"most": MOST_BESIDE},
            )
        return others

    def clean(self) -> dict[str, Any]:
        if self._n_pictures() > MOST:
            raise ValidationError(_("A search takes %(most)d pictures at most."), "too_many", {"most": MOST})
        return self.cleaned_data

    def _n_pictures(self) -> int:
        """Return how many pictures the search would be made with."""
        return sum(len(self.cleaned_data.get(name, [])) for name in ("q", "image", "less"))

    def address(self, **changes: object) -> QueryDict:
        """Return the query string of this search; what is the default, or None in the changes, is left out."""
        told = {**self._state(), **changes}
        address = QueryDict(mutable=True)
        for name, value in told.items():
            values = value if isinstance(value, list) else [value]
            if texts := [str(one) for one in values if one not in (None, "")]:
                address.setlist(name, texts)
        return address

    def _state(self) -> dict[str, object]:
        told: Mapping[str, Any] = self.cleaned_data
        encoder: Encoder = told["encoder"]
        return {
            "q": _texts(told["q"]),
            "image": _texts(told["image"]),
            "less": _texts(told["less"]),
            "crop": crop_text(told["crop"]),
            "dataset": told["dataset"],
            "encoder": "" if encoder.is_default else encoder.name,
            "beside": [one.name for one in told["beside"]],
            "blind": "1" if told["blind"] else "",
            "k": "" if told["k"] == DEFAULT_K else told["k"],
            "sort": told["sort"],
            **{name: _text(value) for name, value in self.filters.items()},
            "offset": told["offset"] or "",
            "after": place_text(told["after"]),
        }


def _texts(wishes: list[Wish]) -> list[str]:
    return [wish.text for wish in wishes]


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
