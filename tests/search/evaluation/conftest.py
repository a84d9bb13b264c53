"""A labelled dataset of colours, as files that can be decoded, with vectors of the fake encoder."""

from collections.abc import Callable

import pytest

from search.models import Dataset, Image
from tests.pictures import shade

AddImage = Callable[..., Image]


@pytest.fixture
def colours(add_image: AddImage, dataset: Dataset) -> list[Image]:
    """Twenty images of two labels that the encoder tells apart, without splits."""
    return [
        add_image(content=shade(kind, number), label=kind, source=f"{kind}/{number}.png")
        for kind in ("warm", "cold")
        for number in range(10)
    ]


@pytest.fixture
def divided(colours: list[Image]) -> list[Image]:
    """The same, the first four of each label for testing and the others for training."""
    for image in colours:
        number = int(image.name.partition(".")[0])
        Image.objects.filter(pk=image.pk).update(split="test" if number < 4 else "train")
    return colours


@pytest.fixture
def muddled(colours: list[Image]) -> list[Image]:
    """The same with two labels exchanged, so that something goes wrong."""
    Image.objects.filter(pk=colours[3].pk).update(label="cold")
    Image.objects.filter(pk=colours[13].pk).update(label="warm")
    return colours
