"""Labels from sidecars: a small file beside each picture, `a.jpg.json`, `a.json` or `a.txt`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from embeddings.images import RefusedImage
from search.files import in_place
from search.ingest.json_labels import marks_of
from search.ingest.labels import without_labels
from search.ingest.marks import Marks, label_of, split_of
from search.ingest.sources import Found

_MOST_BYTES = 1_000_000


class SidecarRefused(RefusedImage):
    """A sidecar cannot be read. Its picture can be taken all the same."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__("sidecar", f"It cannot be read: {reason}. Its picture was imported without it.")
        self.name = name


@dataclass
class Sidecars:
    """The rule that looks for a sidecar beside each file. What has none is in no way marked but by its split.

    in_place: whether the files stay where they are, so that links lead no further than their own do.
    """

    in_place: bool = False
    n_read: Counter[str] = field(default_factory=Counter)  # by their endings

    def __call__(self, found: Found) -> Marks:
        """Return what the sidecar of a file says. Raises SidecarRefused."""
        if not isinstance(found.content, Path):
            return Marks()
        path = found.content
        for sidecar in (path.with_name(f"{path.name}.json"), path.with_suffix(".json"), path.with_suffix(".txt")):
            try:
                with (in_place.resolved(sidecar) if self.in_place else sidecar).open("rb") as file:
                    content = file.read(_MOST_BYTES + 1)
            except FileNotFoundError:
                continue
            except in_place.OutsideRoots as error:
                raise SidecarRefused(sidecar.name, "it leads out of IN_PLACE_ROOTS") from error
            except OSError as error:
                raise SidecarRefused(sidecar.name, error.strerror or type(error).__name__) from error
            self.n_read[sidecar.suffix] += 1
            return self._marks(found, sidecar, content)
        return without_labels(found.name)

    def _marks(self, found: Found, sidecar: Path, content: bytes) -> Marks:
        try:
            marks = _read(sidecar, content)
        except (ValueError, RecursionError) as error:
            raise SidecarRefused(sidecar.name, str(error)) from error
        folders = Path(found.name).parts[:-1]
        return Marks(marks.label, marks.split or split_of(folders), marks.tags, is_listed=True)


def _read(sidecar: Path, content: bytes) -> Marks:
    """Read a sidecar. Raises ValueError."""
    if len(content) > _MOST_BYTES:
        raise ValueError("it has more than 1 MB")
    text = content.decode("utf-8-sig")
    if sidecar.suffix == ".txt":
        return Marks(label_of(text.strip().partition("\n")[0]))
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise ValueError('it must be an object such as {"label": "cat", "tags": ["pet"], "split": "train"}')
    return marks_of(entry)
