"""The rows: datasets, images, encoders, embeddings, evaluations, jobs. What is done with them lives elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from pgvector.django import BitField, HalfVectorField

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser | None) -> DatasetQuerySet:
        """Return the datasets that this user may search: public ones, their own, and for staff all."""
        if user is not None and getattr(user, "is_staff", False):
            return self
        if user is None or not user.is_authenticated:
            return self.filter(is_public=True)
        return self.filter(Q(is_public=True) | Q(owner_id=user.pk))


class Dataset(models.Model):
    """A gallery: a named set of images."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=110, unique=True, editable=False)
    description = models.TextField(blank=True)
    is_public = models.BooleanField(
        "public",
        default=True,
        help_text="Everybody who reaches this site can search it. Otherwise: its owner and staff.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="datasets"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = self._free_slug()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("dataset", args=[self.slug])

    def _free_slug(self) -> str:
        base = slugify(self.name, allow_unicode=False)[:100] or "dataset"
        taken = set(Dataset.objects.filter(slug__startswith=base).values_list("slug", flat=True))
        return next(slug for n in range(1, len(taken) + 2) if (slug := base if n == 1 else f"{base}-{n}") not in taken)


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


class Image(models.Model):
    """A picture of a dataset. Its content decides its identity: the same bytes stand in a dataset once."""

    class Status(models.TextChoices):
        PENDING = "pending", "waiting for its embedding"
        READY = "ready"
        REFUSED = "refused"

    class Split(models.TextChoices):
        NONE = "none"
        TRAIN = "train"
        VAL = "val"
        TEST = "test"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64)
    # Where it was found, from the imported folder on, or archive::member. Visitors see it: no path of the server.
    source = models.TextField()
    # The kept original; empty where it is referenced in place, and then `in_place_path` says where it lies.
    file = models.FileField(max_length=200, blank=True)
    in_place_path = models.TextField(blank=True)
    thumbnail = models.FileField(max_length=200, blank=True)
    format = models.CharField(max_length=10)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    n_bytes = models.PositiveBigIntegerField("bytes")
    label = models.CharField(max_length=200, blank=True)
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    split = models.CharField(max_length=5, choices=Split, default=Split.NONE)
    phash = BitField(length=64, null=True, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    # A worker that takes a pending image holds it until then; a killed worker's images are free again afterwards.
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    n_attempts = models.PositiveSmallIntegerField("attempts", default=0, editable=False)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="images")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["dataset", "sha256"], name="image_content_once_a_dataset")]
        indexes = [
            models.Index(fields=["id"], condition=Q(status="pending"), name="image_pending"),
            models.Index(fields=["dataset", "label"], name="image_label"),
            GinIndex(fields=["tags"], name="image_tags"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("image", args=[self.pk])

    @property
    def name(self) -> str:
        """The file's own name, without the folders or the archive around it."""
        return self.source.replace("\\", "/").rpartition("::")[2].rpartition("/")[2]

    @property
    def original(self) -> Path:
        """The path of the original: the kept copy, or the file in place."""
        return Path(self.file.path) if self.file else Path(self.in_place_path)

    @property
    def thumbnail_url(self) -> str:
        return reverse("thumbnail", args=[self.pk, self.sha256[:12]])


class Encoder(models.Model):
    """A network that turns pictures into vectors. Its files lie in a folder of its name under ENCODERS_ROOT."""

    class Distance(models.TextChoices):
        COSINE = "cosine"
        L2 = "l2", "L2"

    name = models.CharField(max_length=60, unique=True)
    family = models.CharField(max_length=60)
    dim = models.PositiveIntegerField()
    distance = models.CharField(max_length=10, choices=Distance, default=Distance.COSINE)
    spec = models.JSONField(default=dict)
    weights_sha256 = models.CharField(max_length=64)
    is_default = models.BooleanField("default", default=False)
    embeds_imports = models.BooleanField(
        default=False, help_text="Pictures that are imported are embedded with it too, after the default encoder."
    )
    # The job that trained it; empty where its weights were installed.
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="encoders")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-is_default", "name"]
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
        constraints = [models.UniqueConstraint(fields=["image", "encoder"], name="embedding_once_an_encoder")]
        indexes = [models.Index(fields=["encoder", "dataset"], name="embedding_scope")]

    def __str__(self) -> str:
        return f"{self.encoder_id} of image {self.image_id}"


class Evaluation(models.Model):
    """How good the search of one encoder over one dataset was, at one time. Its figures are comparable with those of
    another evaluation where both asked the same pictures of the same gallery.
    """

    encoder = models.ForeignKey(Encoder, on_delete=models.CASCADE, related_name="evaluations")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="evaluations")
    # Where the queries came from: mostly the dataset itself.
    queries_dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="evaluations_with_it")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="evaluations")
    protocol = models.JSONField()
    # Of contents and labels of queries and gallery.
    pictures_sha256 = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64)
    n_queries = models.PositiveIntegerField("queries")
    n_gallery = models.PositiveIntegerField("gallery")
    # Means by measure, and their 95 % intervals; empty where nothing says which hits are right.
    metrics = models.JSONField(default=dict)
    intervals = models.JSONField(default=dict)
    latency = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    # The figures of each query, as an .npz, so that encoders can be compared query by query.
    figures = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["dataset", "encoder", "-created_at"], name="evaluation_latest")]

    def __str__(self) -> str:
        return f"{self.encoder} on {self.dataset}"

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
    n_images = models.PositiveIntegerField("images")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder", "dataset"], name="calibration_once_a_dataset")]

    def __str__(self) -> str:
        return f"{self.encoder} in {self.dataset}"


class IndexAudit(models.Model):
    """How many of the true nearest the index of an encoder found, when it was looked at."""

    encoder = models.ForeignKey(Encoder, on_delete=models.CASCADE, related_name="audits")
    recall = models.FloatField()
    k = models.PositiveIntegerField()
    n_queries = models.PositiveIntegerField("queries")
    n_vectors = models.PositiveIntegerField("vectors")
    exact_ms = models.FloatField()
    index_ms = models.FloatField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.encoder}: {self.recall:.3f}"
