"""Tokens of the API: with what programs say for whom they ask."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ApiToken(models.Model):
    """Lets a program do what its owner may do, within its scopes and until it expires. The secret is not kept."""

    class Scope(models.TextChoices):
        READ = "read", pgettext_lazy("scope", "Read and search")
        WRITE = "write", pgettext_lazy("scope", "Upload, change and delete")
        JOBS = "jobs", pgettext_lazy("scope", "Begin and stop jobs")

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=100)
    secret_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope), verbose_name=_("scopes"))
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def scopes_in_words(self) -> list[str]:
        """What it is for, for people."""
        return [str(scope.label) for scope in self.Scope if scope in self.scopes]
