"""The pages of one's own tokens for the API."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from search.forms.tokens import TokenForm
from search.models import ApiToken
from search.tokens import MOST, Made, TooManyTokens, make


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """List one's tokens, and make one. Its secret stands in the answer to the form, and nowhere else ever again."""
    form = TokenForm(request.POST) if request.method == "POST" else TokenForm()
    made = _made(request, form) if form.is_bound and form.is_valid() else None
    context = {
        "form": TokenForm() if made else form,
        "chosen": form["scopes"].value() if form.is_bound and not made else [ApiToken.Scope.READ],
        "made": made,
        "tokens": ApiToken.objects.filter(owner=request.user.pk),
    }
    return render(request, "search/tokens.html", context, status=422 if form.is_bound and form.errors else 200)


def _made(request: HttpRequest, form: TokenForm) -> Made | None:
    assert request.user.is_authenticated  # noqa: S101 -- for mypy: the view demands it
    try:
        return make(request.user, form.cleaned_data["name"], form.cleaned_data["scopes"], form.lifetime)
    except TooManyTokens:
        form.add_error(None, _("You have %(most)d tokens. Revoke one that you no longer use.") % {"most": MOST})
        return None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a token of one's own shall be revoked, and revoke it."""
    token = get_object_or_404(ApiToken, pk=pk, owner=request.user.pk)
    if request.method == "POST":
        token.delete()
        messages.success(request, _("The token %(name)s is revoked.") % {"name": token.name})
        return redirect("tokens")
    return render(request, "search/revoke_token.html", {"token": token})
