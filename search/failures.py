"""What failed while a request was answered, by kind: what the site leans on, its disk, or the site itself."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError
from psycopg.errors import DiskFull, UndefinedColumn, UndefinedTable
from redis.exceptions import RedisError

SILENT, BROKEN, FULL = 503, 500, 507
SECONDS_TO_NEXT_TRY = 5
MIGRATE = "The database lacks tables or columns that this version needs. Run: manage.py migrate"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def status_of(error: BaseException | None) -> int:
    """Return the status to answer with: 507 for a full disk, 500 for what nobody foresaw.

    503 for a database or a broker that is silent, and for a database that is behind.
    """
    errors = list(_with_causes(error))
    if any(isinstance(one, DiskFull) or (isinstance(one, OSError) and one.errno in _FULL) for one in errors):
        return FULL
    if is_behind(error) or any(isinstance(one, (OperationalError, InterfaceError, RedisError)) for one in errors):
        return SILENT
    return BROKEN


def is_behind(error: BaseException | None) -> bool:
    """Return whether the tables are those of another version: it was installed, and nobody has migrated yet."""
    return any(isinstance(one, (UndefinedTable, UndefinedColumn)) for one in _with_causes(error))


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
