"""Encoders, and the vectors that they gave."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from search.models.galleries import Dataset, Image
from search.models.jobs import Job


class ThoseInUse(models.Manager["Encoder"]):
    """The encoders that are not being removed."""

    def get_queryset(self) -> models.QuerySet[Encoder]:
        return super().get_queryset().filter(is_being_removed=False)


class Encoder(models.Model):
    """A network that turns pictures into vectors. Its files lie in a folder of its name under ENCODERS_ROOT.

    While it is being removed it is of no use to anybody, and `objects` gives it to nobody.
    """

    class Distance(models.TextChoices):
        COSINE = "cosine", _("Cosine")
        L2 = "l2", "L2"

    name = models.CharField(_("name"), max_length=60, unique=True)
    family = models.CharField(_("family"), max_length=60)
    dim = models.PositiveIntegerField(_("dimension"))
    distance = models.CharField(_("distance"), max_length=10, choices=Distance, default=Distance.COSINE)
    spec = models.JSONField(_("description"), default=dict)
    weights_sha256 = models.CharField(_("SHA-256 of the weights"), max_length=64)
    is_default = models.BooleanField(_("default"), default=False)
    embeds_imports = models.BooleanField(
        _("embeds imports"),
        default=False,
        help_text=_("Pictures that are imported are embedded with it too, after the default encoder."),
    )
    # The job that trained it; empty where its weights were installed.
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="encoders", verbose_name=_("job")
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    is_being_removed = models.BooleanField(default=False, editable=False)
    # Why nothing is embedded with it until somebody has looked after it, in a sentence; empty where all is well.
    fault = models.TextField(blank=True, editable=False)

    objects = ThoseInUse()
    everything = models.Manager["Encoder"]()

    class Meta:
        ordering = ["-is_default", "name"]
        verbose_name = _("encoder")
        verbose_name_plural = _("encoders")
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="encoder_one_default"),
            # What an HNSW index on halfvec takes, and what fits a page of Postgres.
            models.CheckConstraint(condition=Q(dim__gte=1, dim__lte=4000), name="encoder_dim_1_to_4000"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return Path(settings.ENCODERS_ROOT) / self.name

    @property
    def gives_tags(self) -> bool:
        return bool(self.spec.get("n_classes"))


class Embedding(models.Model):
    """The vector of one image by one encoder. The dataset stands here too, so that a filter on it needs no join."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="embeddings")
    encoder = models.ForeignKey(Encoder, on_delete=models.CASCADE, related_name="embeddings", db_index=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, db_index=False)
    # Of each encoder's own length; `indexing` builds one partial HNSW index for each encoder.
    vector = HalfVectorField()

    class Meta:
        verbose_name = _("embedding")
        verbose_name_plural = _("embeddings")
        constraints = [models.UniqueConstraint(fields=["image", "encoder"], name="embedding_once_an_encoder")]
        indexes = [models.Index(fields=["encoder", "dataset"], name="embedding_scope")]

    def __str__(self) -> str:
        return f"{self.encoder_id} of image {self.image_id}"


class EmbeddingCount(models.Model):
    """How many vectors an encoder has in a dataset, as a sum of changes: no search has to count them.

    Triggers append a row for each statement that adds or removes vectors, so that no two writers wait for each other;
    `search.neighbours.counting` reads the sums and puts rows together. Plain numbers and no foreign keys: the vectors
    of a dataset go, and are counted, while it goes itself.
    """

    encoder_id = models.BigIntegerField()
    dataset_id = models.BigIntegerField()
    n = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["encoder_id", "dataset_id"], name="embedding_count")]

    def __str__(self) -> str:
        return f"{self.n:+d} of encoder {self.encoder_id} in dataset {self.dataset_id}"
