"""Images by the thousand, made by the database: through the models they would take longer than what is tested."""

from __future__ import annotations

from typing import Any

from django.db import connection

from search.models import Dataset, Image

FACTS = {"source": "x.png", "format": "PNG", "width": 1, "height": 1, "n_bytes": 1, "status": "ready"}


def make_images(dataset: Dataset, n: int, **fields: Any) -> list[int]:
    """Make ready images that differ in their contents alone, and return their ids. fields: of all of them."""
    n_before = Image.objects.filter(dataset=dataset).count()
    first = Image.objects.create(dataset=dataset, sha256=f"{n_before:064d}", **{**FACTS, **fields})
    alike = ", ".join(one.column for one in Image._meta.concrete_fields if one.column not in {"id", "sha256"})
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO search_image (sha256, {alike}) SELECT lpad((%s + place)::text, 64, '0'), {alike} "
            "FROM search_image, generate_series(1, %s) place WHERE id = %s ORDER BY place RETURNING id",
            [n_before, n - 1, first.pk],
        )
        return [first.pk, *(pk for (pk,) in cursor.fetchall())]
