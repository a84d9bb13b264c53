"""What visitors say of answers: votes between encoders whose names they do not see, and marks that are kept."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from search.asking import beside
from search.forms.searching import SearchForm
from search.judging import marks, votes
from search.judging.marks import CannotKeep
from search.language import wording
from search.models import Dataset
from search.views.searching import HtmxRequest, Refused, recalled

_VOTER = "voter"
_YEAR = 365 * 86_400
NONE = "none"


@require_POST
def vote(request: HtmxRequest) -> HttpResponse:
    """Count a vote for one of the columns, or for none, and show which was which."""
    form = SearchForm(request.POST, user=request.user)
    if not form.is_valid() or not form.wishes or not form.cleaned_data["beside"] or not form.cleaned_data["blind"]:
        return HttpResponseBadRequest(_("This is no vote between encoders."), content_type="text/plain; charset=utf-8")
    try:
        recalled(request, form)
    except Refused as refused:  # whoever votes has seen answers to a question, which can still be asked
        messages.warning(request, refused.notice or _("This search cannot be made."))
        return HttpResponseRedirect(reverse("search"), status=303)
    shown = beside.shuffled([form.cleaned_data["encoder"], *form.cleaned_data["beside"]], form.question)
    by_letter = dict(zip(beside.LETTERS, shown, strict=False))
    choice = request.POST.get("choice", "")
    if choice != NONE and choice not in by_letter:
        return HttpResponseBadRequest(_("This is no vote between encoders."), content_type="text/plain; charset=utf-8")
    winner = by_letter.get(choice)
    voter = _voter(request)
    dataset = Dataset.objects.filter(slug=form.cleaned_data["dataset"]).first()
    votes.cast(beside.ballot(form.question, shown, voter), dataset, shown, winner, request.user)
    said = _("You chose %(name)s. Your vote is counted.") % {"name": winner} if winner else _("Your vote is counted.")
    named = ", ".join(f"{letter}: {encoder}" for letter, encoder in by_letter.items())
    messages.success(request, f"{said} ({named})")
    response = HttpResponseRedirect(f"{reverse('search')}?{form.address(blind=None).urlencode()}", status=303)
    if not request.user.is_authenticated:
        response.set_signed_cookie(
            _VOTER, voter, max_age=_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response


@require_POST
def keep_marks(request: HtmxRequest) -> HttpResponse:
    """Keep what a search was told to be like and unlike, for encoders to learn from."""
    form = SearchForm(request.POST, user=request.user)
    if not form.is_valid():
        return HttpResponseBadRequest(_("This address names no search."), content_type="text/plain; charset=utf-8")
    address = f"{reverse('search')}?{form.address().urlencode()}"
    if not request.user.is_authenticated:
        return redirect_to_login(address)
    wanted = [int(wish.name) for wish in form.cleaned_data["image"]]
    unwanted = [int(wish.name) for wish in form.cleaned_data["less"]]
    # An upload comes first, and is not kept; without one the search began with the first image.
    queries = [] if form.cleaned_data["q"] else wanted[:1]
    try:
        n = marks.keep(wanted[len(queries) :], unwanted, queries, request.user)
        messages.success(request, _("%(n)d marks are kept. An encoder can be trained with them.") % {"n": n})
    except CannotKeep as error:
        messages.warning(request, wording.told(error))
    return HttpResponseRedirect(address, status=303)


def _voter(request: HttpRequest) -> str:
    """Return what tells one voter from another: the account, else a random number that this browser keeps."""
    if request.user.is_authenticated:
        return f"user {request.user.pk}"
    return str(request.get_signed_cookie(_VOTER, default="") or secrets.token_urlsafe(16))
