"""Text that Postgres can keep: neither NUL nor the lone surrogates that stand for bytes that are no Unicode."""


def is_storable(text: str) -> bool:
    """Return whether Postgres keeps the text as it is."""
    return storable(text) == text


def storable(text: str) -> str:
    """Return the text with a mark in place of each character that Postgres does not keep."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
