"""Who asks, who may answer, and what cannot be evaluated."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from search.evaluation import protocol
from search.evaluation.protocol import CannotEvaluate, Protocol, Sides
from search.models import Dataset, Image

AddImage = Callable[..., Image]


def sides(dataset: Dataset, asking: Dataset | None = None, **fields: object) -> Sides:
    wanted = Protocol(dataset=dataset, queries_dataset=asking or dataset, **fields)  # type: ignore[arg-type]
    return protocol.sides(protocol.chosen(wanted))


def test_test_images_ask_train_images_where_there_are_both(dataset: Dataset, divided: list[Image]) -> None:
    found = sides(dataset)
    assert (len(found.queries), len(found.gallery), len(found.struck)) == (8, 12, 0)
    assert found.protocol.in_words() == "test against train"
    assert found.protocol.scope_splits == ("train",)


def test_each_image_asks_all_others_where_nothing_is_divided(dataset: Dataset, colours: list[Image]) -> None:
    found = sides(dataset)
    assert (len(found.queries), len(found.gallery), len(found.struck)) == (20, 20, 20)
    assert found.protocol.in_words() == "each against all others"
    assert found.protocol.scope_splits == ()


def test_a_named_split_leaves_the_other_side_open(dataset: Dataset, divided: list[Image]) -> None:
    found = sides(dataset, queries_split="test")
    assert (len(found.queries), len(found.gallery), len(found.struck)) == (8, 20, 8)


def test_another_dataset_can_ask_and_the_same_file_is_no_answer(
    dataset: Dataset, colours: list[Image], add_image: AddImage
) -> None:
    phone = Dataset.objects.create(name="Phone")
    add_image(content=colours[0].original.read_bytes(), label="warm", dataset=phone)
    found = sides(dataset, phone)
    assert (len(found.queries), len(found.gallery), found.struck.places.tolist()) == (1, 20, [0])
    assert found.protocol.in_words() == "Phone against all"
    assert not found.protocol.is_leave_one_out


def test_many_queries_are_drawn_from(dataset: Dataset, colours: list[Image]) -> None:
    found = sides(dataset, max_queries=7)
    assert (len(found.queries), found.n_drawn_from) == (7, 20)
    assert found.queries.ids.tolist() == sides(dataset, max_queries=7).queries.ids.tolist()
    assert found.queries.ids.tolist() != sides(dataset, max_queries=7, seed=1).queries.ids.tolist()


def test_images_that_wait_or_were_refused_take_no_part(dataset: Dataset, colours: list[Image]) -> None:
    Image.objects.filter(pk=colours[0].pk).update(status="refused")
    Image.objects.filter(pk=colours[1].pk).update(status="pending")
    assert (len(sides(dataset).queries), sides(dataset).n_not_ready) == (18, 2)
    assert sides(dataset, gallery_split="none", queries_split="none").n_not_ready == 2


def test_images_without_a_label_do_not_ask(dataset: Dataset, colours: list[Image]) -> None:
    Image.objects.filter(pk=colours[0].pk).update(label="")
    found = sides(dataset)
    assert (len(found.queries), len(found.gallery), found.n_unlabelled) == (19, 20, (1, 1))


def test_figures_are_comparable_as_long_as_contents_and_labels_are_the_same(
    dataset: Dataset, colours: list[Image]
) -> None:
    before = sides(dataset).digest()
    assert before == sides(dataset).digest()
    Image.objects.filter(pk=colours[0].pk).update(label="hot")
    assert sides(dataset).digest() != before


def test_a_protocol_survives_its_job(dataset: Dataset, divided: list[Image]) -> None:
    wanted = protocol.chosen(Protocol(dataset=dataset, queries_dataset=dataset, seed=3))
    assert protocol.from_parameters(wanted.as_parameters()) == wanted
    dataset.delete()
    with pytest.raises(CannotEvaluate, match="The dataset Colours is gone"):
        protocol.from_parameters(replace(wanted).as_parameters())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"queries_split": "exam"}, "There is no split 'exam'. There are: all, none, train, val, test"),
        ({"gallery_split": "val"}, "Colours has no image of the split val that is ready"),
        ({"max_queries": 0}, "At least one query has to be asked; got 0"),
    ],
)
def test_what_is_not_there_is_said(
    dataset: Dataset, colours: list[Image], fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(CannotEvaluate, match=reason):
        sides(dataset, **fields)


def test_one_image_has_no_other_to_find(dataset: Dataset, add_image: AddImage) -> None:
    with pytest.raises(CannotEvaluate, match="Colours has no image that is ready"):
        sides(dataset)
    add_image("red", label="warm")
    with pytest.raises(CannotEvaluate, match="Colours has one image: there is no other to find"):
        sides(dataset)
