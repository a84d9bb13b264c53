"""Choose the account that Postgres runs under: the user's own, or `nobody` for root, whom Postgres refuses."""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from imgsim_site.embedded.errors import EmbeddedServerError

ROOT = 0


class PopenIdentity(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change who runs the child."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A line of the password file."""

    name: str
    uid: int
    gid: int

    def popen_identity(self) -> PopenIdentity:
        """Return what `subprocess.Popen` needs to run a child under this account; nothing if it is the own one."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, folder: Path) -> None:
        """Give `folder` to this account and close it to everybody else."""
        if folder.stat().st_uid != self.uid:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def can(self, wanted: int, path: Path) -> bool:
        """Return whether the mode bits `wanted` (4 read, 2 write, 1 search) of `path` are given to this account."""
        status = path.stat()
        if status.st_uid == self.uid:
            given = status.st_mode >> 6
        elif status.st_gid == self.gid:
            given = status.st_mode >> 3
        else:
            given = status.st_mode
        return given & wanted == wanted


def server_account() -> Account:
    """Return the account that Postgres runs under here.

    Raises EmbeddedServerError if root has no `nobody` to hand it to.
    """
    if os.geteuid() != ROOT:
        return Account(name=str(os.geteuid()), uid=os.geteuid(), gid=os.getegid())
    try:
        line = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedServerError(
            "Postgres does not run as root, and this machine has no account `nobody` to run it under."
            " Start ImgSim as an ordinary user or set DATABASE_URL."
        ) from error
    return Account(name=line.pw_name, uid=line.pw_uid, gid=line.pw_gid)


def let_in(account: Account, folder: Path) -> list[Path]:
    """Let `account` reach `folder`, and return the folders whose mode was changed.

    Folders on the way get the search bit for others (o+x) and nothing else, so their lists stay private. Folders that
    are open already, and all that belongs to the own account, stay as they are.
    """
    return [path for path in (*reversed(folder.parents), folder) if _grant(account, path, stat.S_IXOTH)]


def let_read(account: Account, tree: Path) -> list[Path]:
    """Let `account` read and run the files below `tree`, and return the paths whose mode was changed."""
    return let_in(account, tree.parent) + [path for path in _walk(tree) if _grant(account, path, _reading_bits(path))]


def _walk(tree: Path) -> Iterator[Path]:
    yield tree
    for folder, subfolders, files in os.walk(tree):
        for name in (*subfolders, *files):
            path = Path(folder, name)
            if not path.is_symlink():
                yield path


def _reading_bits(path: Path) -> int:
    runnable = path.stat().st_mode & stat.S_IXUSR
    return stat.S_IROTH | (stat.S_IXOTH if runnable else 0)


def _grant(account: Account, path: Path, bits: int) -> bool:
    if account.uid == os.geteuid() or account.can(bits, path):
        return False
    path.chmod(stat.S_IMODE(path.stat().st_mode) | bits)
    return True
