"""Composition: settings, URLs, the queue, the web entry point, embedded servers and the demo."""

from embeddings.cores import let_waiting_threads_sleep

let_waiting_threads_sleep()

from imgsim_site.celery import app as celery_app  # noqa: E402 -- only now

__all__ = ["celery_app"]
