"""Whoever comes first is served first, and no place is lost."""

from __future__ import annotations

import threading
import time

import pytest

from embeddings.turns import Turns


def test_those_that_wait_are_let_through_in_the_order_in_which_they_came() -> None:
    turns, order, inside = Turns(1), [], threading.Event()

    def come(number: int) -> None:
        with turns:
            order.append(number)

    def stay_long() -> None:
        with turns:
            inside.set()
            while len(turns._waiting) < 20:
                time.sleep(0.001)

    first = threading.Thread(target=stay_long)
    first.start()
    inside.wait()
    others = []
    for number in range(20):
        others.append(threading.Thread(target=come, args=(number,)))
        others[-1].start()
        while len(turns._waiting) <= number and first.is_alive():
            time.sleep(0.001)
    for one in (first, *others):
        one.join()
    assert order == list(range(20))


def test_as_many_as_may_are_inside_at_once_and_no_place_is_lost() -> None:
    turns, inside, most, changing = Turns(3), 0, 0, threading.Lock()

    def come_and_go() -> None:
        nonlocal inside, most
        for _ in range(50):
            with turns:
                with changing:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with changing:
                    inside -= 1

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (most, inside, turns._n_free, len(turns._waiting)) == (3, 0, 3, 0)


def test_who_fails_gives_the_place_back() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="a mistake"), turns:
        raise ValueError("a mistake")
    with turns:
        assert turns._n_free == 0
