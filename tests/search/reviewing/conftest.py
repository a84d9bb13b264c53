"""Pictures in a dataset, some of them the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from PIL.Image import Image as PillowImage

from search.models import Dataset, Image
from tests.pictures import photo, saved

AddPicture = Callable[..., Image]


@pytest.fixture
def ann(django_user_model: type[User], dataset: Dataset) -> User:
    """Somebody who is no staff, and whose dataset it is."""
    ann = django_user_model.objects.create_user("ann")
    dataset.owner = ann
    dataset.save()
    return ann


@pytest.fixture
def add_picture(add_image: Callable[..., Image]) -> AddPicture:
    """Make an image of a picture: `add_picture(photo(320, 240), "JPEG", quality=50, label="warm")`."""

    def add(picture: PillowImage, format_: str = "PNG", *, quality: int | None = None, **fields: Any) -> Image:
        options = {} if quality is None else {"quality": quality}
        content = saved(picture, format_, **options)
        size = {"width": picture.width, "height": picture.height, "format": format_}
        source = fields.pop("source", f"drawn/{picture.width}.{format_.lower()}")
        return add_image(content=content, source=source, **size, **fields)

    return add


def whole(seed: int = 3) -> PillowImage:
    return photo(400, 300, seed)
