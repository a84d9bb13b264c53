"""Jobs, and what they refused."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Job(models.Model):
    """A long piece of work that somebody may want to watch, such as an import or a training."""

    class Kind(models.TextChoices):
        IMPORT = "import", pgettext_lazy("job", "Import")
        EMBED = "embed", pgettext_lazy("job", "Embed")
        INDEX = "index", pgettext_lazy("job", "Index")
        TRAIN = "train", pgettext_lazy("job", "Train")
        EVALUATE = "evaluate", pgettext_lazy("job", "Evaluate")
        INSTALL = "install", pgettext_lazy("job", "Install")
        REMOVE = "remove", pgettext_lazy("job", "Remove")
        DUPLICATES = "duplicates", pgettext_lazy("job", "Find duplicates")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for a worker")
        RUNNING = "running", _("Running")
        EMBEDDING = "embedding", _("waiting for embeddings")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    OVER = (State.DONE, State.FAILED)

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    parameters = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.RUNNING)
    n_done = models.PositiveIntegerField(_("done"), default=0)
    n_failed = models.PositiveIntegerField(_("failed"), default=0)
    n_total = models.PositiveIntegerField(_("total"), default=0)
    message = models.TextField(_("message"), blank=True)
    # What there is to draw while it runs: of a training the device and the figures of each epoch; of an import
    # "reading" ({"done", "total"}, in files or bytes), "read_per_second" (files), and the counts of its report.
    progress = models.JSONField(default=dict, blank=True)
    # Somebody wants it to end: whoever works on it looks here.
    is_cancelled = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=_("owner")
    )
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    # Moved on while somebody works on it, by the clock of Postgres; a job that is not done and whose heart stands still
    # was killed.
    heartbeat_at = models.DateTimeField(db_default=Now())
    # A heart that stands still is given until then to beat: see `work.jobs.end_stale`.
    given_until = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    @property
    def is_over(self) -> bool:
        """Whether it cannot change any more, unless somebody begins it again."""
        return self.state in self.OVER

    @property
    def duration(self) -> timedelta:
        return (self.finished_at or timezone.now()) - self.started_at


class JobLine(models.Model):
    """A line of a job's log."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField(default=timezone.now)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class Refusal(models.Model):
    """A file that a job could not take, and why."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="refusals")
    source = models.TextField(_("source"))
    code = models.CharField(_("code"), max_length=40)
    reason = models.TextField(_("reason"))

    class Meta:
        ordering = ["pk"]
        verbose_name = _("refusal")
        verbose_name_plural = _("refusals")

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
