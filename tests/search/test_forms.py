"""Widgets written without templates: the same, character by character, as by Django's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from search.forms.rendering import QuickRenderer

HOSTILE = "<b>\"'&</b>"
CHOICES = [("", gettext_lazy("any")), (1, HOSTILE), (HOSTILE, "two"), ("Group <1>", [("a", "A"), ("b", "B")])]


@pytest.mark.parametrize(
    "widget",
    [
        forms.TextInput(attrs={"list": "labels", "title": HOSTILE}),
        forms.NumberInput(attrs={"min": 1, "step": 0.5}),
        forms.EmailInput(),
        forms.PasswordInput(render_value=True),
        forms.HiddenInput(),
        forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        forms.CheckboxInput(attrs={"disabled": True, "hidden": False}),
        forms.Select(choices=CHOICES),
        forms.SelectMultiple(choices=CHOICES),
        forms.NullBooleanSelect(),
        forms.CheckboxSelectMultiple(choices=CHOICES),
        forms.RadioSelect(choices=CHOICES),
        forms.Textarea(),
        forms.FileInput(),
    ],
    ids=lambda widget: type(widget).__name__,
)
@pytest.mark.parametrize("value", [None, "", HOSTILE, 1, 12345.5, "a", mark_safe("<i>"), date(2026, 1, 2)], ids=repr)
@pytest.mark.parametrize("attrs", [{}, {"id": "id_one", "required": True, "lang": HOSTILE}], ids=["bare", "more"])
def test_a_widget_is_what_django_makes_of_it(widget: forms.Widget, value: Any, attrs: dict[str, Any]) -> None:
    given = [value] if isinstance(widget, forms.SelectMultiple | forms.CheckboxSelectMultiple) else value

    written = widget.render("one", given, attrs, renderer=QuickRenderer())

    assert written == widget.render("one", given, attrs, renderer=DjangoTemplates())
