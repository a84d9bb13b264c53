"""What holds for the project as a whole: settings are documented, imports run one way, parts are allowed."""

import re
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import call_command

from tests.running import ROOT

# Read by the Makefile and by docker compose, not by the settings.
# These settle the environment of libraries, in a process of their own.
TRAINING_PROCESS = {
    "embeddings/device.py",
    "embeddings/training/__main__.py",
    "embeddings/training/augmentation.py",
}
OUTSIDE = {"HOST", "PORT", "POSTGRES_PASSWORD"}


def read_by_settings() -> set[str]:
    return set(re.findall(r'env\.\w+\("(\w+)"', (ROOT / "imgsim_site/settings.py").read_text()))


def test_every_variable_stands_in_the_example() -> None:
    named = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named == read_by_settings() | OUTSIDE


def test_every_variable_stands_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == read_by_settings()
    assert all(f"`{name}`" in table for name in OUTSIDE)


def test_only_the_settings_read_the_environment() -> None:
    # What runs before Django is set up, or passes the environment on to a process or library, cannot ask the settings.
    allowed = {"imgsim_site/settings.py", "imgsim_site/celery.py", "imgsim_site/wsgi.py", "imgsim_site/bootstrap.py"}
    allowed |= {
        "imgsim_site/chromium.py",
        "imgsim_site/demo/run.py",
        "imgsim_site/embedded/postgres.py",
        "imgsim_site/web.py",
    }
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("imgsim_site", "search", "embeddings")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"os\.(environ|getenv)\b", path.read_text())
    }
    assert (
        readers
        <= allowed
        | {"embeddings/convert.py", "embeddings/cores.py", "embeddings/images/processes.py"}
        | TRAINING_PROCESS
    )


def test_the_migrations_are_up_to_the_models(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_imports_run_one_way() -> None:
    program = ROOT / ".venv/bin/lint-imports"
    command = [str(program)] if program.exists() else [sys.executable, "-m", "importlinter.cli", "lint-imports"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pillow_is_imported_where_pixels_are_at_home() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("imgsim_site", "search", "embeddings")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(from|import) PIL\b", path.read_text(), re.MULTILINE)
    }
    assert {name.split("/")[1] for name in importers} == {"images", "sample"}


@pytest.mark.parametrize(
    "name", ["requirements-common.txt", "requirements.txt", "requirements-dev.txt", "requirements-s3.txt"]
)
def test_every_requirement_is_pinned_and_none_is_agpl_or_phones_home(name: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith("-r ")]
    assert all(re.match(r"[\w\[\],-]+==[\w.]+( ;.*)?$", line) for line in wanted), wanted
    assert not any(line.startswith("albumentationsx") for line in wanted)


LOCKED = re.compile(r"([\w.-]+==[\w.]+)(?: ; .*?)?((?: --hash=sha256:[0-9a-f]{64})+)")


def wanted_by(name: str) -> set[str]:
    """Return what a requirements file, with those that it includes, pins: name==version, without extras."""
    text = (ROOT / name).read_text()
    pins = {re.sub(r"\[.*\]", "", pin) for pin in re.findall(r"^\w\S*", text, re.MULTILINE)}
    return pins.union(*map(wanted_by, re.findall(r"^-r (\S+)", text, re.MULTILINE)))


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-gpu", "requirements-s3"])
def test_a_lock_pins_by_digest_what_is_required_and_names_no_place_to_get_it_from(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text().replace(" \\\n   ", "")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    locked = [LOCKED.fullmatch(line) for line in lines]
    assert [line for line, found in zip(lines, locked, strict=True) if not found] == []
    assert wanted_by(f"{name}.txt") - {found[1] for found in locked if found} == set(), "run make lock"
