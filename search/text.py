"""Text that Postgres can keep, without NUL and lone surrogates, and numbers with what they count."""


def is_storable(text: str) -> bool:
    """Return whether Postgres keeps the text as it is."""
    return storable(text) == text


def storable(text: str) -> str:
    """Return the text with a mark in place of each character that Postgres does not keep."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number with what it counts: "1 query", "2,485 queries"; the plural takes an s where none is given."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
