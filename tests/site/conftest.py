"""Folders for servers: pytest's own are closed to others, again and again, and root's Postgres runs as `nobody`."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

MakeFolder = Callable[[], Path]


@pytest.fixture(scope="module")
def make_folder() -> Iterator[MakeFolder]:
    """Make folders directly below the temporary folder, which go with the module's tests."""
    with ExitStack() as folders:

        def make() -> Path:
            return Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="imgsim-"))).resolve()

        yield make


@pytest.fixture
def tmp_path(make_folder: MakeFolder) -> Path:
    """Stand in for pytest's `tmp_path`: each new pytest of the same user sets the parent of that back to 0700."""
    return make_folder()
