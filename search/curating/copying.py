"""A copy of an image in another dataset: its files, its vectors, its label and tags."""

from __future__ import annotations

from django.core.files.storage import default_storage

from search.bulk import bulk_cursor
from search.files import cleaning, storage
from search.models import Dataset, Image


def copy(image: Image, into: Dataset) -> int | None:
    """Copy one image with its files and vectors; return the id of the copy, None where its content was there already.

    The copy belongs to no split. Raises FileNotFoundError where a file of it is lost.
    """
    if Image.objects.filter(dataset=into, sha256=image.sha256).exists():
        return None
    thumbnail = _copy_file(image.thumbnail.name, into)
    try:
        file = _copy_file(image.file.name, into)
    except FileNotFoundError:
        cleaning.remove_unused("thumbnail", thumbnail, image.sha256)
        raise
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            WITH new AS (
                INSERT INTO search_image (dataset_id, sha256, source, file, in_place_path, thumbnail, format, width,
                                          height, n_bytes, label, tags, split, phash, status, error_code, error_detail,
                                          n_attempts, created_at)
                SELECT %(into)s, sha256, source, %(file)s, in_place_path, %(thumbnail)s, format, width, height, n_bytes,
                       label, tags, 'none', phash, status, '', '', 0, now()
                FROM search_image WHERE id = %(image)s
                ON CONFLICT (dataset_id, sha256) DO NOTHING RETURNING id
            ), vectors AS (
                INSERT INTO search_embedding (image_id, encoder_id, dataset_id, vector)
                SELECT new.id, old.encoder_id, %(into)s, old.vector
                FROM search_embedding old CROSS JOIN new WHERE old.image_id = %(image)s
            )
            SELECT id FROM new
            """,
            {"into": into.pk, "image": image.pk, "file": file, "thumbnail": thumbnail},
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _copy_file(name: str | None, into: Dataset) -> str:
    """Copy a file to where that of the other dataset is kept; return its name there."""
    if not name:
        return ""
    with default_storage.open(name) as file:
        return storage.keep(storage.name_in(into.pk, name), file.read())
