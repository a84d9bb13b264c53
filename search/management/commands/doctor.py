"""`manage.py doctor`: what is wrong with the site, and how to mend it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console
from rich.markup import escape

from search.checkup.findings import Finding, Level
from search.checkup.running import checkup
from search.management.site_command import SiteCommand

_SIGNS = {
    Level.OK: "[green]✓[/green]",
    Level.WARNING: "[yellow]![/yellow]",
    Level.ERROR: "[red]✗[/red]",
}


class Command(SiteCommand):
    help = (
        "Look at everything that the site needs, and say what is wrong and which command mends it: settings, Postgres, "
        "Redis, workers, beat, encoders, indexes, images and their files, disk. Changes nothing. "
        "The exit status is 1 where something is broken; warnings leave it 0."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--files", action="store_true", help="look at every file, not at some drawn at random")
        parser.add_argument("--json", action="store_true", help="end with one line of JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=self.stdout, highlight=False, soft_wrap=True)  # type: ignore[arg-type]
        findings = []
        for finding in checkup(every_file=options["files"], goes_on=not options["traceback"]):
            findings.append(finding)
            if not options["json"]:
                _show(console, finding)
        counts = Counter(finding.level for finding in findings)
        if options["json"]:
            told = [finding.as_json() for finding in findings]
            self.stdout.write(json.dumps({"healthy": not counts[Level.ERROR], "findings": told}))
        else:
            console.print(_summary(counts))
        if counts[Level.ERROR]:
            sys.exit(1)


def _show(console: Console, finding: Finding) -> None:
    console.print(f"{_SIGNS[finding.level]} [dim]{finding.part}[/dim]  {escape(finding.what)}")
    if finding.command:
        console.print(f"    [bold]{escape(finding.command)}[/bold]")


def _summary(counts: Counter[Level]) -> str:
    if not counts[Level.ERROR] and not counts[Level.WARNING]:
        return f"[green]Healthy: {counts[Level.OK]} things were looked at.[/green]"
    told = f"{counts[Level.ERROR]} broken, {counts[Level.WARNING]} to look after, {counts[Level.OK]} well."
    return f"[{'red' if counts[Level.ERROR] else 'yellow'}]{told}[/]"
