"""What somebody wants imported: the request, and what is wrong with it before anything is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import IntegrityError
from django.urls import reverse

from search.files import in_place
from search.ingest import labels
from search.ingest.errors import CannotImport
from search.ingest.examining import SplitChoice
from search.ingest.several import open_sources
from search.ingest.sidecars import Sidecars
from search.ingest.sources import Source
from search.models import Dataset
from search.paths import user_path
from search.text import is_storable, storable


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody wants imported, and how.

    path: one path or several. files_from: a list of files, `-` for stdin. removes_vanished: images in place whose file
    is gone from the folders that are imported go into the trash.
    """

    path: Path | Sequence[Path] = ()
    files_from: Path | None = None
    dataset: str
    labels: str = "folder"
    split: SplitChoice = "auto"
    in_place: bool = False
    removes_vanished: bool = False
    is_public: bool = True
    embeds_here: bool = False
    waits: bool = False
    owner: Any = None

    @property
    def paths(self) -> list[Path]:
        return [self.path] if isinstance(self.path, Path) else list(self.path)

    def as_parameters(self) -> dict[str, Any]:
        """Return what a job keeps of it, for people to read."""
        typed = [str(path) for path in self.paths]
        listed = {} if self.files_from is None else {"files_from": str(self.files_from)}
        path = {"path": typed[0] if len(typed) == 1 else typed} if typed else {}
        return path | listed | {"dataset": self.dataset.strip(), "labels": self.labels, "split": self.split}


def open_request(request: Request) -> Source:
    """Return the source of a request. Raises CannotImport, sources.SourceMissing."""
    for name in (*map(str, request.paths), str(request.files_from), request.labels):
        if not is_storable(name):
            raise CannotImport(f"The name {storable(name)} is no valid Unicode. Rename the file or folder first.")
    if request.removes_vanished and not request.in_place:
        raise CannotImport("Only of libraries in place is known what has vanished: give --in-place, too.")
    source = open_sources(request.paths, request.files_from)
    if request.in_place and source.is_archive:
        raise CannotImport("Pictures inside an archive cannot stay in place. Unpack it, or leave out --in-place.")
    if request.in_place:
        _check_roots(request.paths)
    return source


def _check_roots(paths: Sequence[Path]) -> None:
    for path in paths:
        real = in_place.without_links(path)
        if not in_place.is_inside(real):
            raise CannotImport(
                f"Originals may not stay in {path}. Set IN_PLACE_ROOTS to folders in which they may, with commas, such "
                f"as {real}; for the workers and the web server, too. Or leave out --in-place: originals are "
                "copied then."
            )


def rule_of(request: Request, source: Source) -> labels.Rule | Sidecars:
    """Return the rule that gives labels. Raises CannotImport, labels.LabelsUnreadable, paths.NoSuchHome."""
    if request.labels == "folder":
        return labels.from_folders
    if request.labels == "none":
        return labels.without_labels
    if request.labels != "sidecar":
        return labels.read_table(user_path(request.labels))
    if source.is_archive:
        raise CannotImport(
            "Sidecars are looked for beside files, not in archives. Unpack the archive, or write the labels into a "
            "table: --labels FILE.csv or FILE.json."
        )
    return Sidecars(in_place=request.in_place)


def dataset_of(request: Request) -> tuple[Dataset, bool]:
    """Return the dataset of a request, and whether it was made for it. Raises CannotImport."""
    name = _name_of(request)
    try:
        dataset, is_new = Dataset.objects.get_or_create(
            name=name, defaults={"is_public": request.is_public, "owner": request.owner}
        )
    except IntegrityError as error:  # two datasets made at once can want the same slug
        raise CannotImport(f"The dataset {name} is being made by somebody else. Try again.") from error
    _check_visibility(dataset, request)
    return dataset, is_new


def known_dataset_of(request: Request) -> Dataset:
    """Return the dataset of a request; one that is not there yet without saving it. Raises CannotImport."""
    name = _name_of(request)
    dataset = Dataset.objects.filter(name=name).first()
    if dataset is None:
        return Dataset(name=name)
    _check_visibility(dataset, request)
    return dataset


def _name_of(request: Request) -> str:
    name = request.dataset.strip()
    if not name or len(name) > 100 or not is_storable(name):
        raise CannotImport("A dataset needs a name of 1 to 100 characters, in valid Unicode.")
    return name


def _check_visibility(dataset: Dataset, request: Request) -> None:
    if dataset.is_public and not request.is_public:
        page = reverse("admin:search_dataset_change", args=[dataset.pk])
        raise CannotImport(f"The dataset {dataset.name} is public already. Make it private in the admin first: {page}")
