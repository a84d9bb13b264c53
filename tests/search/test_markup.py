"""HTML filled in as Django fills it in."""

import pytest
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from search.markup import filled
from search.models import Encoder, Image

HTML = '<a title="{part}">{part}</a>'


@pytest.mark.parametrize(
    "part",
    [
        "plain",
        "<script>alert('x')</script> & \"quoted\"",
        "{part} {0}",
        mark_safe("<b>bold</b>"),
        gettext_lazy("Find <similar>"),
        0,
        12_345,
        0.25,
        True,
        None,
        Image.Status.READY,
        Encoder.Distance.COSINE,
    ],
)
def test_it_escapes_what_django_escapes(part: object) -> None:
    assert filled(HTML, part=part) == format_html(HTML, part=part)


def test_what_it_gives_is_safe() -> None:
    assert filled("<p>{inner}</p>", inner=filled("<i>{text}</i>", text="<")) == "<p><i>&lt;</i></p>"
