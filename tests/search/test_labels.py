"""Which label and split a file gets."""

from pathlib import Path

import pytest
from django.core.management import call_command

from search.ingest.csv_labels import read_csv
from search.ingest.labels import LabelsUnreadable, Marks, from_folders, read_table, without_labels
from search.models import Encoder, Image
from tests.conftest import png


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("a.jpg", Marks()),
        ("cats/a.jpg", Marks("cats")),
        ("dataset/train/Fruit/Apple/Golden-Delicious/a.jpg", Marks("Golden-Delicious", "train")),
        ("cifar10/test/frog/0001.jpg", Marks("frog", "test")),
        ("validation/a.jpg", Marks("", "val")),
    ],
)
def test_folders_give_label_and_split(name: str, marks: Marks) -> None:
    assert from_folders(name) == marks


def test_without_labels_the_split_still_counts() -> None:
    assert without_labels("train/cats/a.jpg") == Marks("", "train")


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_with_a_header_may_order_its_columns(tmp_path: Path) -> None:
    rule = read_table(table(tmp_path, "label,file,split\ncat,a.jpg,Validation\n"))
    assert rule("a.jpg") == Marks("cat", "val")


def test_a_table_without_a_header_is_path_and_label(tmp_path: Path) -> None:
    rule = read_table(table(tmp_path, "train/Fruit/a.jpg, 7, 0\n"))
    assert rule("dataset/train/Fruit/a.jpg") == Marks("7", "train")


@pytest.mark.parametrize(
    "text",
    [
        "image_path,label\na.jpg,cat\n",
        "img;Class\na.jpg;cat",
        "filepath\tcategory\ra.jpg\tcat\r",
        "Name,labels\na.jpg,cat",
    ],
)
def test_a_header_may_say_it_in_other_words(tmp_path: Path, text: str) -> None:
    rule = read_table(table(tmp_path, text))
    assert (rule.marks, rule.warning) == ({"a.jpg": Marks("cat")}, "")


@pytest.mark.parametrize("header", ["picture,breed", "path,breed", "a.jpg,label"])
def test_a_header_that_is_read_as_data_is_warned_of(tmp_path: Path, header: str) -> None:
    rule = read_table(table(tmp_path, f"{header}\nb.jpg,cat\n"))
    assert f"({header.replace(',', ', ')}) was read as a file and its label." in rule.warning


def test_a_line_break_in_a_cell_parts_words_and_no_rows(tmp_path: Path) -> None:
    rule = read_table(table(tmp_path, 'path,label\r\na.jpg,"red\nshoe"\r\nb.jpg,blue\u2028shoe\r\n'))
    assert (rule("a.jpg").label, rule("b.jpg").label) == ("red shoe", "blue shoe")


def test_the_longest_ending_of_a_path_counts(tmp_path: Path) -> None:
    rule = read_table(table(tmp_path, "path,label\na.jpg,short\nx/a.jpg,long\n"))
    assert rule("root/x/a.jpg").label == "long"


def test_a_file_that_the_table_does_not_name_has_no_label(tmp_path: Path) -> None:
    assert read_table(table(tmp_path, "path;label\na.jpg;cat\n"))("b.jpg") == Marks()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of labels"),
        ("only one column\n", "no table of labels"),
        ("a.jpg,cat\nb.jpg\n", "row 2 has 1 columns"),
        pytest.param(f"a.jpg,{'x' * 140_000}\n", r"cannot be read: field larger than field limit", id="long cell"),
    ],
)
def test_what_is_no_table_is_said_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LabelsUnreadable, match=message):
        read_table(table(tmp_path, text))


def test_a_missing_table_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(LabelsUnreadable, match="cannot be read"):
        read_table(tmp_path / "nowhere.csv")


def test_of_equal_pictures_each_tells_what_it_knows(encoder: Encoder, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(png())
    (tmp_path / "labels.csv").write_text("path,label,tags\na.png,cat,\nb.png,,tabby\n")
    call_command("import_images", str(tmp_path), dataset="Cats", sync=True, labels=str(tmp_path / "labels.csv"))
    image = Image.objects.get()
    assert (image.label, image.tags) == ("cat", ["tabby"])


def test_what_an_export_has_quoted_is_read_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\n'-5/a.png,'=cold()\n'b.png,''+1\nc.png,'quoted'\n")
    table, _ = read_csv(tmp_path / "labels.csv")
    assert {path: marks.label for path, marks in table.items()} == {
        "-5/a.png": "=cold()",
        "'b.png": "'+1",
        "c.png": "'quoted'",
    }
