"""What is known of a file before it is opened: label, split and tags, and how people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
# What tables and objects call their columns.
PATH_NAMES = set(
    "path file filename file_name filepath file_path image images image_path image_name image_file img img_path "
    "img_name source name".split()
)
LABEL_NAMES = set("label labels label_name class class_name category target".split())
SPLIT_NAMES = {"split", "subset", "set"}
TAG_NAMES = {"tags", "tag", "keywords"}
_MOST_TAGS = 100


class LabelsUnreadable(Exception):
    """The labels cannot be used. The message says what they should look like."""


@dataclass(frozen=True)
class Marks:
    """What is known of a file before it is opened."""

    label: str = ""
    split: str = ""
    tags: tuple[str, ...] = ()
    # A table or a sidecar names it.
    is_listed: bool = field(default=False, compare=False)

    def completed(self, others: Marks) -> Marks:
        """Return these marks with what they lack of others."""
        return Marks(
            self.label or others.label,
            self.split or others.split,
            self.tags or others.tags,
            is_listed=self.is_listed or others.is_listed,
        )


def split_called(name: str) -> str:
    """Return the split of a name such as "Validation"; empty where it is none."""
    return _SPLITS.get(name.strip().lower(), "")


def split_of(folders: tuple[str, ...]) -> str:
    """Return the split that the first folder with the name of one gives."""
    return next((split for folder in folders if (split := split_called(folder))), "")


def label_of(value: object) -> str:
    """Return a label in one line, as it is wherever it is shown. Raises ValueError for what is no text or number."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a label is a text or a number")
    return " ".join(str(value).splitlines()).strip()[:200]


def tags_of(value: object) -> tuple[str, ...]:
    """Return the tags of a list, or of a text in which | ; or , part them; each once. Raises ValueError."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = re.split(r"[|;,]", value)
    if not isinstance(value, list) or any(isinstance(tag, bool | list | dict | None) for tag in value):
        raise ValueError("tags are a list of texts, or one text in which commas part them")
    tags = (" ".join(str(tag).split())[:100] for tag in value)
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:_MOST_TAGS]


def key_of(path: str) -> str:
    """Return a path as tables write it, as the key that files are looked up by."""
    return path.replace("\\", "/").removeprefix("./")
