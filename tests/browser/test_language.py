"""The language in a browser: that of the browser at first, then the one that was chosen, also without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

OpenPage = Callable[..., Any]


@pytest.mark.parametrize("scripts", [True, False])
def test_the_switch_works_by_keyboard_and_leads_back_to_the_page(
    open_page: OpenPage, add_image: Callable[..., Any], scripts: bool
) -> None:
    add_image("red", label="warm")
    page = open_page("/datasets/colours/?label=warm", locale="de-DE", java_script_enabled=scripts)
    assert page.locator("html").get_attribute("lang") == "de"
    assert page.get_by_text("1 Bild passt.").is_visible()
    page.get_by_role("button", name="English").focus()
    page.keyboard.press("Enter")
    page.get_by_text("1 image matches.").wait_for()
    assert page.url.endswith("/datasets/colours/?label=warm")
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("address", ["/", "/datasets/", "/datasets/colours/", "/encoders/", "/login/"])
def test_german_words_fit_a_narrow_screen(open_page: OpenPage, add_image: Callable[..., Any], address: str) -> None:
    add_image("red", label="warm")
    page = open_page(address, locale="de-DE", viewport={"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
