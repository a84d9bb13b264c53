"""The catalogues of translated texts: complete, and brought up to date and compiled without losing anything."""

import os
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from imgsim_site import translations
from tests.running import ROOT

PO = translations.catalogues()
HEAD = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""


@pytest.fixture
def locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one translation, in place of the site's."""
    path = tmp_path / "de" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_text(f'{HEAD}msgid "Good morning"\nmsgstr "Guten Morgen"\n', encoding="utf-8")
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    return path


def template(*texts: str | tuple[str, str]) -> Catalog:
    made = Catalog(domain="django")
    for text in texts:
        made.add(text)
    return made


@pytest.mark.parametrize("path", PO, ids=[path.parents[1].name for path in PO])
def test_every_text_is_translated_and_no_translation_is_left_over(path: Path) -> None:
    assert translations.problems(path, translations.extracted()) == []


def test_texts_are_found_in_templates_and_in_code() -> None:
    found = translations.extracted()
    assert found.get("Skip to content") is not None
    assert found.get("waiting for its embedding") is not None
    assert found.get("Search", "noun") is not None
    assert found.get("%(n)s query").id == ("%(n)s query", "%(n)s queries")  # type: ignore[union-attr]


def test_code_calls_what_marks_a_text_by_a_name_that_is_looked_for() -> None:
    aliases = re.compile(r"^from django\.utils\.translation import \w+ as (\w+)$", re.MULTILINE)
    files = [path for package in translations.PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert {alias for path in files for alias in aliases.findall(path.read_text())} == {"_"}


@pytest.mark.parametrize(
    ("entry", "text", "problem"),
    [
        ('msgid "a"\nmsgstr ""', "a", "not translated: 'a'"),
        ('#, fuzzy\nmsgid "a"\nmsgstr "ä"', "a", "fuzzy: 'a'"),
        ('msgid "%(n)s of %(k)s"\nmsgstr "%(n)s von k"', "%(n)s of %(k)s", "other placeholders than %(k)s, %(n)s"),
        ('msgid "{n}"\nmsgstr "{m}"', "{n}", "other placeholders than {n}"),
        ('msgid "95 %%"\nmsgstr "95 %"', "95 %%", "other placeholders than %%"),
        ('msgid "b"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "ä"', "a", "no longer used: 'b'"),
        ('msgid "a"\nmsgstr "ä"\n\n#~ msgid "b"\n#~ msgstr "b"', "a", "no longer used: 'b'"),
    ],
)
def test_what_is_wrong_with_a_translation_is_told(locale: Path, entry: str, text: str, problem: str) -> None:
    locale.write_text(f"{HEAD}{entry}\n", encoding="utf-8")
    told = translations.problems(locale, template(text))
    assert len(told) == 1
    assert told[0].startswith(problem)


def test_a_plural_needs_both_forms(locale: Path) -> None:
    locale.write_text(f'{HEAD}msgid "%(n)s dog"\nmsgid_plural "%(n)s dogs"\nmsgstr[0] "%(n)s Hund"\nmsgstr[1] ""\n')
    assert translations.problems(locale, template(("%(n)s dog", "%(n)s dogs"))) != []


def test_a_translation_outlives_the_text_and_is_found_again(locale: Path) -> None:
    translations.update(locale, template("Good night"))
    assert '#~ msgid "Good morning"' in locale.read_text()
    translations.update(locale, template("Good morning"))
    assert translations.problems(locale, template("Good morning")) == []


def test_updating_twice_changes_nothing(locale: Path) -> None:
    translations.update(locale, template("Good morning", "Good night"))
    before = locale.read_text()
    translations.update(locale, template("Good morning", "Good night"))
    assert locale.read_text() == before


def test_tidying_drops_what_no_text_uses(locale: Path) -> None:
    translations.update(locale, template("Good night"))
    translations.tidy(locale)
    assert "Good morning" not in locale.read_text()


def test_a_catalogue_is_compiled_when_it_is_not_of_the_age_of_its_source(locale: Path) -> None:
    compiled = locale.with_suffix(".mo")
    assert translations.compile_stale() == [compiled]
    assert translations.compile_stale() == []
    os.utime(locale, (1, 1))  # an older one, as a checkout may bring
    assert translations.compile_stale() == [compiled]
    compiled.unlink()
    assert translations.compile_stale() == [compiled]
    assert "Guten Morgen" in compiled.read_bytes().decode(errors="replace")


def test_a_broken_source_leaves_the_old_catalogue_and_is_told(locale: Path, caplog: pytest.LogCaptureFixture) -> None:
    translations.compile_stale()
    before = locale.with_suffix(".mo").read_bytes()
    locale.write_text(f"{HEAD}<<<<<<< HEAD\n")
    os.utime(locale, (1, 1))
    assert translations.compile_stale() == []
    assert locale.with_suffix(".mo").read_bytes() == before
    assert "cannot be compiled" in caplog.text


def test_what_is_not_translated_is_an_exit_status(locale: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert translations.main(["check"]) == 1
    assert "not translated: 'Skip to content'" in capsys.readouterr().err
    assert translations.main(["nonsense"]) == 2
