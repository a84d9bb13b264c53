"""Requests that nobody means: a NUL anywhere, and who signs in where."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from search.models import Dataset, Image

AddImage = Callable[..., Image]


@pytest.mark.parametrize(
    "path",
    [
        "/?q=%00",
        "/datasets/colours/?label=a%00b",
        "/images/1/picture-%00.jpg",
        "/images/1/thumbnail-%00.jpg",
        "/query/%00.jpg",
        "/admin/search/image/?label=%00",
        "/admin/search/job/?kind__exact=%00",
        "/admin/autocomplete/?app_label=search&model_name=dataset&field_name=owner&term=%00",
        "/encoders/%00/default/",
    ],
)
def test_a_nul_in_an_address_is_refused_or_found_nowhere(admin_client: Client, dataset: Dataset, path: str) -> None:
    assert admin_client.get(path).status_code in {400, 404}


def test_a_nul_in_a_form_is_refused(admin_client: Client, add_image: AddImage) -> None:
    form = b"action=set_label&_selected_action=%00&label=x"
    answer = admin_client.post("/admin/search/image/", form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


def test_an_owner_who_is_no_staff_signs_in_and_sees_their_own(client: Client, add_image: AddImage) -> None:
    owner = get_user_model().objects.create_user("owner", password="only for this test")
    Dataset.objects.create(name="Private", is_public=False, owner=owner)
    assert client.get("/datasets/private/").status_code == 404
    form = {"username": "owner", "password": "only for this test", "next": "/datasets/private/"}
    assert client.post("/login/", form).headers["Location"] == "/datasets/private/"
    assert client.get("/datasets/private/").status_code == 200
    assert client.post("/logout/").headers["Location"] == "/"
    assert client.get("/datasets/private/").status_code == 404


def test_a_wrong_password_is_told(client: Client, db: None) -> None:
    page = client.post("/login/", {"username": "nobody", "password": "wrong"})
    assert "Please enter a correct username and password" in page.content.decode()


def test_pages_for_staff_lead_to_the_sign_in_and_back(client: Client, db: None) -> None:
    assert client.get("/jobs/").headers["Location"] == "/login/?next=/jobs/"


def test_counts_on_the_page_of_the_encoders_leave_private_datasets_out(
    client: Client, admin_client: Client, add_image: AddImage
) -> None:
    add_image("red")
    add_image("blue", dataset=Dataset.objects.create(name="Private", is_public=False))
    assert "1 of 1 image" in client.get("/encoders/").content.decode()
    assert "2 of 2 images" in admin_client.get("/encoders/").content.decode()


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "idna"])
def test_text_in_another_encoding_than_utf_8_is_refused(client: Client, db: None, charset: str) -> None:
    response = client.post(
        "/selection/", b"do=csv", content_type=f"application/x-www-form-urlencoded; charset={charset}"
    )
    assert response.status_code == 400
