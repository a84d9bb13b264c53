"""`manage.py restore`: a site from a backup."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from imgsim_site.backup import BackupError, restore, restore_files
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path

SOME_MISSING = 3


class Command(SiteCommand):
    help = (
        "Restore a backup that `manage.py backup` wrote: files, then rows, all of them or none. Stop the web server, "
        "workers and beat before. A site that is in use is left alone without --replace. Every file is compared with "
        "its digest. Indexes are built by the workers afterwards, or by build_index. "
        "The exit status is 3 where something is not there afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help="the folder of a backup")
        parser.add_argument("--replace", action="store_true", help="in place of the rows that are there, which go")
        parser.add_argument("--files", action="store_true", help="only files that rows name: put back what is gone")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            source = user_path(options["source"])
            if options["files"]:
                told, problems = {"files": restore_files(source, self.stderr.write)}, []
            else:
                restored = restore(source, replace=options["replace"], report=self.stderr.write)
                told, problems = restored.as_json(), restored.problems
        except (BackupError, NoSuchHome) as error:
            raise CommandError(str(error)) from error
        seconds = round(time.monotonic() - started, 1)
        if options["json"]:
            self.stdout.write(json.dumps({**told, "seconds": seconds}))
        else:
            images = f"{told['images']:,} images and " if "images" in told else ""
            self.stdout.write(f"{images}{told['files']:,} files are restored, in {seconds} s.")
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            sys.exit(SOME_MISSING)
