"""What failed while a request was answered, by kind: what the site leans on, its disk, or the site itself."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError
from psycopg.errors import DiskFull
from redis.exceptions import RedisError

SILENT, BROKEN, FULL = 503, 500, 507
SECONDS_TO_NEXT_TRY = 5
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def status_of(error: BaseException | None) -> int:
    """Return the status to answer with: 507 for a full disk, 503 for a silent database or broker, 500 for all else."""
    errors = list(_with_causes(error))
    if any(isinstance(one, DiskFull) or (isinstance(one, OSError) and one.errno in _FULL) for one in errors):
        return FULL
    if any(isinstance(one, (OperationalError, InterfaceError, RedisError)) for one in errors):
        return SILENT
    return BROKEN


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
