"""English sentences from rows and from `embeddings`, told in the reader's language."""

import ast
import re
from collections.abc import Iterator

import pytest
from django.utils import translation

from embeddings import images
from embeddings.images import RefusedImage, refusals
from embeddings.specs import SPECS
from embeddings.training.presets import CLASSIFIER_AUGMENTATION
from search.language import numbers, sentences
from search.language.wording import knows, told
from search.training.requests import SUMMARIES
from tests.pictures import huge_header_png, truncated_jpeg
from tests.running import ROOT

# Raised with a sentence that a page may show, or kept in a job.
TELLING = set(
    "RefusedImage LinkRefused _malformed NoEncoder CannotTrain CannotEvaluate RunStopped EvaluationStopped "
    "QueryExpired NothingWanted UnknownImage CannotKeep CannotFind FindingStopped BuildStopped CannotRepeat".split()
)
KEEPING = {"fail", "finish", "failing"}
PLACES = (
    "embeddings/images search/asking/examples.py search/asking/queries.py search/embedding.py search/encoders "
    "search/evaluation search/ingest search/judging/marks.py search/links "
    "search/reviewing search/training search/work"
).split()


@pytest.fixture
def in_german() -> Iterator[None]:
    with translation.override("de"):
        yield


def _written(node: ast.expr) -> str | None:
    """Return a text as it might come out, with numbers in its places; None for what is put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    if isinstance(node, ast.BinOp):
        return _written(node.left)
    return None


def _sentences() -> Iterator[tuple[str, str]]:
    for place in PLACES:
        path = ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    texts = [*node.args, *(keyword.value for keyword in node.keywords)]
                    # A refusal begins with its code.
                    texts = texts[1:] if name in {"RefusedImage", "LinkRefused"} else texts
                    for text in map(_written, texts if name in TELLING | KEEPING else []):
                        if text is not None and " " in text:
                            yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def _knows(text: str) -> bool:
    """Return whether a text can be told; what follows a word without a space is left out where nothing needs saying."""
    with translation.override("de"):
        return any(knows(one) or told(one) != one for one in (text, re.sub(r"(?<=[a-z.])7", "", text)))


def test_every_sentence_that_is_raised_or_kept_is_in_the_table() -> None:
    found = list(_sentences())
    assert len(found) > 60
    assert [(place, text) for place, text in found if not _knows(text)] == []


def test_every_description_of_an_encoder_is_in_the_table() -> None:
    assert [spec.description for spec in SPECS.values() if not knows(spec.description)] == []


def test_every_recipe_and_every_change_of_a_picture_is_in_the_table() -> None:
    words = [*SUMMARIES.values(), *(name.replace("_", " ") for name in CLASSIFIER_AUGMENTATION)]
    assert [one for one in words if not knows(one)] == []


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize(
    ("refused", "german"),
    [
        (refusals.too_large_file(25_500_000, 20_000_000), "Die Datei hat 25,5 MB; erlaubt sind 20 MB."),
        (refusals.too_large_file(20_000_001, 20_000_000), "Die Datei hat mehr als 20 MB; erlaubt sind 20 MB."),
        (refusals.too_many_pixels("The picture", 64_000_000), "Das Bild ist zu groß: erlaubt sind 64 Megapixel."),
        (
            refusals.too_many_pixels("The picture of 9,000 x 8,000 pixels", 64_000_000),
            "Das Bild mit 9.000 × 8.000 Pixeln",
        ),
        (refusals.unidentified(b"%PDF-1.7"), "Das ist eine PDF-Datei; das liest ImgSim nicht."),
        (refusals.unidentified(b"GIF89a"), "Die Datei beginnt wie ein GIF-Bild"),
        (refusals.unidentified(b"words"), "Das ist kein Bild, das ImgSim liest: möglich sind JPEG, PNG"),
        (refusals.undecodable(OSError("broken")), "Das Bild ist beschädigt"),
    ],
)
def test_reasons_are_told_in_german(refused: RefusedImage, german: str) -> None:
    assert told(refused.reason).startswith(german)


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize("kind", refusals._NOT_DECODED.values())
def test_every_kind_of_file_has_a_name(kind: str) -> None:
    assert kind in sentences.PICTURES
    assert told(kind) != kind


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize(
    ("content", "german"),
    [
        (b"", "Die Datei ist leer."),
        (truncated_jpeg(), "Die Datei bricht vor dem Ende des Bildes ab."),
        (huge_header_png(), "Das Bild ist zu groß: erlaubt sind 40 Megapixel."),
    ],
)
def test_real_refusals_are_told_in_german(content: bytes, german: str) -> None:
    with pytest.raises(RefusedImage) as raised:
        images.prepare(content, input_size=32)
    assert told(raised.value.reason).startswith(german)
    assert "The " not in told(raised.value.reason)


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("each against all others", "jedes gegen alle anderen"),
        ("test against train", "test gegen train"),
        ("Shoes of the split test against all", "Shoes, Split test, gegen alle"),
        (
            "There is no encoder named 'x'. Installed: none. Run: manage.py install_encoder x",
            "Es gibt keinen Encoder namens 'x'. Installiert: keine. Ausführen: manage.py install_encoder x",
        ),
        (
            "a: mAP 0.512, precision@1 0.800. b has embedded 3 of the 1,500 images. First run: manage.py embed_images "
            "--encoder b --dataset c --wait.",
            "a: mAP 0,512, Precision@1 0,800. b hat 3 der 1.500 Bilder eingebettet.",
        ),
        ("Epoch 3 of 1,000: loss 0.1250, mAP 0.5000", "Epoche 3 von 1.000: Loss 0,1250, mAP 0,5000"),
        ("Nobody has translated this.", "Nobody has translated this."),
        ("", ""),
    ],
)
def test_sentences_are_told_with_their_names_and_numbers(english: str, german: str) -> None:
    assert told(english).startswith(german)


def test_in_english_nothing_changes() -> None:
    assert told("The file is empty.") == "The file is empty."
    with translation.override(None, deactivate=True):
        assert told("The file is empty.") == "The file is empty."


def test_numbers_are_written_as_the_language_does() -> None:
    assert (numbers.whole(1234), numbers.decimal(1234.5, 2), numbers.percent(0.831, 1)) == (
        "1,234", "1,234.50", "83.1\N{NO-BREAK SPACE}%"
    )  # fmt: skip
    with translation.override("de"):
        assert (numbers.whole(-1234), numbers.decimal(0.5, 3), numbers.localised("+0.031")) == (
            "-1.234", "0,500", "+0,031"
        )  # fmt: skip
