"""Datasets that come and go, so that a gallery stays as large as it is: imported, exported, thrown away for good."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from benchmarks.visiting import Tally, Visitor
from tests.pictures import jpeg_bytes, truncated_jpeg
from tests.running import Site

N_PICTURES, N_KEPT = 60, 3
SECONDS_BETWEEN = 150.0
KINDS = ("csv", "json", "npz", "parquet", "zip")


class Turnover:
    """A dataset that is imported every few minutes, while the oldest goes. slugs: of those that are there."""

    def __init__(self, site: Site, folder: Path, tally: Tally) -> None:
        self.slugs: list[str] = []
        self._site, self._folder, self._tally, self._n = site, folder, tally, 0

    def go_on(self, program: Visitor, staff: Visitor, ended: threading.Event) -> None:
        """Let datasets come and go until all has ended."""
        while not ended.wait(SECONDS_BETWEEN if self._n else 0):
            try:
                self._turn(program, staff)
            except Exception as error:  # noqa: BLE001 -- told at the end
                self._tally.fail(f"round {self._n}", error)

    def _turn(self, program: Visitor, staff: Visitor) -> None:
        self._n += 1
        slug = f"round-{self._n}"
        self._import(slug)
        self.slugs.append(slug)
        staff.get(f"/datasets/{slug}/export/")
        for kind in KINDS:
            staff.get(f"/datasets/{slug}/export/{kind}")
        while len(self.slugs) > N_KEPT:
            program.send_json("DELETE", f"/api/v1/datasets/{self.slugs.pop(0)}", {})
        self._age_the_trash()

    def _import(self, slug: str) -> None:
        """Import new pictures, one of them damaged, by a command that waits for the workers."""
        self._folder.mkdir()
        for number in range(N_PICTURES):
            content = jpeg_bytes(320, 240, seed=1_000 * self._n + number)
            (self._folder / f"{number:04d}.jpg").write_bytes(content)
        (self._folder / "damaged.jpg").write_bytes(truncated_jpeg())
        self._site.manage_json("import_images", str(self._folder), "--dataset", slug, "--wait")
        shutil.rmtree(self._folder)

    def _age_the_trash(self) -> None:
        """Let what is in the trash be older than it is kept: the next sweep empties it."""
        old = "trashed_at = now() - interval '2 days' WHERE trashed_at"
        self._site.sql(f"UPDATE search_dataset SET {old} IS NOT NULL AND trash_of_id IS NULL")  # noqa: S608
        self._site.sql(f"UPDATE search_image SET {old} IS NOT NULL")  # noqa: S608
