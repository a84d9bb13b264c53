"""A library in place, imported again: which of its files are new, changed, moved or gone since the last time.

An image in place is known by its path and by its content. A path with another content is a changed file, a content at
another path is a moved one where nothing of it is left at the old path, and else a copy. What of it holds can be told
when everything was read: two files may have changed places.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from search.bulk import batches, bulk_cursor
from search.curating import trash
from search.files import in_place
from search.ingest.examining import Candidate
from search.models import Dataset, Image

_N_AT_ONCE = 500
_N_READ_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Move:
    """An image whose file lies elsewhere now."""

    image_id: int
    old_path: str
    path: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What became of the files of a library.

    changed: the images whose path has another content now, with the SHA-256 of that. vanished: the images whose file
    is gone, with their sources. kept: the same of folders in which nothing at all was found, as where no disk is
    mounted; these are not to be removed.
    """

    n_new: int
    n_moved: int
    moves: list[Move]
    changed: dict[int, str]
    vanished: dict[int, str]
    kept: dict[int, str]


class Library:
    """What was found of a library so far. dataset_id: where its images are, 0 where there are none yet."""

    def __init__(self, dataset_id: int, folders: Sequence[Path]) -> None:
        self._dataset_id = dataset_id
        # With the sign at its end, so that no folder is taken for one whose name it begins with.
        self._folders = [os.path.join(in_place.without_links(folder), "") for folder in folders]  # noqa: PTH118
        self._seen: dict[str, bytes] = {}
        self._added: set[bytes] = set()
        self._strays: dict[int, Move] = {}
        self._moved: set[int] = set()

    def note(self, candidates: Sequence[Candidate]) -> list[Move]:
        """Note files before they become rows; return the images whose files have moved to where these are."""
        wanted = {one.sha256: one for one in candidates}
        for one in candidates:
            self._seen[one.in_place_path] = bytes.fromhex(one.sha256)
        known = Image.objects.filter(dataset_id=self._dataset_id, sha256__in=list(wanted))
        moves = []
        for sha256, pk, old_path in known.values_list("sha256", "pk", "in_place_path"):
            one = wanted.pop(sha256)
            if old_path and old_path != one.in_place_path and pk not in self._moved:
                move = Move(image_id=pk, old_path=old_path, path=one.in_place_path, source=one.source)
                if self._is_left(old_path, one.sha256) or (old_path not in self._seen and _is_gone(old_path)):
                    moves.append(move)
                else:
                    self._strays.setdefault(pk, move)
        self._moved.update(move.image_id for move in moves)
        self._added.update(map(bytes.fromhex, wanted))
        return moves

    def _is_left(self, path: str, sha256: str) -> bool:
        """Return whether another content was found at a path."""
        return self._seen.get(path, bytes.fromhex(sha256)) != bytes.fromhex(sha256)

    def compare(self, n_added: int) -> Changes:
        """Compare all that was noted with the images that there are. n_added: how many rows were made of it."""
        moves: list[Move] = []
        changed: dict[int, str] = {}
        vanished: dict[int, str] = {}
        kept: dict[int, str] = {}
        empty = tuple(one for one in self._folders if not any(path.startswith(one) for path in self._seen))
        for pk, sha256, path, source in self._images():
            if pk in self._moved:
                continue
            if self._is_left(path, sha256) and pk in self._strays:
                moves.append(self._strays[pk])
            elif self._is_left(path, sha256):
                changed[pk] = self._seen[path].hex()
            elif path not in self._seen and path.startswith(tuple(self._folders)) and _is_gone(path):
                (kept if path.startswith(empty) else vanished)[pk] = source
        return Changes(
            n_new=n_added - len(self._added & set(map(bytes.fromhex, changed.values()))),
            n_moved=len(self._moved) + len(moves),
            moves=moves,
            changed=changed,
            vanished=vanished,
            kept=kept,
        )

    def _images(self) -> Iterator[tuple[int, str, str, str]]:
        """Read the images in place, not all at once."""
        images = Image.objects.filter(dataset_id=self._dataset_id).exclude(in_place_path="").order_by("pk")
        return images.values_list("pk", "sha256", "in_place_path", "source").iterator(chunk_size=_N_READ_AT_ONCE)


def move(moves: Sequence[Move]) -> None:
    """Have images refer to where their files lie now. Those that were refused for want of a file get another try."""
    if not moves:
        return
    columns = zip(*((one.image_id, one.path, one.source) for one in moves), strict=True)
    with bulk_cursor() as cursor:
        cursor.execute(
            """
            UPDATE search_image SET in_place_path = new.path, source = new.source,
                   status = CASE WHEN is_lost THEN 'pending' ELSE status END,
                   error_code = CASE WHEN is_lost THEN '' ELSE error_code END,
                   error_detail = CASE WHEN is_lost THEN '' ELSE error_detail END,
                   n_attempts = CASE WHEN is_lost THEN 0 ELSE n_attempts END
            FROM (SELECT image.id, path, new.source, status = 'refused' AND error_code = 'unreadable' AS is_lost
                  FROM unnest(%s::bigint[], %s::text[], %s::text[]) new (id, path, source)
                  JOIN search_image image ON image.id = new.id) new
            WHERE search_image.id = new.id
            """,
            list(map(list, columns)),
        )


def carry_out(changes: Changes, dataset: Dataset, *, removes: bool) -> int:
    """Do what a comparison asks for; return how many vanished images went into the trash, none unless `removes`.

    An image whose file has changed goes there too, and what it was called goes to the image of the new content.
    """
    for start in range(0, len(changes.moves), _N_AT_ONCE):
        move(changes.moves[start : start + _N_AT_ONCE])
    for ids in batches(list(changes.changed), _N_AT_ONCE):
        _inherit(dataset, ids, [changes.changed[pk] for pk in ids])
        trash.discard(ids)
    return sum(trash.discard(ids) for ids in batches(list(changes.vanished), _N_AT_ONCE)) if removes else 0


def _inherit(dataset: Dataset, image_ids: list[int], heirs: list[str]) -> None:
    """Give the images of new contents the label and split of the old ones, and their tags where they have none.

    As for a file that has not changed: what somebody corrected is not lost by importing again.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE search_image heir SET label = CASE old.label WHEN '' THEN heir.label ELSE old.label END,
                   split = CASE old.split WHEN 'none' THEN heir.split ELSE old.split END,
                   tags = CASE WHEN heir.tags = '{}' THEN old.tags ELSE heir.tags END
            FROM unnest(%s::bigint[], %s::text[]) pair (id, sha256) JOIN search_image old ON old.id = pair.id
            WHERE heir.dataset_id = %s AND heir.sha256 = pair.sha256
            """,
            [image_ids, heirs, dataset.pk],
        )


def _is_gone(path: str) -> bool:
    """Return whether nothing is at a path. What cannot be reached may be there all the same."""
    try:
        os.stat(path)  # noqa: PTH116 -- for each image that was not found: a Path costs more than the call
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
