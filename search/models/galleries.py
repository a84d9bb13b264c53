"""Datasets and their images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from pgvector import Bit
from pgvector.django import BitField

from search.files import originals
from search.models.jobs import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def bits_of(phash: object) -> str:
    """Return a perceptual hash as 64 characters 0 or 1, empty without one; pgvector gives it as text or as a Bit."""
    return phash.to_text() if isinstance(phash, Bit) else str(phash or "")


# Pages stand at these addresses.
RESERVED_SLUGS = {"new", "restore"}


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser | None) -> DatasetQuerySet:
        """Return the datasets that this user may search: public ones, their own, their groups', and for staff all."""
        if user is not None and getattr(user, "is_staff", False):
            return self
        if user is None or not user.is_authenticated:
            return self.filter(is_public=True)
        of_groups = Dataset.groups.through.objects.filter(group__user=user.pk).values("dataset_id")
        return self.filter(Q(is_public=True) | Q(owner_id=user.pk) | Q(pk__in=of_groups))


class ThoseThereAre(models.Manager["Dataset"]):
    """The datasets that are not in the trash."""

    def get_queryset(self) -> DatasetQuerySet:
        return DatasetQuerySet(self.model, using=self._db).filter(trashed_at=None)

    def visible_to(self, user: AbstractBaseUser | AnonymousUser | None) -> DatasetQuerySet:
        """Return those of them that a user may search."""
        return self.get_queryset().visible_to(user)


def _band(number: int) -> models.Func:
    """Return the value of one of the four bands of 16 bits that perceptual hashes are looked up by, as a number."""
    start = 49 - 16 * number  # the first character is the most significant bit
    template = f"(substring(%(expressions)s from {start} for 16)::bit(16)::int)"
    return models.Func("phash", template=template, output_field=models.IntegerField())


class Dataset(models.Model):
    """A gallery: a named set of images.

    In the trash, nobody sees it, and `objects` gives it to nobody: a dataset that was deleted a short while ago, or the
    one that holds what was deleted from another one, `trash_of`.
    """

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(max_length=110, editable=False)
    description = models.TextField(_("description"), blank=True)
    is_public = models.BooleanField(
        _("public"),
        default=True,
        help_text=_("Everybody who reaches this site can search it. Otherwise: its owner, its groups and staff."),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="datasets",
        verbose_name=_("owner"),
        help_text=_("May search it, and change it and its images."),
    )
    groups = models.ManyToManyField(
        "auth.Group",
        blank=True,
        related_name="datasets",
        verbose_name=_("groups"),
        help_text=_("Their members may search it, also where it is not public."),
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)
    trash_of = models.OneToOneField(
        "self", null=True, blank=True, editable=False, on_delete=models.CASCADE, related_name="trash"
    )

    objects = ThoseThereAre()
    everything = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(trashed_at=None),
                name="dataset_name",
                violation_error_message=_("There is a dataset of this name already."),
            ),
            models.UniqueConstraint(fields=["slug"], condition=Q(trashed_at=None), name="dataset_slug"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.slug:
            self.slug = self._free_slug()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("dataset", args=[self.slug])

    def clean(self) -> None:
        """Refuse a name that is taken: forms leave out constraints on fields that they do not show, as `trashed_at`."""
        if Dataset.objects.filter(name=self.name).exclude(pk=self.pk).exists():
            raise ValidationError({"name": ValidationError(_("There is a dataset of this name already."), "unique")})

    def _free_slug(self) -> str:
        base = slugify(self.name, allow_unicode=False)[:100] or "dataset"
        taken = set(Dataset.objects.filter(slug__startswith=base).values_list("slug", flat=True)) | RESERVED_SLUGS
        return next(slug for n in range(1, len(taken) + 2) if (slug := base if n == 1 else f"{base}-{n}") not in taken)


class Image(models.Model):
    """A picture of a dataset. Its content decides its identity: the same bytes stand in a dataset once."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting for its embedding")
        READY = "ready", _("Ready")
        REFUSED = "refused", _("Refused")

    class Split(models.TextChoices):
        NONE = "none", pgettext_lazy("split", "None")
        TRAIN = "train", pgettext_lazy("split", "Train")
        VAL = "val", pgettext_lazy("split", "Val")
        TEST = "test", pgettext_lazy("split", "Test")

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="images", verbose_name=_("dataset"))
    sha256 = models.CharField(max_length=64)
    # Where it was found, from the imported folder on, or archive::member. Visitors see it: no path of the server.
    source = models.TextField(_("source"))
    # The kept original; empty where it is referenced in place, and then `in_place_path` says where it lies.
    file = models.FileField(_("file"), max_length=200, blank=True)
    in_place_path = models.TextField(_("path in place"), blank=True)
    thumbnail = models.FileField(_("thumbnail"), max_length=200, blank=True)
    format = models.CharField(_("format"), max_length=10)
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    n_bytes = models.PositiveBigIntegerField(_("bytes"))
    label = models.CharField(_("label"), max_length=200, blank=True)
    tags = ArrayField(models.CharField(max_length=100), verbose_name=_("tags"), default=list, blank=True)
    split = models.CharField(_("split"), max_length=5, choices=Split, default=Split.NONE)
    phash = BitField(length=64, null=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.PENDING)
    error_code = models.CharField(_("error code"), max_length=40, blank=True)
    error_detail = models.TextField(_("error"), blank=True)
    # A worker that takes a pending image holds it until then, or until this connection of its ends: `work.leases`.
    leased_until = models.DateTimeField(null=True, blank=True, editable=False)
    leased_by = models.IntegerField(null=True, blank=True, editable=False)
    n_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, editable=False)
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="images", verbose_name=_("job")
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    # When it came into the trash, that is, into the dataset that holds what was deleted from its own.
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("image")
        verbose_name_plural = _("images")
        constraints = [models.UniqueConstraint(fields=["dataset", "sha256"], name="image_content_once_a_dataset")]
        indexes = [
            models.Index(fields=["id"], condition=Q(status="pending"), name="image_pending"),
            # Few are refused: they are counted without looking at the others.
            models.Index(fields=["error_code"], condition=Q(status="refused"), name="image_refused"),
            models.Index(fields=["dataset", "label"], name="image_label"),
            models.Index(fields=["dataset", "created_at"], name="image_added"),
            models.Index(fields=["trashed_at"], condition=Q(trashed_at__isnull=False), name="image_trashed"),
            GinIndex(fields=["tags"], name="image_tags"),
            # Hashes within a few bits have a band that is nearly the same: see `embeddings.hashes`.
            *(models.Index(_band(number), name=f"image_phash_band_{number}") for number in range(4)),
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
    def phash_bits(self) -> str:
        """The perceptual hash as 64 characters 0 or 1, empty without one."""
        return bits_of(self.phash)

    @property
    def original(self) -> bytes | Path:
        """The original, the kept copy or the file in place: its path, or its bytes where it is kept in a bucket.

        Raises embeddings.images.RefusedImage where those cannot be fetched.
        """
        return originals.source(self.file.name or "", self.in_place_path)

    @property
    def version(self) -> str:
        """What stands in the addresses of its pictures: they change with its content."""
        return self.sha256[:12]

    @property
    def thumbnail_url(self) -> str:
        return reverse("thumbnail", args=[self.pk, self.version])
