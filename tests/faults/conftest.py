"""One site for all faults, with a run without any to compare with. `make test-faults` runs what is here."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import migrate_and_install
from tests.faults.gallery import CALM, N_PICTURES, Gallery
from tests.pictures import jpeg_bytes
from tests.running import Site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    folder = tmp_path_factory.mktemp("five-hundred")
    contents = [jpeg_bytes(320, 240, seed=seed) for seed in range(N_PICTURES)]
    for number, content in enumerate(contents):
        (folder / f"{number:03d}.jpg").write_bytes(content)
    with tempfile.TemporaryDirectory(prefix="imgsim-faults-") as place:
        site = Site(Path(place))
        with site.servers():
            migrate_and_install(site)
            site.manage_json("import_images", str(folder), "--dataset", CALM, "--sync")
            names = frozenset(hashlib.sha256(content).hexdigest() for content in contents)
            found = Gallery(site=site, folder=folder, contents=names)
            found.assert_whole(CALM)
            yield found
