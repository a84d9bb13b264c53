"""Datasets are made, described, deleted and taken back."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from search.curating import selecting, trash
from search.forms.datasets import DatasetForm
from search.models import Dataset
from search.views.guarding import of_own_dataset
from search.views.undoing import tell_with_undo


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Make a dataset; who makes it owns it."""
    if not request.user.has_perm("search.add_dataset"):
        raise PermissionDenied("You may not make datasets.")
    return _described(request, Dataset(), _("%(name)s is there. Put pictures into it."))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@of_own_dataset
def edit(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """Change the name, the description and the readers of a dataset."""
    return _described(request, dataset, _("%(name)s is changed."))


def _described(request: HttpRequest, dataset: Dataset, said: str) -> HttpResponse:
    is_new = dataset.pk is None
    form = DatasetForm(request.POST if request.method == "POST" else None, instance=dataset, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            saved = form.save()
        except ValidationError as error:
            form.add_error("name", error)
        else:
            messages.success(request, said % {"name": saved.name})
            return redirect("upload", slug=saved.slug) if is_new else redirect(saved)
    kept = Dataset.objects.filter(pk=dataset.pk).first()  # the form has changed what it was given
    context = {
        "form": form,
        "dataset": kept,
        "may_delete": kept is not None and selecting.may_delete(request.user, kept),
    }
    return render(request, "search/edit_dataset.html", context, status=422 if form.is_bound and form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask whether a dataset shall go, and say what goes with it; it is kept for a day."""
    dataset = get_object_or_404(Dataset.objects.visible_to(request.user), slug=slug)
    if not selecting.may_delete(request.user, dataset):
        raise PermissionDenied("You may not delete this dataset.")
    if request.method == "POST":
        trash.discard_dataset(dataset)
        said = _("%(name)s is deleted. It is kept for a day.") % {"name": dataset.name}
        tell_with_undo(request, said, reverse("restore-dataset"), dataset=dataset.pk)
        return redirect("datasets")
    context = {"dataset": dataset, "n_images": dataset.images.count()}
    return render(request, "search/delete_dataset.html", context)


@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    """Take a dataset back that was deleted within the last day."""
    text = request.POST.get("dataset", "")
    # Nobody sees what is in the trash, so that what is none of one's own is told like what is not there.
    dataset = next((one for one in trash.datasets_of(request.user) if str(one.pk) == text), None)
    if dataset is None:
        raise Http404("There is no such deleted dataset.")
    back = trash.restore_dataset(dataset)
    messages.success(request, _("%(name)s is back.") % {"name": back.name})
    return redirect(back)
