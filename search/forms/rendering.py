"""The plain widgets of forms, written without templates: a page of results has sixteen, which took a tenth of its time.

They come out as Django's own templates have them, character by character; every other widget still comes from those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from search.markup import filled

Widget = Mapping[str, Any]
_WIDGETS = "django/forms/widgets/"
_INPUTS = ("checkbox", "date", "email", "hidden", "number", "password", "text")


class QuickRenderer(DjangoTemplates):
    """Renders forms as Django does, sooner."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        written = _WRITTEN.get(template_name)
        return written(context["widget"]) if written else super().render(template_name, context, request)


def _input(widget: Widget) -> SafeString:
    value = widget["value"]
    return filled(
        '<input type="{type}" name="{name}"{value}{attributes}>',
        type=widget["type"],
        name=widget["name"],
        value="" if value is None else filled(' value="{value}"', value=value),
        attributes=_attributes(widget),
    )


def _select(widget: Widget) -> SafeString:
    groups = "".join(_group(name, options) for name, options, _ in widget["optgroups"])
    return filled(
        '<select name="{name}"{attributes}>{groups}\n</select>',
        name=widget["name"],
        attributes=_attributes(widget),
        groups=mark_safe(groups),  # noqa: S308 -- escaped
    )


def _group(name: str | None, options: list[Widget]) -> str:
    written = "".join(
        filled(
            '\n  <option value="{value}"{attributes}>{label}</option>\n',
            value=option["value"],
            attributes=_attributes(option),
            label=option["label"],
        )
        for option in options
    )
    return f'\n  <optgroup label="{conditional_escape(name)}">{written}\n  </optgroup>' if name else written


def _attributes(widget: Widget) -> SafeString:
    """Return the attributes, each after a space: one that is true without a value, one that is false not at all."""
    # Names are the code's own.
    return mark_safe(  # noqa: S308
        "".join(
            f" {name}" if value is True else f' {name}="{conditional_escape(value)}"'
            for name, value in widget["attrs"].items()
            if value is not False
        )
    )


_WRITTEN: dict[str, Callable[[Widget], SafeString]] = {
    f"{_WIDGETS}select.html": _select,
    **{f"{_WIDGETS}{name}.html": _input for name in _INPUTS},
}
