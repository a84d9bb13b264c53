"""What people say of hits and of encoders: marks of a search, votes between encoders."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from search.models.encoders import Encoder
from search.models.galleries import Dataset, Image


class Mark(models.Model):
    """ "More like this", or "less like this", said of an image in a search.

    Only images of galleries have marks: a query picture that was uploaded is never kept.
    """

    class Sign(models.IntegerChoices):
        MORE = 1, "more like this"
        LESS = -1, "less like this"

    # The marks of one search belong together.
    search = models.UUIDField()
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="marks")
    sign = models.SmallIntegerField(choices=Sign)
    is_query = models.BooleanField("query", default=False, help_text="What the search began with.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="marks"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["search", "image"], name="mark_once_a_search"),
            models.CheckConstraint(condition=Q(sign__in=[1, -1]), name="mark_sign_plus_or_minus"),
        ]

    def __str__(self) -> str:
        return f"{self.get_sign_display()}: image {self.image_id}"


class Vote(models.Model):
    """Which of several encoders gave the better answer, said blind."""

    # A digest of what was asked with, the encoders and the voter: who votes again changes the vote and adds none.
    ballot = models.CharField(max_length=64, unique=True)
    # Empty where every visible one was searched.
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.CASCADE, related_name="votes")
    # Those that were shown.
    encoders = models.ManyToManyField(Encoder, related_name="votes")
    # Empty where none was better.
    winner = models.ForeignKey(Encoder, null=True, blank=True, on_delete=models.CASCADE, related_name="votes_won")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="votes"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.winner or 'none'} was better"
