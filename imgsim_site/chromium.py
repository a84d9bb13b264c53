"""Find Chromium for the browser's tests, or install it: `python -m imgsim_site.chromium`, which `make test` calls."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW_TO = "Install it (Debian: apt install chromium; macOS: brew install --cask chromium) and run make test again."


def find() -> str | None:
    """Return the path of Chromium or Chrome on the PATH, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def install() -> bool:
    """Install Debian's Chromium where this is Debian or Ubuntu and the user is root; return whether it is there now."""
    apt_get = shutil.which("apt-get")
    if os.geteuid() != 0 or not apt_get:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt_get, "update", "-q"], env=environment, check=False)
    packages = ["chromium", "fonts-dejavu-core"]
    subprocess.run([apt_get, "install", "-q", "-y", "--no-install-recommends", *packages], env=environment, check=False)
    return find() is not None


def main() -> int:
    """Return 0 where Chromium is there or the browser's tests may be left out, 1 where they must run and cannot."""
    if find() or install():
        return 0
    must_run = os.environ.get("CI", "") not in {"", "false"}
    consequence = "The browser's tests cannot run" if must_run else "The browser's tests are left out"
    sys.stderr.write(f"Chromium was not found. {consequence}. {HOW_TO}\n")
    return 1 if must_run else 0


if __name__ == "__main__":
    sys.exit(main())
