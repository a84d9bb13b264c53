"""Run a Postgres with pgvector and a Redis from Python packages, for whoever has set up neither.

`client` is for every process that uses them, `supervisor` is the process that owns them. Real servers need nothing of
this: DATABASE_URL and REDIS_URL switch it off.
"""

from imgsim_site.embedded.client import (
    SiteSettings,
    Status,
    database_url,
    ensure_running,
    ensure_running_for,
    leave,
    redis_url,
    status,
)
from imgsim_site.embedded.errors import EmbeddedServerError

__all__ = [
    "EmbeddedServerError",
    "SiteSettings",
    "Status",
    "database_url",
    "ensure_running",
    "ensure_running_for",
    "leave",
    "redis_url",
    "status",
]
