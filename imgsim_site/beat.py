"""When beat sends what is to be done regularly."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from celery.schedules import schedstate, schedule


class Every(schedule):
    """Each so many seconds. Where the clock was set back, the last time lies in the future, and the next one is now.

    Celery's own schedule would wait until the clock has caught up.
    """

    def is_due(self, last_run_at: datetime) -> Any:
        if self.maybe_make_aware(last_run_at) > self.maybe_make_aware(self.now()):
            return schedstate(is_due=True, next=self.seconds)
        return super().is_due(last_run_at)
