"""The way into every command."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import manage
from tests.running import ROOT, Site


def test_a_reader_that_has_enough_ends_a_command_without_a_word() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "manage.py", "help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_database_without_tables_says_what_to_run() -> None:
    with tempfile.TemporaryDirectory(prefix="imgsim-bare-") as place:
        site = Site(Path(place))
        with site.servers():
            done = site.run("evaluate_search", "--dataset", "anything")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Run: manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def write(_: list[str]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/media/a.jpg")

    monkeypatch.setattr("django.core.management.execute_from_command_line", write)
    assert manage.main(["manage.py", "help"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: A disk is full: ")
    assert "'/media/a.jpg'" in told
