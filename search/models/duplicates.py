"""Duplicates inside galleries: the pairs that were found, and what people decided about them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from search.models.galleries import Dataset, Image


class DuplicatePair(models.Model):
    """Two images that are the same picture, as the last search for duplicates of a dataset found.

    One of them at least is of the dataset. Each search replaces what the one before it found.
    """

    class Relation(models.TextChoices):
        FILE = "file", _("the same file")
        SAME = "same", _("the same picture")
        TURNED = "turned", _("the same picture, mirrored or turned")
        PART = "part", _("one is a part of the other")
        HASH = "hash", _("their hashes are the same or nearly so")

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="duplicate_pairs")
    # The smaller id of the two.
    first = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    relation = models.CharField(max_length=10, choices=Relation)
    # In how many bits their perceptual hashes differ; empty where one of them is plain.
    n_bits = models.PositiveSmallIntegerField(null=True)

    class Meta:
        verbose_name = _("duplicate pair")
        verbose_name_plural = _("duplicate pairs")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "first", "second"], name="duplicate_pair_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="duplicate_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} and {self.second_id}: {self.get_relation_display()}"


class DuplicateReview(models.Model):
    """What somebody decided about one group of duplicates, and what it takes to undo it."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="duplicate_reviews")
    # Those of one press of a button belong together.
    batch = models.UUIDField(default=uuid.uuid4, db_index=True)
    # Empty where all were kept.
    kept = models.ForeignKey(Image, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Numbers and no foreign keys: after a day in the trash the images are gone, and the decision stays.
    discarded = ArrayField(models.BigIntegerField(), default=list)
    # What the group was called, for people to read.
    names = ArrayField(models.TextField(), default=list)
    # The label and the tags of the one that was kept: before and after, where they changed.
    merged = models.JSONField(default=dict)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="duplicate_reviews"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("decision about duplicates")
        verbose_name_plural = _("decisions about duplicates")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{', '.join(self.names[:1])}: {'one of' if self.discarded else 'all'} {len(self.names)} kept"


class DuplicateDecision(models.Model):
    """What was decided about two pictures, by their content: so it holds for them when they are imported again."""

    class Verdict(models.TextChoices):
        DIFFERENT = "different", _("not duplicates")
        FIRST = "first", _("the first was kept")
        SECOND = "second", _("the second was kept")

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="duplicate_decisions")
    # The smaller digest of the two; two files of one content stand in two datasets.
    first_sha256 = models.CharField(max_length=64)
    second_sha256 = models.CharField(max_length=64)
    verdict = models.CharField(max_length=10, choices=Verdict)
    review = models.ForeignKey(DuplicateReview, on_delete=models.CASCADE, related_name="decisions")

    class Meta:
        verbose_name = _("decided pair")
        verbose_name_plural = _("decided pairs")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "first_sha256", "second_sha256"], name="duplicate_decided_once"),
            models.CheckConstraint(
                condition=Q(first_sha256__lte=F("second_sha256")), name="duplicate_decision_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_sha256[:12]} and {self.second_sha256[:12]}: {self.get_verdict_display()}"
