"""Paths as people type them, for every command that takes one."""

from pathlib import Path


class NoSuchHome(ValueError):
    """A path begins with the ~ of somebody who has no home here. The message names the path."""


def user_path(typed: str | Path) -> Path:
    """Return the path that somebody typed, with the home of ~ or ~user in its place. Raises NoSuchHome."""
    try:
        return Path(typed).expanduser()
    except RuntimeError as error:
        raise NoSuchHome(f"{typed}: there is no user of that name, or no home.") from error
