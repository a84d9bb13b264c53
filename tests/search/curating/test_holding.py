"""A dataset is deleted when nobody adds rows below it, and with all of those."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from django.db import connection, transaction
from django.test import Client

from search import vectors
from search.curating.holding import hold
from search.models import Dataset, Embedding, Encoder, Image

AddImage = Callable[..., Image]


@pytest.mark.django_db(transaction=True)
def test_deleting_in_the_admin_waits_for_who_holds_the_dataset(
    admin_client: Client, dataset: Dataset, add_image: AddImage
) -> None:
    def delete() -> None:
        admin_client.post(f"/admin/search/dataset/{dataset.pk}/delete/", {"post": "yes"})
        connection.close()

    deletion = threading.Thread(target=delete)
    with transaction.atomic():
        assert hold(dataset.pk)
        deletion.start()
        deletion.join(0.5)
        add_image("red", embedded=False)
        assert deletion.is_alive()
    deletion.join(10)
    assert (Dataset.objects.count(), Image.objects.count()) == (0, 0)


def test_a_dataset_that_is_gone_cannot_be_held(dataset: Dataset) -> None:
    pk = dataset.pk
    dataset.delete()
    assert not hold(pk)


@pytest.mark.django_db(transaction=True)
def test_vectors_are_written_before_a_dataset_is_deleted_or_not_at_all(
    admin_client: Client, dataset: Dataset, encoder: Encoder, add_image: AddImage
) -> None:
    image = add_image("red", embedded=False)
    statuses: list[int] = []

    def delete() -> None:
        chosen = {"action": "delete_selected", "_selected_action": [dataset.pk], "post": "yes"}
        statuses.append(admin_client.post("/admin/search/dataset/", chosen).status_code)
        connection.close()

    deletion = threading.Thread(target=delete)
    with transaction.atomic():
        vectors.write(encoder, [image.pk], np.ones((1, encoder.dim), np.float32))
        deletion.start()
        deletion.join(0.5)
    deletion.join(10)
    assert (statuses, Image.objects.count(), Embedding.objects.count()) == ([302], 0, 0)
