"""Five hundred pictures on a site of which a part fails, and what has to hold of them afterwards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.running import Site, wait_for

N_PICTURES = 500
# What a site that nobody looks after may take to come to rest.
LONGEST_SECONDS = 180.0
LEAST_COSINE = 0.9999
CALM = "calm"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """A site; a folder of pictures; the names of their contents. Dataset "calm" has them from a run without fault."""

    site: Site
    folder: Path
    contents: frozenset[str] = field(repr=False)

    def import_into(self, dataset: str, folder: Path | None = None) -> None:
        """Import the pictures, or those of another folder, without waiting for workers."""
        report = self.site.manage_json("import_images", str(folder or self.folder), "--dataset", dataset)
        assert report["refused"] == []

    def counts(self, dataset: str) -> dict[str, int]:
        """Count the images of a dataset by status."""
        rows = self.site.sql(
            "SELECT status, count(*) FROM search_image JOIN search_dataset dataset ON dataset.id = dataset_id "
            "WHERE dataset.name = %s GROUP BY status",
            dataset,
        )
        return dict(rows)

    def n_ready(self, dataset: str) -> int:
        return self.counts(dataset).get("ready", 0)

    def come_to_rest(self, dataset: str) -> float:
        """Wait until nothing of a dataset is pending, with no hand lent; return the seconds that took."""
        return wait_for(lambda: "pending" not in self.counts(dataset), f"{dataset} to come to rest", LONGEST_SECONDS)

    def assert_whole(self, dataset: str, *, refused: int = 0, contents: frozenset[str] | None = None) -> None:
        """Assert that all that was accepted is ready, or refused with a reason, as after a run without fault."""
        contents = self.contents if contents is None else contents
        counts = self.counts(dataset)
        assert counts.get("pending", 0) == 0
        assert counts.get("refused", 0) == refused
        assert sum(counts.values()) == len(contents)
        assert {sha256 for (sha256,) in self.rows(dataset, "image.sha256")} == contents
        assert self.rows(dataset, "1", "image.status = 'refused' AND (error_code = '' OR error_detail = '')") == []
        self._assert_vectors(dataset, len(contents) - refused)
        self.assert_files_have_rows()

    def rows(self, dataset: str, what: str, condition: str = "true") -> list[tuple[Any, ...]]:
        """Return columns of the images of a dataset, in SQL."""
        return self.site.sql(
            f"SELECT {what} FROM search_image image JOIN search_dataset dataset ON dataset.id = image.dataset_id "
            f"WHERE dataset.name = %s AND {condition}",
            dataset,
        )

    def _assert_vectors(self, dataset: str, n: int) -> None:
        """Assert that each ready image has one vector, and that it is as in the run without fault."""
        vectors = self.site.sql(
            "SELECT image.sha256, 1 - (embedding.vector <=> calm.vector) FROM search_image image "
            "JOIN search_dataset dataset ON dataset.id = image.dataset_id AND dataset.name = %s "
            "JOIN search_embedding embedding ON embedding.image_id = image.id "
            "LEFT JOIN (SELECT image.sha256, embedding.vector FROM search_image image "
            "JOIN search_dataset dataset ON dataset.id = image.dataset_id AND dataset.name = %s "
            "JOIN search_embedding embedding ON embedding.image_id = image.id) calm ON calm.sha256 = image.sha256 "
            "WHERE image.status = 'ready'",
            dataset,
            CALM,
        )
        assert len(vectors) == len({sha256 for sha256, _ in vectors}) == n
        assert [one for one in vectors if one[1] is not None and not one[1] >= LEAST_COSINE] == []

    def assert_files_have_rows(self) -> None:
        """Assert that each file belongs to a row, that each row has its files, and that each is what its name says."""
        media = self.site.var / "media"
        rows = self.site.sql("SELECT status, file, thumbnail FROM search_image")
        originals = {name for _, name, _ in rows if name}
        thumbnails = {name for status, _, name in rows if status == "ready"}
        assert files_below(media, "originals") == originals
        assert files_below(media, "thumbnails") == thumbnails
        for name in originals:
            assert hashlib.sha256((media / name).read_bytes()).hexdigest() == Path(name).stem, name


def files_below(media: Path, kind: str) -> set[str]:
    return {path.relative_to(media).as_posix() for path in (media / kind).rglob("*") if path.is_file()}
