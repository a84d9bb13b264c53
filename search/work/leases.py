"""Leases: whoever works on images that wait holds them, for a while, and no longer than it is connected to Postgres.

Times are Postgres' own. A killed process is disconnected at once, so that what it held is free before the while is
over; one behind a pooler that keeps its connection is only missed when that is. Where the clock is set back, a lease
that ends later than any could is over; where it is set forward, all are, and what was held may be embedded twice and is
written once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

# A worker that is only slow says meanwhile that it lives.
LEASE: Final = timedelta(seconds=90)
_LEASE: Final = f"interval '{LEASE.total_seconds():.0f} s'"
SECONDS_TO_RENEWAL: Final = 20.0

# On rows of images. A later connection may have been given the number of the holder's: it began after the lease. One
# that began in the future did so before the clock was set back, and is the holder's.
FREE: Final = f"""(
    leased_until IS NULL OR leased_until < statement_timestamp() OR leased_until > statement_timestamp() + {_LEASE}
    OR (leased_by IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_stat_activity holder
        WHERE holder.pid = leased_by
          AND coalesce(holder.backend_start <= leased_until - {_LEASE}
                       OR holder.backend_start > statement_timestamp(), true))))"""
# What makes the one who asks the holder.
HOLD: Final = f"leased_until = statement_timestamp() + {_LEASE}, leased_by = pg_backend_pid()"


def free() -> RawSQL:
    """Return the condition under which nobody holds an image, to filter by."""
    return RawSQL(FREE, (), output_field=BooleanField())  # noqa: S611 -- a constant
