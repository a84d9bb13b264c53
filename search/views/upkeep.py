"""The pages on which staff look after encoders: each begins a job and leads to it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from search import encoders, removing
from search.language.wording import told
from search.models import Encoder
from search.removing import CannotRemove
from search.views.jobs import staff_only


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def remove(request: HttpRequest, name: str) -> HttpResponse:
    """Say what goes with an encoder; when confirmed, leave its removal to a worker and lead to its job."""
    if not request.user.has_perm("search.delete_encoder"):
        raise PermissionDenied("You may not remove encoders.")
    encoder = get_object_or_404(Encoder.everything, name=name)
    problem = ""
    if request.method == "POST":
        try:
            return redirect(removing.ask(encoder, request.user))
        except CannotRemove as error:
            problem = told(error)
    context = {
        "encoder": encoder,
        "problem": problem,
        "why_kept": encoders.why_kept(encoder),
        "lost": removing.losses(encoder),
        "job": removing.job_of(encoder),
    }
    return render(request, "search/remove_encoder.html", context, status=409 if problem else 200)
