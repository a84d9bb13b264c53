"""Why a result is like the query, and which parts of the query could be searched with."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from embeddings.encoder import NoLocations
from embeddings.images import RefusedImage
from search import encoders
from search.asking import explaining
from search.asking.scope import visible_images
from search.forms.searching import SearchForm
from search.language import wording
from search.views.searching import HtmxRequest, Refused, recalled


@never_cache
@require_safe
def why(request: HtmxRequest, pk: int) -> HttpResponse:
    """Show what the picture that was searched with and an image have in common."""
    image = get_object_or_404(visible_images(request.user), pk=pk)
    form = SearchForm(request.GET, user=request.user)
    context: dict[str, Any] = {"image": image, "explanation": None, "reason": ""}
    status = 200
    if not form.is_valid() or not form.wishes:
        context["reason"], status = _("This address names no search."), 400
    else:
        context["encoder"] = form.cleaned_data["encoder"]
        try:
            context["explanation"] = explaining.explain(
                recalled(request, form).main, image, form.cleaned_data["encoder"]
            )
        except Refused as refused:
            context["reason"], status = refused.notice or _("This search cannot be made."), refused.status
        except NoLocations:
            context["reason"] = _("This encoder has no parts to compare: it sees a picture as a whole.")
        except RefusedImage as error:
            context["reason"], status = wording.told(error.reason), 422
        except encoders.NoEncoder as error:
            context["reason"], status = wording.told(error), 503
    return render(request, "search/why.html", context, status=status)


@require_safe
def regions(request: HtmxRequest) -> JsonResponse:
    """Return the parts of the query picture that are worth a search of their own, the best first."""
    form = SearchForm(request.GET, user=request.user)
    if not form.is_valid() or not form.wishes:
        return JsonResponse({"regions": []}, status=400)
    try:
        found = explaining.regions(recalled(request, form).main, form.cleaned_data["encoder"])
    except (Refused, NoLocations, RefusedImage, encoders.NoEncoder):
        found = []  # nothing to suggest: the page is right without
    return JsonResponse({"regions": found})
