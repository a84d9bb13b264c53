"""Fields that an address holds: several pictures with their weights, a part of a picture, a place in a ranking."""

from __future__ import annotations

import math
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from embeddings.images import Crop
from search.asking.examples import MOST, Wish
from search.neighbours import Place

KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
IMAGE_ID = re.compile(r"[1-9][0-9]{0,18}")
WEIGHTS = (0.1, 10.0)


class WishesField(forms.Field):
    """Pictures by name, each once: `image=12&image=15~2`. Cleaned, a list of Wish."""

    widget = forms.MultipleHiddenInput

    def __init__(self, pattern: re.Pattern[str], message: Any, **options: Any) -> None:
        super().__init__(required=False, **options)
        self._pattern = pattern
        self._message = message

    def to_python(self, value: Any) -> list[Wish]:
        texts = [text for text in value or [] if text]
        if len(texts) > MOST:
            raise ValidationError(_("A search takes %(most)d pictures at most."), "too_many", {"most": MOST})
        wishes = {wish.name: wish for wish in map(self._wish, texts)}
        return list(wishes.values())

    def _wish(self, text: str) -> Wish:
        name, _tilde, weight = text.partition("~")
        if not self._pattern.fullmatch(name):
            raise ValidationError(self._message, "invalid")
        return Wish(name=name, weight=_weight(weight) if weight else 1.0)


class CropField(forms.CharField):
    """A part of a picture: "x,y,width,height" as fractions of it. Cleaned, four numbers, or None."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Crop | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError as error:
            raise ValidationError(
                _("A part of a picture is four numbers: x,y,width,height, as fractions of it."), "invalid"
            ) from error
        return x, y, width, height


class PlaceField(forms.CharField):
    """Where a page of hits goes on: "distance~id" of the hit before. Cleaned, a Place, or None."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Place | None:
        text = super().clean(value)
        if not text:
            return None
        distance, _tilde, image_id = text.partition("~")
        try:
            place = Place(float(distance), int(image_id))
        except ValueError as error:
            raise ValidationError(_("This address of a page of results is damaged."), "invalid") from error
        if not math.isfinite(place.distance) or not IMAGE_ID.fullmatch(image_id):
            raise ValidationError(_("This address of a page of results is damaged."), "invalid")
        return place


def crop_text(crop: Crop | None) -> str:
    """Return a part of a picture as an address has it: so exactly that it does not reach over the edge by rounding."""
    return ",".join(f"{part:.9g}" for part in crop) if crop else ""


def place_text(place: Place | None) -> str:
    """Return a place in a ranking as an address has it, to the last bit of the distance."""
    return f"{place.distance!r}~{place.image_id}" if place else ""


def _weight(text: str) -> float:
    least, most = WEIGHTS
    try:
        weight = float(text)
    except ValueError as error:
        raise ValidationError(_("A picture's weight is a number."), "invalid") from error
    if not least <= weight <= most:
        raise ValidationError(
            _("A picture's weight is from %(least)g to %(most)g."), "weight", {"least": least, "most": most}
        )
    return weight
