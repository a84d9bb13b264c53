"""How good searches were found to be, and what is known of their distances and of their indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from search.models.encoders import Encoder
from search.models.galleries import Dataset
from search.models.jobs import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser | None) -> EvaluationQuerySet:
        """Return the evaluations whose queries and gallery this user may see."""
        visible = Dataset.objects.visible_to(user)
        return self.filter(dataset__in=visible, queries_dataset__in=visible)


class Evaluation(models.Model):
    """How good the search of one encoder over one dataset was, at one time. Its figures are comparable with those of
    another evaluation where both asked the same pictures of the same gallery.
    """

    encoder = models.ForeignKey(
        Encoder, on_delete=models.CASCADE, related_name="evaluations", verbose_name=_("encoder")
    )
    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="evaluations", verbose_name=_("dataset")
    )
    # Where the queries came from: mostly the dataset itself.
    queries_dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="evaluations_with_it")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="evaluations")
    protocol = models.JSONField(_("protocol"))
    # Of contents and labels of queries and gallery.
    pictures_sha256 = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64)
    n_queries = models.PositiveIntegerField(_("queries"))
    n_gallery = models.PositiveIntegerField(_("gallery"))
    # Means by measure, and their 95 % intervals; empty where nothing says which hits are right.
    metrics = models.JSONField(default=dict)
    intervals = models.JSONField(default=dict)
    latency = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    # The figures of each query, as an .npz, so that encoders can be compared query by query.
    figures = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        indexes = [models.Index(fields=["dataset", "encoder", "-created_at"], name="evaluation_latest")]

    def __str__(self) -> str:
        return gettext("%(encoder)s on %(dataset)s") % {"encoder": self.encoder, "dataset": self.dataset}

    def get_absolute_url(self) -> str:
        return reverse("evaluation", args=[self.pk])


class Calibration(models.Model):
    """What a distance is worth with one encoder in one dataset."""

    encoder = models.ForeignKey(Encoder, on_delete=models.CASCADE, related_name="calibrations")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="calibrations")
    # The chance of the same class by distance, from the labels; empty where there are too few of them.
    chances = models.JSONField(default=dict)
    # How far apart random pairs of the dataset are.
    random_pairs = models.JSONField(default=dict)
    weights_sha256 = models.CharField(max_length=64)
    n_images = models.PositiveIntegerField(_("images"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder", "dataset"], name="calibration_once_a_dataset")]

    def __str__(self) -> str:
        return f"{self.encoder} in {self.dataset}"


class IndexAudit(models.Model):
    """How many of the true nearest the index of an encoder found, when it was looked at."""

    encoder = models.ForeignKey(Encoder, on_delete=models.CASCADE, related_name="audits", verbose_name=_("encoder"))
    recall = models.FloatField(_("recall"))
    k = models.PositiveIntegerField()
    n_queries = models.PositiveIntegerField(_("queries"))
    n_vectors = models.PositiveIntegerField(_("vectors"))
    exact_ms = models.FloatField(_("comparison, ms"))
    index_ms = models.FloatField(_("index, ms"))
    created_at = models.DateTimeField(_("made"), default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("audit of an index")
        verbose_name_plural = _("audits of indexes")

    def __str__(self) -> str:
        return f"{self.encoder}: {self.recall:.3f}"
