"""The site that benchmarks run on: a place of its own with the default encoder, and pictures to measure with."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.running import Site

ROOT = Path(__file__).resolve().parents[1]


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser of what all benchmarks take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("pictures", nargs="?", type=Path, help="folder, zip or tar (default: the sample gallery)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side, interleaved (default: 5)")
    parser.add_argument("--var", type=Path, help="keep the site here, and use what is there already")
    parser.add_argument("--dataset", default="gallery", help="where the pictures go, or are already (default: gallery)")
    return parser


@contextlib.contextmanager
def fresh_site(var: Path | None, **environment: str) -> Iterator[Site]:
    """Give a migrated site with mobilenet_v2, removed at the end unless a place for it is named."""
    with contextlib.ExitStack() as stack:
        place = var or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgsim-bench-")))
        site = Site(place, **environment)
        say(f"preparing a site in {place}")
        site.manage("migrate", "-v0")
        site.manage("install_encoder", "mobilenet_v2")
        yield site


def pictures_of(path: Path | None, site: Site) -> Path:
    """Return the folder or archive to measure with: the one named, or the sample gallery, written now."""
    if path is not None:
        return path.expanduser().resolve()
    from embeddings import sample  # here: drawing the gallery takes seconds, and most runs name a folder

    sample.write_sample(site.var / "sample")
    return site.var / "sample"


def use(site: Site) -> None:
    """Make this process part of the site, so that its functions can be called and measured directly."""
    os.environ.update(site.environment)
    import django  # here: settings read the environment when they are first used

    django.setup()
    from django.conf import settings

    from imgsim_site import embedded

    embedded.ensure_running_for(settings)


def say(line: str) -> None:
    """Tell what is being done, apart from the results."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
