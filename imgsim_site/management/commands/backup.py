"""`manage.py backup`: rows, pictures and encoders into a folder."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from imgsim_site.backup import BackupError, back_up
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path

SOME_MISSING = 3


class Command(SiteCommand):
    help = (
        "Write a backup of the site into a folder: rows, pictures, thumbnails, encoders, and a manifest of them. Run "
        "again on the same folder, it copies what is new and drops what is gone. The site may run meanwhile. "
        "Originals that were imported in place are not copied, nor .env and the secret key. "
        "The exit status is 3 where files that rows name were not there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", metavar="TARGET", help="a folder that is empty, new or has a backup of this site")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            target = user_path(options["target"])
            manifest = back_up(target, self.stderr.write)
        except (BackupError, NoSuchHome) as error:
            raise CommandError(str(error)) from error
        seconds = round(time.monotonic() - started, 1)
        n_images = manifest.counts["search_image"]
        if options["json"]:
            told = {"images": n_images, "files": manifest.n_files, "bytes": manifest.n_bytes, "rows": manifest.rows}
            told |= {"in_place": manifest.n_in_place, "missing": manifest.missing, "seconds": seconds}
            self.stdout.write(json.dumps(told))
        else:
            size = f"{manifest.n_bytes / 1e6:,.0f} MB"
            self.stdout.write(f"{n_images:,} images and {manifest.n_files:,} files ({size}) in {seconds} s: {target}")
            if manifest.n_in_place:
                self.stdout.write(f"{manifest.n_in_place:,} originals lie in place and are not in the backup.")
        if manifest.missing:
            self.stderr.write(f"{len(manifest.missing):,} files were not there, such as {manifest.missing[0]}.")
            sys.exit(SOME_MISSING)
