"""A whole site for the tests of this folder: real servers, a real worker, the real network."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embeddings import sample
from imgsim_site import embedded
from tests.running import ROOT, Site, wait_for

# Encoders are converted once a checkout, not once a run.
CACHE = Path(os.environ.get("IMGSIM_TEST_CACHE") or ROOT / ".cache" / "encoders")
_REPORT = "photographs.json"


@pytest.fixture(scope="session")
def site(prepared: Path) -> Iterator[Site]:
    """A migrated site with mobilenet_v2 whose servers run until the last test is through."""
    # Not below pytest's own folder, which every pytest that root starts closes to the user that Postgres runs as.
    with tempfile.TemporaryDirectory(prefix="imgsim-site-") as place:
        copy(prepared, Path(place))
        site = Site(Path(place))
        with site.servers():
            yield site


@pytest.fixture(scope="session")
def prepared(shared: Path, request: pytest.FixtureRequest) -> Path:
    """The `var` of such a site whose servers have ended, to be copied; with the photographs, where tests want them."""
    wants_photographs = any("photographs" in getattr(item, "fixturenames", ()) for item in request.session.items)
    pictures: Path | None = request.getfixturevalue("pictures") if wants_photographs else None

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="imgsim-site-") as place:
            site = Site(Path(place))
            with site.servers():
                migrate_and_install(site)
                if pictures:
                    asked = ("import_images", str(pictures / "photographs"), "--dataset", "photographs", "--sync")
                    (site.var / _REPORT).write_text(json.dumps(site.manage_json(*asked)))
            wait_for(lambda: embedded.status(site.var).supervisor_pid is None, "the end of the servers")
            copy(site.var, folder)

    return made_once(shared / "site", make)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Let one of the processes of a run make a folder, and the others wait for it."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_suffix(".unfinished")
            make(unfinished)
            unfinished.rename(folder)
    return folder


def copy(var: Path, to: Path) -> None:
    """Copy a site at rest, with the owners of its files: where root tests, Postgres' are another's."""
    to.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{var}/.", to], check=True)


def migrate_and_install(site: Site) -> None:
    """Make the tables, and install mobilenet_v2."""
    site.manage("migrate", "-v0")
    install(site)


def install(site: Site) -> None:
    """Install mobilenet_v2 from the copy that is kept; of several processes, one makes that."""
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
def pictures(shared: Path) -> Path:
    """The sample gallery: photographs and drawings in folders by label."""

    def make(folder: Path) -> None:
        sample.write_sample(folder)

    return made_once(shared / "sample", make)


@pytest.fixture(scope="session")
def photographs(site: Site) -> dict[str, Any]:
    """The photographs of the sample gallery as a dataset of this name; what the import said of them."""
    report: dict[str, Any] = json.loads((site.var / _REPORT).read_text())
    return report
