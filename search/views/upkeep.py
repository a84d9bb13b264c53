"""The pages on which staff look after encoders: each begins a job and leads to it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from embeddings.specs import SPECS, EncoderSpec, UnknownEncoder
from search import encoders
from search.encoders import installing, removing
from search.encoders.installing import CannotInstall
from search.encoders.removing import CannotRemove
from search.language.wording import told
from search.models import Dataset, Encoder, Job
from search.views.guarding import staff_only
from search.work import embedding_jobs


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An encoder that can be installed. row: where it is installed; job: where it is being installed."""

    spec: EncoderSpec
    row: Encoder | None
    job: Job | None

    @property
    def is_installed(self) -> bool:
        return self.row is not None and self.row.folder.is_dir()

    @property
    def n_bytes(self) -> int | None:
        """How much there is to fetch, where that is known before."""
        return getattr(self.spec.source, "n_bytes", None)

    @property
    def source(self) -> str:
        return str(self.spec.source or "")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def install(request: HttpRequest) -> HttpResponse:
    """List the encoders that can be installed; leave it to a worker to install one, and lead to its job."""
    if not request.user.has_perm("search.add_encoder"):
        raise PermissionDenied("You may not install encoders.")
    if request.method == "POST":
        try:
            return redirect(installing.ask(request.POST.get("encoder", ""), request.user))
        except UnknownEncoder as error:
            raise Http404("There is no such encoder to install.") from error
        except CannotInstall as error:
            messages.error(request, told(error))
            return redirect("install-encoder")
    rows = {row.name: row for row in Encoder.everything.all()}
    going = installing.live()
    offers = [Offer(spec=spec, row=rows.get(name), job=going.get(name)) for name, spec in SPECS.items()]
    return render(request, "search/install_encoder.html", {"offers": offers})


@require_POST
@staff_only
def embed(request: HttpRequest, name: str) -> HttpResponse:
    """Leave it to the workers to embed what an encoder lacks in the chosen datasets, and lead to the job of it."""
    encoder = _changeable(request, name)
    if going := embedding_jobs.live(encoder):
        messages.info(request, _("%(name)s is embedding already.") % {"name": encoder.name})
        return redirect(going)
    visible = Dataset.objects.visible_to(request.user)
    chosen = list(visible.filter(slug__in=request.POST.getlist("dataset")).values_list("pk", flat=True))
    if not chosen:
        messages.warning(request, _("Choose at least one dataset to embed."))
        return redirect("encoder", encoder.name)
    is_all = set(chosen) == set(Dataset.objects.values_list("pk", flat=True))
    return redirect(embedding_jobs.ask(encoder, None if is_all else chosen, request.user))


@require_POST
@staff_only
def embed_imports(request: HttpRequest, name: str) -> HttpResponse:
    """Say whether an encoder embeds every import from now on, after the default one."""
    encoder = _changeable(request, name)
    encoder.embeds_imports = request.POST.get("on") == "1"
    encoder.save(update_fields=["embeds_imports"])
    said = _("%(name)s embeds every import.") if encoder.embeds_imports else _("%(name)s embeds no imports.")
    messages.success(request, said % {"name": encoder.name})
    return redirect("encoder", encoder.name)


def _changeable(request: HttpRequest, name: str) -> Encoder:
    if not request.user.has_perm("search.change_encoder"):
        raise PermissionDenied("You may not change encoders.")
    return get_object_or_404(Encoder, name=name)


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
