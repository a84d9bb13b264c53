"""`manage.py reconcile`: send again what the queue lost. Beat does the same every minute."""

from typing import Any

from search.management.site_command import SiteCommand
from search.work import reconciling


class Command(SiteCommand):
    help = "Send images that wait for a worker and are not in the queue, and end jobs that are through or were killed."

    def handle(self, *args: Any, **options: Any) -> None:
        swept = reconciling.reconcile()
        self.stdout.write(f"{swept.n_sent} images sent, {swept.n_jobs_ended} jobs ended.")
