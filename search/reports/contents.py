"""What a dataset holds, counted: labels, sizes, formats, states, splits, refusals, vectors, and its storage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Count, Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from search.language.numbers import decimal, percent, whole
from search.models import Dataset, Encoder, Image, Job, Refusal
from search.neighbours import counting
from search.reports.plots import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Axis, Mark, Plot, Tick

MOST_LABELS = 30
# Edges of the histogram of sizes, in megapixels.
EDGES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 12.0, 25.0)
_N_THUMBNAILS_LOOKED_AT = 200
_BYTES_A_NUMBER = 2  # halfvec
_BYTES_A_VECTOR_BESIDE = 56  # its row's header and ids, and those of its index entries in Postgres


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bar, and one row of the table beside it. address: what shows these images; empty where nothing does."""

    words: str
    n: int
    share: str
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that is counted, as a plot and as a table."""

    head: str
    rows: list[Row]
    plot: Plot


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Bytes that a dataset takes, and those of originals that lie elsewhere."""

    originals: int
    thumbnails: int  # from the mean of some of them
    vectors: int
    in_place: int

    @property
    def total(self) -> int:
        return self.originals + self.thumbnails + self.vectors


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a dataset holds."""

    n_images: int
    n_labels: int
    parts: list[Part]
    embedded: list[tuple[Encoder, int]]
    storage: Storage


def contents(dataset: Dataset) -> Contents:
    """Count what a dataset holds, in two scans of its images however many there are."""
    counts = _counts(dataset)
    n_images = sum(counts["status"].values())
    embedded = [
        (encoder, counting.sizes(encoder, [dataset.pk]).get(dataset.pk, 0)) for encoder in Encoder.objects.all()
    ]
    parts = [
        _labels(dataset, counts["label"]),
        _part(dataset, _("Sizes"), _sizes(counts["size"]), head=_("Megapixels")),
        _part(dataset, _("Formats"), _most_first(counts["format"]), head=_("Format"), field="format"),
        _part(dataset, _("States"), _named(counts["status"], _states()), head=_("State"), field="status"),
        _part(dataset, _("Splits"), _named(counts["split"], _splits()), head=_("Split"), field="split"),
        _part(dataset, _("Refused images"), _refused(counts["reason"]), head=_("Reason"), field="reason", ranks=True),
        _part(dataset, _("Files that imports refused"), _refusals(dataset), head=_("Reason"), ranks=True),
    ]
    return Contents(
        n_images=n_images,
        n_labels=len([label for label in counts["label"] if label]),
        parts=[part for part in parts if part.rows],
        embedded=embedded,
        storage=_storage(dataset, embedded),
    )


def _counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Count images by each of several columns, in one scan."""
    columns = ("label", "format", "status", "split", "reason", "size")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT grouping(label, format, status, split, error_code, size),
                   coalesce(label, format, status, split, error_code, size::text), count(*)
            FROM (SELECT label, format, status, split, error_code,
                         width_bucket(width::float8 * height / 1e6, %s::float8[]) AS size
                  FROM search_image WHERE dataset_id = %s) own
            GROUP BY GROUPING SETS ((label), (format), (status), (split), (error_code), (size))
            """,
            [list(EDGES), dataset.pk],
        )
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for which, value, n in cursor.fetchall():
            # One bit a column, the last column's is the lowest; it is 0 for the column that was grouped by.
            place = next(place for place in range(len(columns)) if not which >> (len(columns) - 1 - place) & 1)
            found[columns[place]][value] = n
    return found


def _labels(dataset: Dataset, counted: dict[str, int]) -> Part:
    """Return the most frequent labels, the rest of them as one, and how many images have none."""
    named = _most_first({label: n for label, n in counted.items() if label})
    first, rest = named[:MOST_LABELS], named[MOST_LABELS:]
    told = [(label, label, n) for _value, label, n in first]
    if rest:
        told.append(("", _("%(n)s other labels") % {"n": whole(len(rest))}, sum(n for _v, _w, n in rest)))
    if unlabelled := counted.get("", 0):
        told.append(("", _("without a label"), unlabelled))
    return _part(dataset, _("Images per label"), told, head=_("Label"), field="label", ranks=True, n_drawn=len(first))


def _part(
    dataset: Dataset,
    title: str,
    told: list[tuple[str, str, int]],
    *,
    head: str,
    field: str = "",
    ranks: bool = False,
    n_drawn: int | None = None,
) -> Part:
    """Return counted things as a plot and a table.

    told: value, words and how many of each. ranks: the words are too long to stand at an axis. n_drawn: how many of
    them stand in the plot too, all where it is not given: what is put together would dwarf the others.
    """
    total = sum(n for _value, _words, n in told) or 1
    rows = [
        Row(words=words, n=n, share=percent(n / total, 1), address=_address(dataset, field, value) if value else "")
        for value, words, n in told
    ]
    return Part(head=head, rows=rows, plot=_bars(title, rows[:n_drawn], ranks=ranks))


def _bars(title: str, rows: list[Row], *, ranks: bool) -> Plot:
    upright = Axis(least=0, most=max((row.n for row in rows), default=1) or 1, is_upright=True)
    slot = (WIDTH - RIGHT - LEFT) / max(1, len(rows))
    bars, ticks = [], []
    every = 5 if len(rows) > 12 else 1
    for place, row in enumerate(rows):
        top = upright.at(row.n)
        left = LEFT + slot * (place + 0.1)
        bars.append(
            Mark(
                title=f"{row.words}: {whole(row.n)}",
                x=round(left, 1),
                y=top,
                width=round(slot * 0.8, 1),
                height=round(HEIGHT - BOTTOM - top, 1),
            )
        )
        if not ranks or not (place + 1) % every or not place:
            words = str(place + 1) if ranks else row.words
            ticks.append(Tick(at=round(left + slot * 0.4, 1), words=words))
    most = max(rows, key=lambda row: row.n, default=None)
    summary = _("Most have %(words)s: %(n)s.") % {"words": most.words, "n": whole(most.n)} if most else ""
    return Plot(
        title=title,
        summary=summary,
        x_words="",
        y_words=_("Images, by the rows of the table") if ranks else "",
        x_ticks=ticks,
        y_ticks=[tick for tick in upright.ticks() if "." not in tick.words],
        bars=bars,
    )


def _sizes(counted: dict[str, int]) -> list[tuple[str, str, int]]:
    """Return how many images lie between edges, from the first such place to the last that has any."""
    places = sorted(int(place) for place in counted)
    if not places:
        return []
    return [("", _between(place), counted.get(str(place), 0)) for place in range(places[0], places[-1] + 1)]


def _between(place: int) -> str:
    if place == 0:
        return f"< {_edge(0)}"
    if place == len(EDGES):
        return f"≥ {_edge(place - 1)}"
    return f"{_edge(place - 1)}–{_edge(place)}"


def _edge(place: int) -> str:
    digits = len(f"{EDGES[place]:g}".partition(".")[2])
    return decimal(EDGES[place], digits)


def _states() -> dict[str, str]:
    return {"ready": _("Ready"), "pending": _("Waiting"), "refused": _("Refused")}


def _splits() -> dict[str, str]:
    return {value: str(words) for value, words in Image.Split.choices}


def _named(counted: dict[str, int], names: dict[str, str]) -> list[tuple[str, str, int]]:
    return [(value, words, counted[value]) for value, words in names.items() if value in counted]


def _most_first(counted: dict[str, int]) -> list[tuple[str, str, int]]:
    return [(value, value, n) for value, n in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))]


def _refused(counted: dict[str, int]) -> list[tuple[str, str, int]]:
    return _most_first({code: n for code, n in counted.items() if code})


def _refusals(dataset: Dataset) -> list[tuple[str, str, int]]:
    """Count what imports into the dataset did not take at all, by the code of the reason."""
    # Older jobs know the name alone, which another dataset may have had before.
    by_name = Q(parameters__dataset=dataset.name, started_at__gte=dataset.created_at)
    is_its = Q(parameters__dataset_id=dataset.pk) | by_name & ~Q(parameters__has_key="dataset_id")
    of_dataset = Job.objects.filter(is_its, kind=Job.Kind.IMPORT)
    rows = Refusal.objects.filter(job__in=of_dataset).order_by().values_list("code").annotate(n=Count("pk"))
    return [("", code, n) for code, n in rows.order_by("-n", "code")]


def _address(dataset: Dataset, field: str, value: str) -> str:
    if not field:
        return ""
    address = QueryDict(mutable=True)
    address[field] = value
    return f"{dataset.get_absolute_url()}?{address.urlencode()}"


def _storage(dataset: Dataset, embedded: list[tuple[Encoder, int]]) -> Storage:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(n_bytes) FILTER (WHERE file <> ''), 0)::bigint, "
            "coalesce(sum(n_bytes) FILTER (WHERE file = ''), 0)::bigint, count(*) FILTER (WHERE thumbnail <> '') "
            "FROM search_image WHERE dataset_id = %s",
            [dataset.pk],
        )
        originals, in_place, n_thumbnails = cursor.fetchone()
    return Storage(
        originals=originals,
        in_place=in_place,
        thumbnails=round(n_thumbnails * _mean_thumbnail(dataset)),
        vectors=sum(n * (encoder.dim * _BYTES_A_NUMBER + _BYTES_A_VECTOR_BESIDE) for encoder, n in embedded),
    )


def _mean_thumbnail(dataset: Dataset) -> float:
    """Return the mean bytes of some thumbnails, drawn by the hash of their pictures: to look at all takes seconds."""
    own = Image.objects.filter(dataset=dataset).exclude(thumbnail="").order_by("sha256")
    sizes = []
    for name in own.values_list("thumbnail", flat=True)[:_N_THUMBNAILS_LOOKED_AT]:
        try:
            sizes.append(default_storage.size(name))
        except OSError:  # lost: it takes no bytes
            continue
    return sum(sizes) / len(sizes) if sizes else 0.0
