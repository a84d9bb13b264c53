"""The catalogues of translated texts: `python -m imgsim_site.translations update` after a text has changed.

People write locale/*/LC_MESSAGES/django.po, and git keeps it. The django.mo beside it, which Django reads, is made here
at each start that finds it older or younger than its source, so that none is stale and nobody needs GNU gettext.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

# Babel itself is imported where it is used: most starts find nothing to make.
if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).resolve().parent.parent
LOCALE = PROJECT / "locale"
PACKAGES = ("imgsim_site", "search")
# The functions that mark a text, and which of their arguments are texts (c: what tells equal ones apart).
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
_PLACEHOLDER = re.compile(r"%\(\w+\)[.\d]*[a-z]|%[sd]|%%|\{\w*\}")
_HEAD = """\
msgid ""
msgstr ""
"Project-Id-Version: ImgSim\\n"
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""
_HINT = (
    "Write what is missing into the .po. What texts there are: python -m imgsim_site.translations update; to drop what "
    "is no longer used: tidy.\n"
)


def main(arguments: Sequence[str]) -> int:
    """Do what the only argument says: update, compile, check or tidy; return the exit status."""
    commands = {"update": _update_all, "compile": _compile_all, "check": _check_all, "tidy": _tidy_all}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write(f"usage: python -m imgsim_site.translations {'|'.join(commands)}\n")
        return 2
    return commands[arguments[0]]()


def catalogues() -> list[Path]:
    """Return the .po of each language."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def extracted() -> Catalog:
    """Return every text that templates and code mark for translation."""
    from babel.messages.catalog import Catalog

    found = Catalog(project="ImgSim", domain="django", fuzzy=False)
    for path in _sources():
        for _, texts, comments, context in _texts(path):
            place = (path.relative_to(PROJECT).as_posix(), 0)
            found.add(texts, locations=[place], auto_comments=comments, context=context)
    return found


def _sources() -> Iterator[Path]:
    yield from sorted((PROJECT / "templates").rglob("*.html"))
    for package in PACKAGES:
        yield from sorted((PROJECT / package).rglob("*.py"))


def _texts(path: Path) -> Iterator[tuple[int, str | tuple[str, ...], list[str], str | None]]:
    from babel.messages.extract import extract
    from django.utils.translation import templatize

    code = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        # What is left of the template is no Python, and its indentation would not even be text.
        code = "\n".join(line.strip() for line in templatize(code, origin=str(path)).splitlines())
    yield from extract("python", BytesIO(code.encode()), keywords=KEYWORDS, comment_tags=("Translators:",))


def read(path: Path) -> Catalog:
    """Return the catalogue of a .po. Raises babel.messages.pofile.PoFileError where it is none."""
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name, domain="django", abort_invalid=True)


def update(path: Path, template: Catalog) -> None:
    """Bring a .po up to the texts there are. What nobody uses any more is kept at its end, and found there again."""
    catalogue = read(path)
    for message in catalogue.obsolete.values():
        if catalogue.get(message.id, message.context) is None:
            catalogue[message.id] = message
    catalogue.obsolete.clear()
    # A text that resembles an old one is a new text: guesses would have to be read as closely as it has to be written.
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    for key, message in list(catalogue.obsolete.items()):
        if not any(_strings(message)):
            del catalogue.obsolete[key]
    _write(path, catalogue)


def tidy(path: Path) -> None:
    """Drop the translations that no text uses any more."""
    catalogue = read(path)
    catalogue.obsolete.clear()
    _write(path, catalogue)


def _write(path: Path, catalogue: Catalog) -> None:
    """Write a .po without what changes at each writing: dates, and numbers of lines."""
    from babel.messages.pofile import write_po

    written = BytesIO()
    write_po(written, catalogue, width=118, omit_header=True, sort_by_file=True, include_lineno=False)
    head = _HEAD.format(language=catalogue.locale_identifier, plural_forms=catalogue.plural_forms)
    path.write_text(f"{head}\n{written.getvalue().decode().strip()}\n", encoding="utf-8")


def problems(path: Path, template: Catalog) -> list[str]:
    """Return what is wrong with a .po: texts without a translation, doubtful ones, wrong placeholders, left-overs."""
    catalogue = read(path)
    told = []
    for wanted in template:
        message = catalogue.get(wanted.id, wanted.context)
        if wanted.id and (message is None or not all(_strings(message))):
            told.append(f"not translated: {wanted.id!r}")
        elif wanted.id and message is not None and message.fuzzy:
            told.append(f"fuzzy: {wanted.id!r}")
        elif wanted.id and message is not None:
            told += _misplaced(wanted, message)
    kept = [message for message in catalogue if message.id and template.get(message.id, message.context) is None]
    return told + [f"no longer used: {message.id!r}" for message in [*kept, *catalogue.obsolete.values()]]


def _strings(message: Message) -> Sequence[str]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _misplaced(wanted: Message, message: Message) -> Iterator[str]:
    """Tell where a translation has other placeholders. One for a single thing may leave its number out."""
    texts = (wanted.id,) if isinstance(wanted.id, str) else tuple(wanted.id)
    strings = _strings(message)
    if len(strings) < len(texts):
        yield f"not in singular and plural: {wanted.id!r}"
    for place, string in enumerate(strings):
        needed = sorted(_PLACEHOLDER.findall(texts[min(place, len(texts) - 1)]))
        if sorted(_PLACEHOLDER.findall(string)) != needed:
            yield f"other placeholders than {', '.join(needed) or 'none'}: {string!r}"


def compile_stale() -> list[Path]:
    """Make each .mo that is missing or not of the age of its .po; return those. The old one serves where that fails."""
    done = []
    for source in catalogues():
        target = source.with_suffix(".mo")
        try:
            age = source.stat().st_mtime_ns
            if target.exists() and target.stat().st_mtime_ns == age:
                continue
            _compile(source, target, age)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with a translation, pages go on without it
            logger.warning("The translations in %s cannot be compiled: %s: %s", source, type(error).__name__, error)
        else:
            done.append(target)
    return done


def _compile(source: Path, target: Path, age: int) -> None:
    from babel.messages.mofile import write_mo

    # Several processes may start at once, and none may read half a file.
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            write_mo(file, read(source))
        os.utime(draft, ns=(age, age))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _update_all() -> int:
    template = extracted()
    for path in catalogues():
        update(path, template)
    compile_stale()
    return _check_all()


def _compile_all() -> int:
    compile_stale()
    is_complete = all(path.with_suffix(".mo").exists() for path in catalogues())
    return 0 if is_complete else 1


def _check_all() -> int:
    template = extracted()
    told = [f"{path}: {problem}\n" for path in catalogues() for problem in problems(path, template)]
    sys.stderr.writelines([*told, _HINT] if told else [])
    return 1 if told else 0


def _tidy_all() -> int:
    for path in catalogues():
        tidy(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
