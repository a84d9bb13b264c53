"""Encoders and their indexes: files whole, indexes valid and worth having."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from search import encoders, indexing
from search.checkup.findings import Finding, error, ok, warning
from search.encoders import checking
from search.models import Encoder
from search.quality import auditing

_PART = "encoders"


def look() -> Iterator[Finding]:
    """Look at the default encoder, the files of all, and their indexes."""
    try:
        default = encoders.default()
    except encoders.NoEncoder:
        yield error(_PART, "No encoder is installed: no search can be made.", "manage.py install_encoder mobilenet_v2")
        return
    for encoder in Encoder.objects.all():
        yield from _files(encoder, is_default=encoder == default)
        if encoder.fault:
            yield error(_PART, encoder.fault, f"manage.py embed_images --encoder {encoder.name}, when that is done")
        yield from _index(encoder)


def _files(encoder: Encoder, *, is_default: bool) -> Iterator[Finding]:
    again = f"manage.py install_encoder {encoder.name}"
    if encoder.job_id:  # trained here: no publisher has its weights
        again = f"cp -r BACKUP/encoders/{encoder.name} {encoder.folder.parent}/, or train it again"
    make = error if is_default else warning
    try:
        checking.verify(encoder)
    except encoders.NoEncoder as failure:
        yield make(_PART, f"{str(failure).partition(';')[0]}.", again)
        return
    yield ok(_PART, f"{encoder.name}{' (default)' if is_default else ''}: every file is whole.")


def _index(encoder: Encoder) -> Iterator[Finding]:
    build = f"manage.py build_index --encoder {encoder.name}"
    is_worthwhile, is_valid = indexing.is_worthwhile(encoder), indexing.is_valid(encoder)
    if is_worthwhile and not is_valid:
        what = f"{encoder.name}: more than {settings.EXACT_SEARCH_UP_TO:,} vectors and no index that is whole."
        yield warning(_PART, what, build)
    last = encoder.audits.first() if is_valid else None
    if last is not None and last.recall < auditing.FLOOR:
        yield warning(_PART, f"{encoder.name}: its index finds {last.recall:.1%} of the nearest.", f"{build} --again")
    elif is_valid:
        told = f", and found {last.recall:.1%} of the nearest when it was audited" if last else ""
        yield ok(_PART, f"{encoder.name}: its index is whole{told}.")
