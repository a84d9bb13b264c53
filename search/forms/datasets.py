"""A dataset as its owner and staff describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from search.curating.sharing import groups_offered, share
from search.models import Dataset
from search.text import is_storable

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class DatasetForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name, description, who may see it; and for staff, whose it is.

    Everybody else offers the groups that they are in. Groups that were given by others stay.
    """

    owner_name = forms.CharField(required=False, max_length=150, label=_("Owner"))

    class Meta:
        model = Dataset
        fields = ["name", "description", "is_public", "groups"]
        widgets = {"groups": forms.CheckboxSelectMultiple, "description": forms.Textarea(attrs={"rows": 3})}
        error_messages = {"name": {"required": _("Give the dataset a name.")}}

    def __init__(self, *args: Any, user: AbstractBaseUser | AnonymousUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user
        self.groups_offered = groups_offered(user)
        self.fields["groups"].queryset = self.groups_offered  # type: ignore[attr-defined]
        if getattr(user, "is_staff", False):
            owner = self.instance.owner if self.instance.pk else user
            self.fields["owner_name"].initial = owner.get_username() if owner else ""
        else:
            del self.fields["owner_name"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not is_storable(name):
            raise ValidationError(_("This name has characters that cannot be kept."), "invalid")
        return name

    def clean_owner_name(self) -> str:
        name: str = self.cleaned_data["owner_name"]
        owner = get_user_model().objects.filter(username=name).first() if name else None
        if name and owner is None:
            raise ValidationError(_("There is no user named %(name)s."), "unknown_user", {"name": name})
        self.instance.owner = owner
        return name

    def save(self, commit: bool = True) -> Dataset:
        """Keep the dataset, its groups too. Raises ValidationError where another one has got its name meanwhile."""
        if not self.instance.pk and "owner_name" not in self.fields:
            self.instance.owner_id = self._user.pk
        try:
            with transaction.atomic():
                saved: Dataset = super().save(commit=False)
                # Others may change the rest meanwhile.
                columns = {
                    "name": "name",
                    "description": "description",
                    "is_public": "is_public",
                    "owner_name": "owner",
                }
                changed = [columns[name] for name in self.changed_data if name in columns]
                saved.save(update_fields=changed if saved.pk else None)
                share(saved, self.cleaned_data["groups"], self._user)
        except IntegrityError as error:
            raise ValidationError(_("There is a dataset of this name already."), "unique") from error
        return saved
