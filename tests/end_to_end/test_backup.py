"""A site that is restored elsewhere answers as the one that was backed up."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.running import Site


def test_a_site_restored_elsewhere_gives_the_same_answers(
    site: Site, pictures: Path, photographs: dict[str, Any]
) -> None:
    picture = next((pictures / "photographs").glob("coffee/*mirrored*"))
    asked = ("search_image", str(picture), "--dataset", "photographs", "-k", "20")
    before = site.manage_json(*asked)
    with tempfile.TemporaryDirectory(prefix="imgsim-elsewhere-") as place:
        backup = Path(place, "backup")
        made = site.manage_json("backup", str(backup))
        assert made["missing"] == []
        elsewhere = Site(Path(place, "var"))
        with elsewhere.servers():
            restored = elsewhere.manage_json("restore", str(backup))
            assert (restored["images"], restored["problems"]) == (made["images"], [])
            shutil.rmtree(backup)
            after = elsewhere.manage_json(*asked)
    assert after["hits"] == before["hits"]
    assert len(after["hits"]) == 20
