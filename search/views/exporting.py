"""A dataset as files, for those who may change it: a page that offers them, and the files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from typing import IO

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from search import encoders
from search.exports import folders, tables, vectors
from search.language import wording
from search.models import Dataset, Embedding, Encoder
from search.views.attaching import attached
from search.views.guarding import of_own_dataset

_TABLES: dict[str, tuple[Callable[[Dataset], Iterable[str]], str]] = {
    "csv": (tables.as_csv, "text/csv; charset=utf-8"),
    "json": (tables.as_json, "application/json; charset=utf-8"),
}
_VECTORS: dict[str, Callable[[IO[bytes], Dataset, Encoder], int]] = {
    "npz": vectors.write_npz,
    "parquet": vectors.write_parquet,
}
WORDS = {
    "csv": _("Labels, splits, tags and sizes, for spreadsheets"),
    "json": _("The same for programs"),
    "npz": _("Vectors for numpy, with ids and labels"),
    "parquet": _("Vectors as a table, with all that is known of each image"),
}


@never_cache
@require_safe
@of_own_dataset
def export(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Offer the files of a dataset."""
    embedded = Embedding.objects.filter(dataset=dataset).order_by().values("encoder")
    context = {
        "dataset": dataset,
        "n_images": dataset.images.count(),
        "tables": [(kind, WORDS[kind]) for kind in _TABLES],
        "vectors": [(kind, WORDS[kind]) for kind in _VECTORS],
        "encoders": Encoder.objects.filter(pk__in=embedded.distinct()),
        "has_all_originals": _looks_after_all(request),
    }
    return render(request, "search/export.html", context)


@never_cache
@require_safe
@of_own_dataset
def export_file(request: HttpRequest, dataset: Dataset, kind: str) -> HttpResponseBase:
    """Send a dataset as a file: csv, json, npz, parquet or zip."""
    name = f"{dataset.slug}.{kind}"
    if kind in _TABLES:
        write, content_type = _TABLES[kind]
        return _streamed(write(dataset), content_type, name)
    if kind == "zip":
        has_all = _looks_after_all(request)
        # What was copied from a dataset of somebody else belongs to no import, and may tell where it was taken.
        pieces = folders.imagefolder(dataset, is_original=lambda image: has_all or image.job_id is not None)
        return _streamed(pieces, "application/zip", name)
    if kind in _VECTORS:
        return _vectors(request, dataset, kind)
    raise Http404("There is no such file.")


def _vectors(request: HttpRequest, dataset: Dataset, kind: str) -> HttpResponseBase:
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the response closes it
    try:
        encoder = encoders.by_name(request.GET.get("encoder", ""))
        _VECTORS[kind](file, dataset, encoder)
    except (encoders.NoEncoder, vectors.NothingEmbedded, vectors.ParquetMissing) as error:
        file.close()
        messages.warning(request, wording.told(error))
        return redirect("export", slug=dataset.slug)
    file.seek(0)
    return attached(FileResponse(file), f"{dataset.slug}-{encoder.name}.{kind}")


def _streamed(pieces: Iterable[str] | Iterable[bytes], content_type: str, name: str) -> HttpResponseBase:
    return attached(StreamingHttpResponse(pieces, content_type=content_type), name)


def _looks_after_all(request: HttpRequest) -> bool:
    return request.user.is_staff and request.user.has_perm("search.change_image")
