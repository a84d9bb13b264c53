"""The Celery application. Workers find their tasks in `search.tasks`."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imgsim_site.settings")

app = Celery("imgsim")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["search"])
# Celery's own name for it, which has no place among the settings: a child keeps its connection for so many tasks.
app.conf.CELERY_DB_REUSE_MAX = 1000


@worker_init.connect
def start_services(**_: Any) -> None:
    """Start the embedded servers before the worker asks for its broker."""
    # Settings are read here and not at import: `celery --help` needs no database.
    from django.conf import settings

    from imgsim_site import embedded

    embedded.ensure_running_for(settings)
