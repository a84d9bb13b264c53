"""Jobs, and what they refused."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Job(models.Model):
    """A long piece of work that somebody may want to watch: an import, a training, an evaluation."""

    class Kind(models.TextChoices):
        IMPORT = "import"
        EMBED = "embed"
        INDEX = "index"
        TRAIN = "train"
        EVALUATE = "evaluate"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for a worker"
        RUNNING = "running"
        EMBEDDING = "embedding", "waiting for embeddings"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=20, choices=Kind)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    n_done = models.PositiveIntegerField("done", default=0)
    n_failed = models.PositiveIntegerField("failed", default=0)
    n_total = models.PositiveIntegerField("total", default=0)
    message = models.TextField(blank=True)
    # What there is to draw while it runs: of a training the device and the figures of each epoch.
    progress = models.JSONField(default=dict, blank=True)
    # Somebody wants it to end: whoever works on it looks here.
    is_cancelled = models.BooleanField(default=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    started_at = models.DateTimeField(default=timezone.now)
    # Moved on while somebody works on it; a job that is not done and whose heart stands still was killed.
    heartbeat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    @property
    def duration(self) -> timedelta:
        return (self.finished_at or timezone.now()) - self.started_at


class Refusal(models.Model):
    """A file that a job could not take, and why."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="refusals")
    source = models.TextField()
    code = models.CharField(max_length=40)
    reason = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
