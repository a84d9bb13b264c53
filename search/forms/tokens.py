"""A new token of the API."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from search.models import ApiToken

DEFAULT_DAYS = 90
_LIFETIMES = [(7, _("a week")), (30, _("30 days")), (DEFAULT_DAYS, _("90 days")), (365, _("a year"))]


class TokenForm(forms.Form):
    """A new token: what it is called, what it is for, and for how long."""

    name = forms.CharField(
        max_length=100, label=_("Name"), error_messages={"required": _("Give it a name by which you will know it.")}
    )
    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices,
        label=_("It may"),
        error_messages={"required": _("Choose at least one thing that it may do.")},
    )
    days = forms.TypedChoiceField(choices=_LIFETIMES, coerce=int, initial=DEFAULT_DAYS, label=_("It expires after"))

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"])
