"""`manage.py import_images`: bring the pictures of folders, files, zips and tars into a dataset."""

from __future__ import annotations

import json
import sys
import time
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from search.encoders import NoEncoder
from search.ingest import importing
from search.ingest.errors import CannotImport
from search.ingest.labels import LabelsUnreadable
from search.ingest.rehearsing import rehearse
from search.ingest.reporting import LibraryReport, Report, as_dict, as_text, kind_of
from search.ingest.requests import Request
from search.ingest.sources import SourceMissing
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path
from search.work.progress import Bars

_MOST_NAMES_TOLD = 20


class Command(SiteCommand):
    help = "Import the pictures of folders, files, zips and tars into a dataset."
    epilog = """examples:
  manage.py import_images ~/Pictures --dataset holidays --wait
  manage.py import_images shoes.zip --dataset shoes --labels shoes.csv
  manage.py import_images /mnt/archive --dataset archive --in-place --sync
  manage.py import_images 2024.zip 2025.tar more/ --dataset holidays
  find . -newer last -name '*.jpg' | manage.py import_images --files-from - --dataset holidays

Importing again adds only what is new: a picture is known by its content. An import that was stopped goes on
where it was. A folder named train, val or test gives the split. Labels come from

  --labels folder      the folder above a picture
  --labels FILE.csv    columns path, label and perhaps split and tags (cat|pet)
  --labels FILE.json   {"a.jpg": "cat"}, or a list of {"path", "label", "split", "tags"}; or one a line (.jsonl)
  --labels sidecar     a.jpg.json or a.json beside a.jpg: {"label", "tags", "split"}; or a.txt: its first line

What a picture has already, from an earlier import or by hand, is not overwritten.

A library that stays in place is brought up to date by importing it again: new, changed, moved and vanished files
are told apart. A changed file keeps its label, split and tags; a moved one is not embedded again; vanished ones
are listed, and --remove-vanished puts them into the trash.

exit status: 0 all pictures are in; 3 done, but some were refused (each is listed with its reason);
1 nothing could be done, for the reason given."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.update(epilog=self.epilog, formatter_class=RawDescriptionHelpFormatter)
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Paths may stand before and behind options.
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "path", metavar="PATH", type=Path, nargs="*", help="folders, pictures, .zip, .tar, .tar.gz; one job for all"
        )
        parser.add_argument(
            "--files-from", metavar="LIST", type=Path, help="a list of files, one a line, or from stdin (-)"
        )
        parser.add_argument("--dataset", required=True, metavar="NAME", help="where to; it is made if it is new")
        parser.add_argument(
            "--labels",
            default="folder",
            metavar="folder|none|sidecar|FILE",
            help="where labels come from (default: folder)",
        )
        parser.add_argument(
            "--split", default="auto", choices=["auto", "none", "train", "val", "test"], help="default: auto, by folder"
        )
        parser.add_argument(
            "--in-place",
            action="store_true",
            help="keep no copy: refer to the originals where they lie, which is below a folder of IN_PLACE_ROOTS",
        )
        parser.add_argument(
            "--remove-vanished",
            action="store_true",
            help="put images in place into the trash whose files are gone from the folders that are imported",
        )
        parser.add_argument(
            "--private",
            action="store_true",
            help="make a new dataset private; one that is there is changed on its page",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="read and check all files, say what would be done, and write nothing"
        )
        parser.add_argument("--wait", action="store_true", help="wait until the workers have embedded everything")
        parser.add_argument("--sync", action="store_true", help="embed in this command, on all cores; needs no worker")
        parser.add_argument(
            "--report", metavar="FILE", type=Path, help="write all counts and refusals to a .json or .csv at the end"
        )
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            report_path = user_path(options["report"]) if options["report"] else None
            kind = kind_of(report_path) if report_path else ""
            with Bars(quiet=options["json"] and not sys.stderr.isatty()) as bars:
                carry_out = rehearse if options["dry_run"] else importing.run
                report = carry_out(self._request(options), bars)
        except (SourceMissing, LabelsUnreadable, NoEncoder, NoSuchHome, CannotImport) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. Nothing is lost: run the same command again to go on.", returncode=130
            ) from None
        seconds = time.monotonic() - started
        if report_path:
            self._write(report_path, as_text(as_dict(report, seconds), kind))
        if options["json"]:
            self.stdout.write(json.dumps({**report.as_json(), "seconds": round(seconds, 2)}))
        else:
            self._tell(report, seconds)
        if report.refused:
            sys.exit(3)

    def _write(self, path: Path, text: str) -> None:
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise CommandError(f"The import is done, but its report {path} cannot be written: {error}.") from error

    def _request(self, options: dict[str, Any]) -> Request:
        files_from = options["files_from"]
        return Request(
            path=[user_path(path) for path in options["path"]],
            files_from=user_path(files_from) if files_from else None,
            dataset=options["dataset"],
            labels=options["labels"],
            split=options["split"],
            in_place=options["in_place"],
            removes_vanished=options["remove_vanished"],
            is_public=not options["private"],
            embeds_here=options["sync"],
            waits=options["wait"] or options["sync"],
        )

    def _tell(self, report: Report, seconds: float) -> None:
        write = self.stdout.write
        if report.is_dry:
            write(
                f"{report.dataset}: {report.n_found} pictures found, {report.n_added} would be added, "
                f"{report.n_unchanged} are unchanged, {report.n_labelled} labelled, {len(report.refused)} would be "
                f"refused. Nothing was written; it took {seconds:.1f} s."
            )
        else:
            write(
                f"{report.dataset}: {report.n_found} pictures found, {report.n_added} added, "
                f"{report.n_unchanged} unchanged, {report.n_labelled} labelled, {report.n_embedded} embedded, "
                f"{len(report.refused)} refused in {seconds:.1f} s."
            )
        if report.in_place_library:
            self._tell_library(report.in_place_library)
        if report.n_pending:
            write(f"{report.n_pending} wait for the workers. Watch them: /jobs/{report.job_id}/")
        if report.ignored:
            kinds = ", ".join(f"{n} {ending}" for ending, n in sorted(report.ignored.items()))
            write(f"Left out, because they are no pictures: {kinds}.")
        if report.warning:
            write(self.style.WARNING(report.warning))
        for refusal in report.refused:
            write(self.style.WARNING(f"refused {refusal['source']}: {refusal['reason']}"))

    def _tell_library(self, library: LibraryReport) -> None:
        write = self.stdout.write
        write(
            f"In place: {library.n_new} new, {library.n_changed} changed, {library.n_moved} moved, "
            f"{len(library.vanished)} vanished, {library.n_removed} put into the trash."
        )
        for source in library.vanished[:_MOST_NAMES_TOLD]:
            write(f"vanished {source}")
        if len(library.vanished) > _MOST_NAMES_TOLD:
            write(f"and {len(library.vanished) - _MOST_NAMES_TOLD} more: --report FILE.json lists all.")
        if library.n_kept:
            write(
                self.style.WARNING(
                    f"{library.n_kept} of them lay in folders in which nothing was found: look whether their disk is "
                    "mounted. These are left as they are."
                )
            )
