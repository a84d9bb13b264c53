"""A whole site for the tests of this folder: real servers, a real worker, the real network."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embeddings import sample
from tests.running import ROOT, Site

# Encoders are converted once a checkout, not once a run.
CACHE = Path(os.environ.get("IMGSIM_TEST_CACHE") or ROOT / ".cache" / "encoders")


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A migrated site with mobilenet_v2 whose servers run until the last test is through."""
    # Not below pytest's own folder, which every pytest that root starts closes to the user that Postgres runs as.
    with tempfile.TemporaryDirectory(prefix="imgsim-site-") as place:
        site = Site(Path(place))
        migrate_and_install(site)
        with site.servers():
            yield site


def migrate_and_install(site: Site) -> None:
    """Make the tables, and install mobilenet_v2 from the copy that is kept; of several processes, one makes that."""
    site.manage("migrate", "-v0")
    CACHE.mkdir(parents=True, exist_ok=True)
    kept, installed = CACHE / "mobilenet_v2", site.var / "encoders" / "mobilenet_v2"
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            site.manage("install_encoder", "mobilenet_v2")
            shutil.copytree(installed, kept)
            return
    # A copy: what is trained beside it in one run must not be there in the next.
    shutil.copytree(kept, installed)
    site.manage("install_encoder", "mobilenet_v2")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample gallery: photographs and drawings in folders by label."""
    folder = tmp_path_factory.mktemp("sample")
    sample.write_sample(folder)
    return folder


@pytest.fixture(scope="session")
def photographs(site: Site, pictures: Path) -> dict[str, Any]:
    """The photographs of the sample gallery as a dataset of this name; what the import said of them."""
    report: dict[str, Any] = site.manage_json(
        "import_images", str(pictures / "photographs"), "--dataset", "photographs", "--sync"
    )
    return report
