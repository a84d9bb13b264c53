"""Sentences that are raised, kept in rows or told by `embeddings`: in English, until a page tells them to somebody.

What is stored has no language of a reader yet, and `embeddings` knows no Django. So both keep English, and here it is
recognised again: by the table in `sentences`, whose texts have placeholders where a sentence has names and numbers.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from django.utils.functional import lazy
from django.utils.translation import get_language, gettext

from search.language.numbers import localised
from search.language.sentences import SENTENCES

_ENGLISH = "en"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?"
_END_OF_SENTENCE = re.compile(r"(?<=[.?!]) ")
_MOST_SENTENCES = 12


def told(english: object) -> str:
    """Return a sentence, or several, in the language of the page; as it is where nobody has translated it.

    A number (a placeholder named n or n_…) is written as the language does, and what is named kind_… is a text itself.
    """
    text = str(english)
    language = get_language() or _ENGLISH
    return text if not text or language.startswith(_ENGLISH) else _told(text, language)


told_lazily = lazy(told, str)


@lru_cache(maxsize=2_000)
def _told(text: str, language: str) -> str:
    """Tell the longest beginning that is known, then the rest. language: the active one, to keep the answers apart."""
    parts = _END_OF_SENTENCE.split(text)[:_MOST_SENTENCES]
    for n_parts in range(len(parts), 0, -1):
        beginning = " ".join(parts[:n_parts])
        translated = _translated(beginning)
        if translated is not None:
            rest = text[len(beginning) + 1 :]
            return f"{translated} {_told(rest, language)}" if rest else translated
    first = parts[0]
    rest = text[len(first) + 1 :]
    return f"{first} {_told(rest, language)}" if rest else first


def _translated(sentence: str) -> str | None:
    """Return a sentence that is known in the active language, with or without its full stop; None for another one."""
    found = _looked_up(sentence)
    if found is None and sentence.endswith("."):
        found = _looked_up(sentence[:-1])
        return None if found is None else f"{found}."
    return found


def _looked_up(sentence: str) -> str | None:
    for msgid, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return gettext(msgid) % {name: _value(name, value) for name, value in found.groupdict().items()}
    return None


def knows(sentence: str) -> bool:
    """Return whether the table has a sentence."""
    return any(pattern.fullmatch(sentence) for _, pattern in _patterns())


def _value(name: str, value: str) -> str:
    if _is_number(name):
        return localised(value)
    return told(value) if name.startswith("kind") else value


def _is_number(name: str) -> bool:
    return name == "n" or name.startswith("n_")


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return the texts and what they look like with their values, those first that leave least open."""
    return sorted(((one, _pattern(one)) for one in SENTENCES), key=lambda pair: -len(_PLACEHOLDER.sub("", pair[0])))


def _pattern(msgid: str) -> re.Pattern[str]:
    pieces = _PLACEHOLDER.split(msgid)
    seen: set[str] = set()
    written = ""
    for literal, name in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        written += re.escape(literal.replace("%%", "%"))
        if name:
            written += f"(?P={name})" if name in seen else f"(?P<{name}>{_NUMBER if _is_number(name) else '.+?'})"
            seen.add(name)
    return re.compile(written, re.DOTALL)
