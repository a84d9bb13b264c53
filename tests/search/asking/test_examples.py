"""A search by several pictures: what they become together, in which order, and what cannot be asked with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from numpy.typing import NDArray

from search.asking import examples, queries
from search.asking.examples import Example, NothingWanted, UnknownImage, Wish, Wishes
from search.asking.queries import Query, QueryExpired
from search.models import Dataset, Encoder, Image
from tests.pictures import plain_png, png_bytes

AddImage = Callable[..., Image]
X, Y, Z = np.eye(3, dtype=np.float32)


def example(vector: NDArray[np.float32], weight: float = 1.0, *, is_wanted: bool = True) -> Example:
    return Example(query=Query(vector=vector), wish=Wish(name="1", weight=weight), is_wanted=is_wanted)


def mixed(*given: Example, distance: str = "cosine") -> NDArray[np.float32]:
    return examples.mix(given, Encoder(distance=distance)).vector


def wish(image: Image, weight: float = 1.0) -> Wish:
    return Wish(name=str(image.pk), weight=weight)


def post(client: Client, *contents: bytes, **fields: Any) -> Any:
    pictures = [SimpleUploadedFile(f"{place}.png", content) for place, content in enumerate(contents)]
    follow = fields.pop("follow", True)
    return client.post("/", {"picture": pictures, **fields}, follow=follow, headers=fields.pop("headers", {}))


def test_several_pictures_become_their_mean_of_unit_length() -> None:
    np.testing.assert_allclose(mixed(example(X), example(Y)), (X + Y) / np.sqrt(2), atol=1e-6)


def test_a_picture_counts_as_much_as_its_weight_says() -> None:
    expected = (3 * X + Y) / np.sqrt(10)
    np.testing.assert_allclose(mixed(example(X, 3.0), example(Y)), expected, atol=1e-6)
    assert mixed(example(X, 3.0)).tolist() == X.tolist()


def test_half_the_mean_of_what_is_not_wanted_is_taken_off() -> None:
    vector = mixed(example(X), example(Y, is_wanted=False), example(Z, 3.0, is_wanted=False))
    expected = X - 0.5 * (Y + 3 * Z) / 4
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_for_an_encoder_that_compares_lengths_the_mean_keeps_its_own() -> None:
    vector = mixed(example(2 * X), example(Y, is_wanted=False), distance="l2")
    np.testing.assert_allclose(vector, 2 * X - 0.5 * Y)


def test_one_picture_is_its_own_vector_to_the_last_bit() -> None:
    vector = np.array([0.1, 0.7, 0.3], np.float32)
    assert mixed(example(vector)) is vector or mixed(example(vector)).tobytes() == vector.tobytes()


def test_uploads_come_first_then_images_then_what_is_not_wanted(add_image: AddImage, encoder: Encoder) -> None:
    red, blue, green = add_image("red"), add_image("blue"), add_image("green")
    kept = queries.keep(queries.from_picture(plain_png(8, 8), encoder), encoder)
    wishes = Wishes(keys=[Wish(name=kept.key)], images=[wish(blue), wish(red, 2)], less=[wish(green)])
    mix = examples.recall(wishes, encoder, None)
    assert [one.wish.text for one in mix.examples] == [kept.key, str(blue.pk), f"{red.pk}~2", str(green.pk)]
    assert [one.field for one in mix.examples] == ["q", "image", "image", "less"]
    assert mix.main.key == kept.key
    assert mix.image_ids == [blue.pk, red.pk, green.pk]


def test_more_like_one_and_less_like_another_changes_who_is_nearest(client: Client, add_image: AddImage) -> None:
    query, warm, cold = add_image("#808080"), add_image("#907070"), add_image("#707090")
    nearest = {
        sign: client.get("/", {"image": query.pk, "less": disliked.pk}).context["results"].hits[0].id
        for sign, disliked in (("warm", warm), ("cold", cold))
    }
    assert nearest == {"warm": cold.pk, "cold": warm.pk}


def test_something_must_be_wanted(client: Client, add_image: AddImage, encoder: Encoder) -> None:
    red = add_image("red")
    with pytest.raises(NothingWanted, match="Choose a picture that results should be like"):
        examples.recall(Wishes(less=[wish(red)]), encoder, None)
    response = client.get("/", {"less": red.pk})
    assert response.status_code == 400
    assert "Choose a picture that results should be like, too." in response.text


@pytest.mark.parametrize("field", ["image", "less"])
def test_an_image_that_is_not_there_and_one_that_may_not_be_seen_are_told_alike(
    client: Client, add_image: AddImage, encoder: Encoder, field: str
) -> None:
    red, hidden = add_image("red"), add_image("blue", dataset=Dataset.objects.create(name="Secret", is_public=False))
    asked = {"image": [red.pk]}
    texts = []
    for unknown in (hidden.pk, 10**15):
        response = client.get("/", {**asked, field: [*asked.get(field, []), unknown]})
        assert response.status_code == 404
        texts.append(re.sub(r'%3D\d+|value="\w{64}"', "", response.text))
    assert texts[0] == texts[1]
    assert "Secret" not in texts[0]
    with pytest.raises(UnknownImage, match=f"There is no image {hidden.pk}"):
        examples.recall(Wishes(images=[wish(red)], less=[wish(hidden)]), encoder, None)


def test_the_crop_is_one_of_the_first_picture_alone(add_image: AddImage, encoder: Encoder) -> None:
    first, second = add_image(content=png_bytes(seed=1)), add_image(content=png_bytes(seed=2))
    mix = examples.recall(
        Wishes(images=[wish(first), wish(second)], less=[wish(first)], crop=(0.5, 0.5, 0.5, 0.5)), encoder, None
    )
    assert [one.query.crop for one in mix.examples] == [(0.5, 0.5, 0.5, 0.5), None, None]
    whole = queries.from_image(first, encoder).vector
    assert not np.allclose(mix.main.vector, whole, atol=1e-3)
    assert mix.examples[2].query.vector.tobytes() == whole.tobytes()


def test_a_part_of_one_picture_is_no_whole_picture(add_image: AddImage, encoder: Encoder) -> None:
    red = add_image("red")
    assert examples.recall(Wishes(images=[wish(red)]), encoder, None).is_one_picture
    assert not examples.recall(Wishes(images=[wish(red)], crop=(0, 0, 0.5, 1)), encoder, None).is_one_picture


def test_the_crop_of_an_image_is_not_that_of_an_upload_that_is_added(client: Client, add_image: AddImage) -> None:
    image = add_image(content=png_bytes(seed=1))
    add_image("blue")
    asked = {"image": str(image.pk), "crop": "0.5,0.5,0.5,0.5", "add": "1", "headers": {"HX-Request": "true"}}
    at_once = post(client, plain_png(8, 8), **asked)
    assert "crop" not in at_once["HX-Push-Url"]
    again = client.get(at_once["HX-Push-Url"])
    vectors = [response.context["results"].mix.vector for response in (at_once, again)]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=2e-3)


@pytest.mark.parametrize("n_less", [0, 10])
def test_a_search_takes_twenty_pictures_and_not_one_more(client: Client, add_image: AddImage, n_less: int) -> None:
    ids = [add_image(f"#{red:02x}4020").pk for red in range(0, 220, 10)]
    wanted, unwanted = ids[: 20 - n_less], ids[20 - n_less : 20]
    assert client.get("/", {"image": wanted, "less": unwanted}).status_code == 200
    response = client.get("/", {"image": [*wanted, ids[20]], "less": unwanted})
    assert response.status_code == 400
    assert "A search takes 20 pictures at most." in response.text


def test_uploads_are_not_added_to_a_search_that_is_full(client: Client, add_image: AddImage) -> None:
    ids = [add_image(f"#{red:02x}4020").pk for red in range(0, 190, 10)]
    assert post(client, plain_png(8, 8), image=ids, add="1").status_code == 200
    response = post(client, plain_png(8, 8), plain_png(9, 9), image=ids, add="1")
    assert response.status_code == 422
    assert "A search takes 20 pictures at most." in response.text


def test_several_uploads_make_one_search_with_an_address(client: Client, add_image: AddImage) -> None:
    for colour in ("red", "purple", "blue", "yellow"):
        add_image(colour, label=colour)
    response = post(client, plain_png(8, 8, "red"), plain_png(8, 8, "blue"))
    assert response.status_code == 200
    assert len(response.context["asked"].getlist("q")) == 2
    assert response.context["results"].hits[0].label == "purple"


def test_a_key_that_has_expired_is_told_with_what_to_do(client: Client, add_image: AddImage, encoder: Encoder) -> None:
    red = add_image("red")
    kept = queries.keep(queries.from_picture(plain_png(8, 8), encoder), encoder)
    assert client.get("/", {"q": kept.key, "image": red.pk}).status_code == 200
    cache.delete(f"query:{kept.key}")
    with pytest.raises(QueryExpired, match="Upload this one again"):
        examples.recall(Wishes(keys=[Wish(name=kept.key)]), encoder, None)
    response = client.get("/", {"q": kept.key, "image": red.pk})
    assert response.status_code == 410
    assert "Upload this one again." in response.text


@pytest.mark.parametrize(
    ("weight", "reason"),
    [("two", "weight is a number"), ("nan", "from 0.1 to 10"), ("0", "from 0.1 to 10"), ("1e400", "from 0.1 to 10")],
)
def test_a_weight_that_makes_no_sense_is_refused(client: Client, encoder: Encoder, weight: str, reason: str) -> None:
    response = client.get("/", {"image": f"1~{weight}"})
    assert response.status_code == 400
    assert reason in response.text


def test_a_picture_that_is_named_twice_counts_once(client: Client, add_image: AddImage) -> None:
    red, blue = add_image("red"), add_image("blue")
    response = client.get("/", {"image": [red.pk, blue.pk, f"{red.pk}~3"]})
    assert [one.wish.text for one in response.context["results"].examples] == [f"{red.pk}~3", str(blue.pk)]


def test_pictures_that_cancel_each_other_out_are_told(encoder: Encoder) -> None:
    vector = np.zeros(encoder.dim, dtype=np.float32)
    vector[0] = 1
    opposites = [Example(query=Query(vector=sign * vector), wish=Wish(name="1")) for sign in (1, -1)]
    with pytest.raises(NothingWanted, match="cancel each other out"):
        examples.mix(opposites, encoder)
