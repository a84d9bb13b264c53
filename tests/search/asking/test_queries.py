"""Pictures that become queries: at once, or in a thread while something else is asked."""

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.images import RefusedImage
from search.asking import queries
from search.models import Encoder
from tests.conftest import png
from tests.fakes import ColourNetwork


@pytest.mark.parametrize("aside", [False, True])
def test_a_picture_is_the_same_query_in_a_thread_of_its_own(encoder: Encoder, aside: bool) -> None:
    at_once = queries.from_picture(png(), encoder)
    with queries.reading(png(), encoder, aside=aside) as begun:
        picture, query = begun.picture(), begun.query()
    assert np.array_equal(query.vector, at_once.vector)
    assert (picture.phash, picture.preview) == (query.phash, query.preview) == (at_once.phash, at_once.preview)
    assert begun.sha256 == query.sha256 == at_once.sha256


@pytest.mark.parametrize("aside", [False, True])
def test_a_picture_is_decoded_and_encoded_once(encoder: Encoder, network: ColourNetwork, aside: bool) -> None:
    before = network.n_encoded
    with queries.reading(png(), encoder, aside=aside) as begun:
        assert begun.picture() is begun.picture()
        begun.query()
    assert network.n_encoded == before + 1


@pytest.mark.parametrize("aside", [False, True])
def test_what_is_refused_is_told_whoever_waits(encoder: Encoder, aside: bool) -> None:
    with queries.reading(png()[:-30], encoder, aside=aside) as begun:
        for wait in (begun.picture, begun.query):
            with pytest.raises(RefusedImage):
                wait()


def test_a_thread_ends_with_whoever_wanted_its_query(encoder: Encoder, network: ColourNetwork) -> None:
    threads: list[threading.Thread] = []

    def encode(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        threads.append(threading.current_thread())
        return ColourNetwork.encode(network, pixels)

    network.encode = encode  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError), queries.reading(png(), encoder, aside=True):
        raise ZeroDivisionError
    assert [thread.is_alive() for thread in threads] == [False]
