"""No address that a stranger gives leads anybody off the site."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from search.models import Encoder, Image

ELSEWHERE = ["https://evil.example/", "//evil.example/", "/\\evil.example/", "///evil.example", "javascript:alert(1)"]


def leads_off(response: Any) -> bool:
    target = response["Location"].replace("\\", "/")
    return bool(urlsplit(target).netloc or urlsplit(target).scheme) or target.startswith("//")


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
@pytest.mark.parametrize("name", ["back", "next", "image", "dataset", "words", "//evil.example", "chosen"])
def test_choosing_and_taking_back_lead_to_the_search(client: Client, db: None, name: str, elsewhere: str) -> None:
    for address in ("/selection/", "/selection/undo/"):
        response = client.post(address, {name: elsewhere})
        assert response.status_code == 303
        assert not leads_off(response)
        assert response["Location"].partition("?")[0] == "/"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_forms_that_lead_back_to_a_search_lead_to_this_one(
    client: Client, encoder: Encoder, add_image: Any, django_user_model: type[User], elsewhere: str
) -> None:
    images: list[Image] = [add_image("red"), add_image("blue")]
    client.force_login(django_user_model.objects.create_user("ann"))
    asked = {"image": [one.pk for one in images], "words": elsewhere, "back": elsewhere, "next": elsewhere}
    response = client.post("/marks/", asked)
    assert response.status_code == 303
    assert response["Location"].startswith("/?image=")
    assert not leads_off(response)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_signing_in_and_choosing_a_language_stay_here(
    client: Client, django_user_model: type[User], elsewhere: str
) -> None:
    django_user_model.objects.create_user("ann", password="secret")
    assert not leads_off(client.post("/language/", {"language": "de", "next": elsewhere}))
    signed_in = client.post(f"/login/?next={elsewhere}", {"username": "ann", "password": "secret", "next": elsewhere})
    assert signed_in.status_code == 302
    assert not leads_off(signed_in)
