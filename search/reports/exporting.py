"""A comparison and an evaluation as text that others read: CSV, Markdown, and a page that needs no server."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import translation

from search.evaluation.comparing import COLUMNS, MEASURES, Comparison, Row
from search.language.numbers import localised
from search.models import Evaluation
from search.reports import drawing
from search.reports.plots import N_COLOURS, Plot
from search.reports.showing import still_there
from search.text import counted

STYLES = ("css/base.css", "css/pages.css", "css/evaluation.css")


def as_csv(comparison: Comparison) -> str:
    """Return a table with a row for each encoder: all columns, ends of intervals, the difference to the best."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    ends = [f"{name} {end}" for name in MEASURES for end in ("low", "high")]
    told = [f"{comparison.measure} {words}" for words in ("difference", "difference low", "difference high", "p")]
    writer.writerow(["encoder", *COLUMNS, *ends, *told, "queries", "gallery", "protocol"])
    for row in comparison.rows:
        intervals = [row.intervals.get(name, ["", ""])[end] for name in MEASURES for end in (0, 1)]
        one = row.difference
        difference: list[Any] = [one.mean, one.low, one.high, one.p] if one else [""] * 4
        values = ["" if value is None else value for value in row.values.values()]
        writer.writerow(
            [
                row.name,
                *values,
                *intervals,
                *difference,
                comparison.n_queries,
                comparison.n_gallery,
                _as_text(comparison.words),
            ]
        )
    return written.getvalue()


def _as_text(words: str) -> str:
    """Return words that no spreadsheet takes for a formula."""
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words


def _plain(words: str) -> str:
    """Return words without what Markdown would take for a mark."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", words)


def as_markdown(comparison: Comparison) -> str:
    """Return the table as Markdown, with what parts each encoder from the best one; in English, as papers are."""
    with translation.override("en"):
        return _as_markdown(comparison)


def _as_markdown(comparison: Comparison) -> str:
    heads = ["Encoder", *map(str, COLUMNS.values()), f"{MEASURES[comparison.measure]} less the best"]
    lines = [
        f"{_plain(comparison.dataset.name)}, {_plain(comparison.words)}: "
        f"{counted(comparison.n_queries, 'query', 'queries')}, "
        f"{counted(comparison.n_gallery, 'image')} in the gallery. "
        f"Sorted by {COLUMNS[comparison.by]}.",
        "",
        "| " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * (len(heads) - 1),
    ]
    for row in comparison.rows:
        cells = [
            row.name,
            *(written(name, value) for name, value in row.values.items()),
            _written_difference(row, comparison),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    flattered = [(row.name, row.learnt_from) for row in comparison.rows if row.learnt_from]
    lines += ["", *(f"{name} has learnt from {n:,} of the queries, which flatters it." for name, n in flattered)]
    return "\n".join(lines).rstrip() + "\n"


def evaluation(one: Evaluation) -> dict[str, Any]:
    """Return an evaluation for programs, without what only a page draws."""
    details, latency = one.details, one.latency
    times = ("decode", "encode", "search")
    contradicted, leaking = details.get("contradictions", []), details.get("leaks", {}).get("pairs", [])
    named = {row["image"] for row in contradicted} | {image_id for pair in leaking for image_id in pair}
    there = set(still_there(one, named).values_list("pk", flat=True))
    contradicted = [row for row in contradicted if row["image"] in there]
    leaking = [pair for pair in leaking if there.issuperset(pair)]
    return {
        "encoder": one.encoder.name,
        "dataset": one.dataset.slug,
        "protocol": one.protocol,
        "queries": one.n_queries,
        "gallery": one.n_gallery,
        "metrics": one.metrics,
        "intervals": one.intervals,
        "latency_ms": {name: latency[name] for name in times if latency.get(name)},
        "images_per_s": latency.get("images_per_s"),
        "bytes_per_image": latency.get("bytes_per_image"),
        "machine": {name: latency[name] for name in ("processor", "cores", "threads", "load", "system", "exact_up_to")},
        "agreement": details["agreement"],
        # How many vectors an index has, those of private datasets among them, is nobody's business.
        "index": details["audit"] and {name: one for name, one in details["audit"].items() if name != "n_vectors"},
        "left_out": details["left_out"],
        "learnt_from": details["learnt_from"],
        **({"why_no_figures": details["why_no_figures"]} if "why_no_figures" in details else {}),
        "classes": details.get("classes", []),
        "leaks": details.get("leaks") and {**details["leaks"], "pairs": leaking},
        "contradictions": contradicted,
        "calibration": details["calibration"],
        "evaluation": one.pk,
        "url": one.get_absolute_url(),
    }


def plots(comparison: Comparison) -> list[Plot]:
    """Return what is drawn of a comparison: quality against latency, and precision over recall."""
    known = dict(
        Evaluation.objects.filter(pk__in=[row.evaluation.pk for row in comparison.rows]).values_list(
            "pk", "details__precision_recall"
        )
    )
    named = [(row.name, known[row.evaluation.pk]) for row in comparison.rows if known.get(row.evaluation.pk)]
    drawn = drawing.of_comparison(comparison)
    return [*drawn, drawing.precision_recall(named[:N_COLOURS])] if named else drawn


def as_html(comparison: Comparison) -> str:
    """Return a page that holds its own style and drawings, and opens without a server."""
    styles = "\n".join(Path(str(finders.find(name))).read_text(encoding="utf-8") for name in STYLES)
    context = {"comparison": comparison, "styles": styles, "plots": plots(comparison)}
    return render_to_string("search/report.html", context)


def written(name: str, value: float | None) -> str:
    """Return a value of a column as a table shows it."""
    if value is None:
        return ""
    return localised(
        f"{value:.4f}" if name in MEASURES else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
    )


def _written_difference(row: Row, comparison: Comparison) -> str:
    one = row.difference
    if one is None:
        return "the best" if row is comparison.best else ""
    sure = "" if one.is_real else " (may be chance)"
    return f"{one.mean:+.4f} [{one.low:+.4f}, {one.high:+.4f}]{sure}"
