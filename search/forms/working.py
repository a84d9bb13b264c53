"""The form above the list of jobs."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from search.models import Job


class JobsForm(forms.Form):
    """Which jobs to list; empty fields filter nothing."""

    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("every kind")), *Job.Kind.choices])
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("any state")), *Job.State.choices])
