"""Labels from JSON, and tags from tables."""

from pathlib import Path

import pytest

from search.ingest.labels import LabelsUnreadable, Marks, Table, read_table


def read(tmp_path: Path, text: str, name: str = "labels.json") -> Table:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"x/a.jpg": "cat", "b.jpg": {"label": 7, "tags": "pet | old", "split": "Testing"}}', "labels.json"),
        ('[{"path": "x/a.jpg", "label": "cat"}, {"file_name": "b.jpg", "class": 7, "tags": ["pet", "old"],'
         ' "set": "test"}]', "labels.json"),
        ('{"file": ".\\\\x\\\\a.jpg", "label": "cat"}\n\n{"image": "b.jpg", "category": 7, "tags": "pet,old,pet",'
         ' "split": "test"}\n', "labels.jsonl"),
        ('{"file": "x/a.jpg", "label": "cat"}\n{"file": "b.jpg", "label": "7", "keywords": "pet;old",'
         ' "subset": "test"}', "labels.json"),
    ],
    ids=["a mapping", "a list", "lines", "lines in a .json"],
)  # fmt: skip
def test_all_shapes_say_the_same(tmp_path: Path, text: str, name: str) -> None:
    rule = read(tmp_path, text, name)
    assert rule("pictures/x/a.jpg") == Marks("cat")
    assert rule("b.jpg") == Marks("7", "test", ("pet", "old"))
    assert rule("b.jpg").is_listed
    assert rule("train/c.jpg") == Marks("", "train")


def test_a_label_that_is_null_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a.jpg": null, "b.jpg": {"tags": ["x"]}}').marks == {
        "a.jpg": Marks(), "b.jpg": Marks(tags=("x",))
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read: Expecting value"),
        ("{", "cannot be read: Expecting property name"),
        ("7", "it is neither an object nor a list"),
        ("[]", "it names no file"),
        ('["a.jpg"]', r'entry 1 cannot be read: it must be an object such as \{"path"'),
        ('[{"label": "cat"}]', "entry 1 cannot be read: it must be an object"),
        ('{"a.jpg": ["cat"]}', "'a.jpg' cannot be read: a label is a text or a number"),
        ('{"a.jpg": {"label": true}}', "a label is a text or a number"),
        ('{"a.jpg": {"tags": [{}]}}', "tags are a list of texts"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_table_is_said_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelsUnreadable, match=message):
        read(tmp_path, text)


def test_a_csv_may_have_tags(tmp_path: Path) -> None:
    rule = read(tmp_path, "path,label,tags\na.jpg,cat,pet | very  old\nb.jpg,dog\n", "labels.csv")
    assert (rule("a.jpg"), rule("b.jpg")) == (Marks("cat", "", ("pet", "very old")), Marks("dog"))


def test_a_csv_may_have_tags_alone(tmp_path: Path) -> None:
    rule = read(tmp_path, "file;keywords\na.jpg;pet,old\n", "labels.csv")
    assert (rule("a.jpg"), rule.warning) == (Marks(tags=("pet", "old")), "")


def test_a_long_tag_is_cut(tmp_path: Path) -> None:
    assert len(read(tmp_path, '{"a.jpg": {"tags": ["' + "x" * 300 + '"]}}')("a.jpg").tags[0]) == 100
