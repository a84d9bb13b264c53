"""The counts of vectors, which triggers keep, against the vectors themselves."""

import pytest
from django.db import connection
from django.db.models import Count

from search.models import Dataset, Embedding, EmbeddingCount, Encoder, Image
from search.neighbours import Scope, compact, count, sizes, totals
from search.vectors import write
from tests.search.neighbours.drawn import fill, unit_vectors


def counted(encoder: Encoder) -> dict[int, int]:
    rows = Embedding.objects.filter(encoder=encoder).values_list("dataset").annotate(n=Count("pk"))
    return dict(rows)


def known(encoder: Encoder) -> dict[int, int]:
    return sizes(encoder, Dataset.objects.values_list("pk", flat=True))


def test_they_follow_what_is_added_written_anew_moved_and_removed(encoder: Encoder) -> None:
    first, second = fill(encoder, "a", unit_vectors(40)), fill(encoder, "b", unit_vectors(7))
    assert known(encoder) == counted(encoder) == {first.pk: 40, second.pk: 7}
    ids = list(Image.objects.filter(dataset=first).values_list("pk", flat=True))
    write(encoder, ids[:20], unit_vectors(20, seed=5))
    assert known(encoder) == {first.pk: 40, second.pk: 7}
    Embedding.objects.filter(image__in=ids[:3]).update(dataset=second)
    assert known(encoder) == counted(encoder) == {first.pk: 37, second.pk: 10}
    Image.objects.filter(pk__in=ids[:5]).delete()
    assert known(encoder) == counted(encoder) == {first.pk: 35, second.pk: 7}
    first.delete()
    assert known(encoder) == counted(encoder) == {second.pk: 7}
    encoder.delete()
    compacted = Encoder.objects.create(name="new", family="fake", dim=16, weights_sha256="1" * 64)
    assert known(compacted) == {}


def test_another_encoder_has_its_own(encoder: Encoder) -> None:
    dataset = fill(encoder, "a", unit_vectors(12))
    other = Encoder.objects.create(name="other", family="fake", dim=16, weights_sha256="1" * 64)
    assert (known(encoder), known(other)) == ({dataset.pk: 12}, {})
    ids = list(Image.objects.values_list("pk", flat=True))
    write(other, ids[:4], unit_vectors(4))
    assert (known(encoder), known(other)) == ({dataset.pk: 12}, {dataset.pk: 4})


def test_putting_them_together_changes_no_sum(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        fill(encoder, "a", unit_vectors(3, seed=n))
    dataset = fill(encoder, "b", unit_vectors(2))
    Embedding.objects.filter(dataset=dataset).delete()
    before = known(encoder)
    compact()
    assert EmbeddingCount.objects.count() > 1  # few rows are left as they are
    monkeypatch.setattr("search.neighbours.counting._MANY", 1)
    compact()
    assert known(encoder) == before == counted(encoder)
    assert EmbeddingCount.objects.count() == 1


def test_an_emptied_table_has_none(encoder: Encoder) -> None:
    fill(encoder, "a", unit_vectors(3))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE search_embedding")
    assert known(encoder) == {}
    assert EmbeddingCount.objects.count() == 0


def test_images_that_a_scope_leaves_out_are_not_counted(encoder: Encoder) -> None:
    dataset, other = fill(encoder, "a", unit_vectors(9)), fill(encoder, "b", unit_vectors(4))
    ids = list(Image.objects.filter(dataset=dataset).values_list("pk", flat=True))
    elsewhere = Image.objects.filter(dataset=other).values_list("pk", flat=True)[0]
    scope = Scope(dataset_ids=(dataset.pk,))
    assert count(encoder, scope) == 9
    assert count(encoder, scope.without(ids[0], ids[1], elsewhere)) == 7
    assert count(encoder, Scope(dataset_ids=(dataset.pk, other.pk), formats=("PNG",))) == 13


def test_they_add_up_for_each_encoder(encoder: Encoder) -> None:
    other = Encoder.objects.create(name="other", family="fake", dim=16, weights_sha256="1" * 64)
    first, second = fill(encoder, "a", unit_vectors(12)), fill(encoder, "b", unit_vectors(5))
    write(other, list(Image.objects.filter(dataset=first).values_list("pk", flat=True)), unit_vectors(12))
    assert totals([first.pk, second.pk]) == {encoder.pk: 17, other.pk: 12}
    assert totals([second.pk]) == {encoder.pk: 5}
    assert totals([]) == {}
