"""Menus whose choices are rows of the moment."""

from __future__ import annotations

from django import forms


def offer(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    """Give a field's menu its choices."""
    widget = form.fields[name].widget
    assert isinstance(widget, forms.Select)  # noqa: S101 -- for mypy: every menu is one
    widget.choices = choices
