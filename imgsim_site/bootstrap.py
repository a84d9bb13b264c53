"""Make .venv with the packages of a lock: `python3 imgsim_site/bootstrap.py requirements.lock`.

Runs before anything is installed, so it uses the standard library alone. The Makefile checks Python's version first.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
NEWEST_TESTED = (3, 13)


class SetupError(RuntimeError):
    """The packages cannot be installed; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Install the lock named by the only argument unless .venv has it; return the exit status."""
    packages = PROJECT / arguments[0]
    with (PROJECT / ".venv.lock").open("w") as lock:
        try:
            wait_for(lock)
            install_once(packages)
        except SetupError as error:
            say(f"error: {error}")
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def wait_for(lock: IO[str]) -> None:
    """Let one installation run at a time; the kernel drops the lock of a killed one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another process is installing the packages; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def install_once(packages: Path) -> None:
    """Bring .venv up to `packages`, a lock; return at once if it is.

    Raises SetupError if Python has no venv or pip fails.
    """
    stamp = VENV / f"installed-{packages.name}.sha256"
    digest = digest_of(packages)
    if stamp.exists() and stamp.read_text() == digest and runs(VENV_PYTHON):
        return
    if not runs(VENV_PYTHON):
        say(f"Making .venv with Python {sys.version.split()[0]}")
        make_venv()
    say(f"Installing {packages.name} (the first time some 600 MB are fetched, which takes minutes)")
    install(packages)
    stamp.write_text(digest)


def digest_of(packages: Path) -> str:
    """Return the SHA-256 of the lock, and of the Python that reads it."""
    return hashlib.sha256(sys.version.encode() + packages.read_bytes()).hexdigest()


def make_venv() -> None:
    """Make .venv; with pip inside, or beside it where Debian's python3-venv is missing and python3-pip is not.

    Raises SetupError if this Python has neither.
    """
    if not find_spec("venv") or not (find_spec("ensurepip") or find_spec("pip")):
        raise SetupError(
            "This Python has no venv. Install it (Debian, Ubuntu: apt install python3-venv) and try again."
        )
    without_pip = [] if find_spec("ensurepip") else ["--without-pip"]
    if subprocess.call([sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV)]) != 0:
        raise SetupError("Making .venv failed; the lines above say why.")


def install(packages: Path) -> None:
    """Let pip install `packages`, whose digests have to be those of the lock, with its progress shown.

    Raises SetupError if it fails.
    """
    own_pip = [str(VENV_PYTHON), "-m", "pip"]
    pip = own_pip if runs(*own_pip) else [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON)]
    # Compiling every module takes a minute; of most packages hardly any is ever imported.
    options = ["--disable-pip-version-check", "--no-warn-script-location", "--no-compile"]
    options += ["--require-hashes", "--requirement", str(packages)]
    # root installs into .venv, which is no system folder.
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    if subprocess.call([*pip, "install", *options], env=environment) != 0:
        newer = sys.version_info[:2] > NEWEST_TESTED
        hint = " Not every package may support this Python yet; try make PYTHON=python3.12." if newer else ""
        raise SetupError(f"pip could not install {packages.name}; its lines above say why.{hint}")


def runs(program: str | Path, *arguments: str) -> bool:
    """Return whether `program` starts; the Python of a .venv that was moved or outlived its own does not."""
    try:
        command = [str(program), *arguments, "--version"]
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def say(text: str) -> None:
    """Write a line for the person at the terminal."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
