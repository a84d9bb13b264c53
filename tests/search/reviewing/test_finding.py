"""Duplicates in a dataset are found, whatever was done to them; what is merely alike is not."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import ImageOps

from search.curating import trash
from search.models import Dataset, DuplicatePair, Embedding, Encoder, Image, Job
from search.neighbours.planning import Stock
from search.reviewing import finding, running
from search.work import jobs, queue, reconciling
from search.work.progress import Bars
from tests.pictures import photo
from tests.search.reviewing.conftest import AddPicture, whole


def quiet(*_: object) -> None:
    """Tell nobody how far it is."""


def search(dataset: Dataset, *also: Dataset) -> dict[frozenset[int], str]:
    """Return the pairs that are found, each with its relation."""
    found = finding.find(dataset, also, finding.encoder_for(dataset), quiet)
    return {frozenset((row.first_id, row.second_id)): str(row.relation) for row in found.pairs}


def test_copies_are_found_and_strangers_are_not(dataset: Dataset, add_picture: AddPicture) -> None:
    original = add_picture(whole(), "PNG")
    small = add_picture(whole().resize((160, 120)), "PNG")
    poor = add_picture(whole(), "JPEG", quality=30)
    mirrored = add_picture(ImageOps.mirror(whole()), "PNG")
    cut = add_picture(whole().crop((40, 30, 360, 270)), "PNG")
    strangers = [add_picture(photo(400, 300, seed)) for seed in (4, 5, 6)]
    pairs = search(dataset)
    assert pairs[frozenset((original.pk, small.pk))] == "same"
    assert pairs[frozenset((original.pk, poor.pk))] == "same"
    assert pairs[frozenset((original.pk, cut.pk))] == "part"
    assert pairs.get(frozenset((original.pk, mirrored.pk)), "turned") == "turned"
    assert not any(pair.intersection(one.pk for one in strangers) for pair in pairs)


def test_a_near_vector_alone_makes_no_duplicate(encoder: Encoder, dataset: Dataset, add_picture: AddPicture) -> None:
    one, other = add_picture(photo(200, 150, 1)), add_picture(photo(200, 150, 2))
    Embedding.objects.filter(image=other).update(vector=Embedding.objects.get(image=one).vector)
    gallery = finding._gallery(dataset, [])
    assert finding.by_vector(gallery, encoder, quiet) == {(one.pk, other.pk)}
    assert search(dataset) == {}


@pytest.mark.parametrize(("n_bits", "is_found"), [(1, True), (2, True), (3, False)])
def test_near_hashes_are_sure_and_others_are_looked_at(
    dataset: Dataset, add_picture: AddPicture, n_bits: int, is_found: bool
) -> None:
    one, other = add_picture(photo(200, 150, 1)), add_picture(photo(200, 150, 2))
    phash = "0110" * 16
    flipped = "".join("10"[int(bit)] for bit in phash[:n_bits]) + phash[n_bits:]
    Image.objects.filter(pk=one.pk).update(phash=phash)
    Image.objects.filter(pk=other.pk).update(phash=flipped)
    assert search(dataset) == ({frozenset((one.pk, other.pk)): "hash"} if is_found else {})


def test_plain_pictures_are_no_duplicates(dataset: Dataset, add_image: Any) -> None:
    add_image("red"), add_image("darkred")
    assert search(dataset) == {}


def test_the_same_file_is_found_in_another_dataset_where_that_is_asked_for(
    dataset: Dataset, add_picture: AddPicture
) -> None:
    other = Dataset.objects.create(name="Other")
    here, there = add_picture(whole()), add_picture(whole(), dataset=other)
    elsewhere = [add_picture(photo(300, 200, 8), dataset=other), add_picture(photo(150, 100, 8), dataset=other)]
    assert search(dataset) == {}
    pairs = search(dataset, other)
    assert pairs == {frozenset((here.pk, there.pk)): "file"}
    assert frozenset(one.pk for one in elsewhere) not in pairs  # none of them is of the dataset


def test_the_same_pictures_of_another_dataset_keep_no_pair_from_being_found(
    dataset: Dataset, add_picture: AddPicture
) -> None:
    other = Dataset.objects.create(name="Other")
    for place in (other, dataset):
        add_picture(whole(), dataset=place), add_picture(whole().resize((160, 120)), dataset=place)
    Embedding.objects.all().delete()
    home = frozenset(dataset.images.values_list("pk", flat=True))
    assert search(dataset)[home] == search(dataset, other)[home] == "same"


def test_without_vectors_hashes_are_compared(dataset: Dataset, add_picture: AddPicture) -> None:
    add_picture(whole()), add_picture(whole().resize((160, 120)))
    Embedding.objects.all().delete()
    report = running.carry_out(running.begin(dataset), Bars(quiet=True))
    assert (report.n_pairs, report.encoder) == (1, "")
    assert (
        report.job.message
        == "1 pair of duplicates in 1 group. No encoder has embedded them: only hashes were compared."
    )


def test_candidates_come_from_what_no_label_has_shaped(
    encoder: Encoder, dataset: Dataset, add_picture: AddPicture
) -> None:
    image = add_picture(whole())
    head = Encoder.objects.create(
        name="head", family="fake", dim=12, spec={"backbone": encoder.name}, weights_sha256="1"
    )
    Embedding.objects.create(image=image, encoder=head, dataset=dataset, vector=[1.0] * 12)
    Encoder.objects.filter(pk=encoder.pk).update(is_default=False)
    Encoder.objects.filter(pk=head.pk).update(is_default=True)
    assert finding.encoder_for(dataset) == encoder
    assert finding.encoder_for(dataset, "head") == head


def test_walks_through_the_index_give_the_same_candidates(
    encoder: Encoder, dataset: Dataset, add_picture: AddPicture, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(12):
        add_picture(photo(80, 60, seed)), add_picture(photo(80, 60, seed), "JPEG", quality=50)
    gallery = finding._gallery(dataset, [])
    compared = finding.by_vector(gallery, encoder, quiet)
    settings.EXACT_SEARCH_UP_TO = 5
    stock = Stock(sizes={dataset.pk: 24}, is_indexed=True)
    monkeypatch.setattr("search.neighbours.each.stock_of", lambda encoder: stock)
    assert finding.by_vector(gallery, encoder, quiet) == compared
    assert len(compared) >= 12


def test_a_search_replaces_what_the_one_before_it_found(dataset: Dataset, add_picture: AddPicture) -> None:
    add_picture(whole())
    gone = add_picture(whole().resize((160, 120)))
    assert running.carry_out(running.begin(dataset), Bars(quiet=True)).n_pairs == 1
    trash.discard([gone.pk])
    report = running.carry_out(running.begin(dataset), Bars(quiet=True))
    assert (report.n_pairs, report.job.message) == (0, "No duplicates among 1 image.")
    assert not DuplicatePair.objects.exists()


def test_the_command_says_what_it_found(dataset: Dataset, add_picture: AddPicture) -> None:
    add_picture(whole()), add_picture(whole().resize((160, 120)))
    out = StringIO()
    call_command("find_duplicates", dataset="colours", json=True, stdout=out)
    (told,) = json.loads(out.getvalue().splitlines()[-1])["datasets"]
    assert (told["dataset"], told["n_images"], told["n_pairs"], told["n_groups"]) == ("Colours", 2, 1, 1)
    assert told["encoder"] == "colours"
    out = StringIO()
    call_command("find_duplicates", stdout=out)
    assert "Colours: 1 pair of duplicates in 1 group." in out.getvalue()
    assert "Decide about them: /datasets/colours/duplicates/" in out.getvalue()
    with pytest.raises(CommandError, match="There is no dataset 'nowhere'"):
        call_command("find_duplicates", dataset="nowhere")
    with pytest.raises(CommandError, match="There is no encoder named 'none'"):
        call_command("find_duplicates", encoder="none")


def test_a_worker_carries_it_out_once(
    dataset: Dataset, add_picture: AddPicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_picture(whole()), add_picture(whole().resize((160, 120)))
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_find_duplicates", sent.append)
    job = running.begin(dataset)
    running.send(job)
    monkeypatch.setattr(queue, "n_waiting", lambda *_: 0)
    reconciling.reconcile()
    assert sent == [job.pk, job.pk]  # nothing told of it any more
    for job_id in sent:
        running.carry_out_for_worker(job_id)
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", "1 pair of duplicates in 1 group.")


def test_what_is_stopped_keeps_what_was_found_before(dataset: Dataset, add_picture: AddPicture) -> None:
    add_picture(whole()), add_picture(whole().resize((160, 120)))
    running.carry_out(running.begin(dataset), Bars(quiet=True))
    job = running.begin(dataset)
    jobs.cancel(job)
    with pytest.raises(running.FindingStopped):
        running.carry_out(job, Bars(quiet=True))
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.FAILED, "Stopped. What was found before is kept.")
    assert DuplicatePair.objects.count() == 1


def test_a_dataset_that_is_gone_is_said_to_be(dataset: Dataset) -> None:
    job = running.begin(dataset)
    trash.discard_dataset(dataset)
    with pytest.raises(running.CannotFind, match="The dataset Colours is gone"):
        running.carry_out(job, Bars(quiet=True))


def test_of_several_datasets_each_begins_when_its_turn_comes(
    dataset: Dataset, add_picture: AddPicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Dataset.objects.create(name="Zoo")
    add_picture(whole())
    carry_out = running.carry_out

    def slow(job: Job, bars: Bars) -> running.Report:
        assert not Job.objects.filter(state="running").exclude(pk=job.pk).exists()
        return carry_out(job, bars)

    monkeypatch.setattr(running, "carry_out", slow)
    call_command("find_duplicates")
    assert list(Job.objects.values_list("state", flat=True)) == ["done", "done"]
