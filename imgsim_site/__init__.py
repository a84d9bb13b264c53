"""Composition: settings, URLs, the queue, the web entry point, embedded servers and the demo."""

from imgsim_site.celery import app as celery_app

__all__ = ["celery_app"]
