"""Labels, splits and tags from a small file beside each picture."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from search import embedding
from search.ingest import importing
from search.models import Dataset, Image
from search.work.progress import Bars
from tests.conftest import png
from tests.fakes import ColourNetwork

pytestmark = pytest.mark.usefixtures("encoder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures: three with a sidecar each, of three kinds."""
    folder = tmp_path / "pictures"
    (folder / "test").mkdir(parents=True)
    for name, colour in {"red": "red", "blue": "blue", "test/green": "green", "cyan": "cyan"}.items():
        (folder / f"{name}.png").write_bytes(png(colour))
    (folder / "red.png.json").write_text(json.dumps({"label": "warm", "tags": ["poppy", "field"], "split": "train"}))
    (folder / "blue.json").write_text('\ufeff{"label": "cold", "tags": "sky, sea"}', encoding="utf-8")
    (folder / "test/green.txt").write_text("meadow\nwhat else there is to say\n")
    return folder


def run(folder: Path, **options: Any) -> importing.Report:
    wanted = {"labels": "sidecar", "embeds_here": True, "waits": True, **options}
    return importing.run(importing.Request(path=folder, dataset="Colours", **wanted), Bars(quiet=True))


def marks(name: str) -> tuple[str, str, list[str]]:
    image = Image.objects.get(source=f"pictures/{name}")
    return image.label, image.split, image.tags


def test_sidecars_mark_the_files_beside_them(folder: Path) -> None:
    report = run(folder)
    assert (report.n_embedded, report.n_labelled, report.refused, report.ignored) == (4, 3, [], {})
    assert marks("red.png") == ("warm", "train", ["poppy", "field"])
    assert marks("blue.png") == ("cold", "none", ["sky", "sea"])
    assert marks("test/green.png") == ("meadow", "test", [])
    assert marks("cyan.png") == ("", "none", [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"[]", 'it must be an object such as {"label"'),
        (b'{"label": ["cat"]}', "a label is a text or a number"),
        (b'{"tags": 7}', "tags are a list of texts"),
        (b"\xff", "codec can't decode"),
        (b" " * 1_000_001, "it has more than 1 MB"),
    ],
)
def test_a_bad_sidecar_is_refused_and_its_picture_is_not(folder: Path, content: bytes, reason: str) -> None:
    (folder / "cyan.json").write_bytes(content)
    report = run(folder)
    (refusal,) = report.refused
    assert (refusal["source"], refusal["code"], report.n_embedded) == ("pictures/cyan.json", "sidecar", 4)
    assert reason in refusal["reason"]
    assert refusal["reason"].endswith("Its picture was imported without it.")


def test_labels_and_tags_that_come_later_fill_in_what_is_missing(folder: Path) -> None:
    run(folder, labels="none")
    Image.objects.filter(source__endswith="red.png").update(tags=["mine"])
    run(folder)
    assert marks("red.png") == ("warm", "train", ["mine"])
    assert marks("blue.png") == ("cold", "none", ["sky", "sea"])


def test_tags_of_an_encoder_do_not_replace_them(
    folder: Path, encoder: Any, network: ColourNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(network: ColourNetwork, pictures: list[Any]) -> Any:
        return network.encode(np.stack(pictures)), [[("tabby", 0.9)]] * len(pictures)

    monkeypatch.setattr(embedding, "_encode", encode)
    run(folder)
    assert (marks("red.png")[2], marks("cyan.png")[2]) == (["poppy", "field"], ["tabby"])


def test_in_an_archive_nobody_looks_for_them(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "red.png")
    with pytest.raises(CommandError, match="Sidecars are looked for beside files, not in archives"):
        call_command("import_images", str(tmp_path / "a.zip"), dataset="Colours", labels="sidecar")
    assert not Dataset.objects.exists()
