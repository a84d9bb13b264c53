"""The environment as it is read: empty is unset, nonsense is an error of one line, and .env.example works as it is."""

import os
import re
import subprocess
import sys

import pytest

from tests.running import ROOT

KEY = {"SECRET_KEY": "only for this test"}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "imgsim_site.settings", **KEY, **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_example_changes_nothing_where_it_is_copied_as_it_is() -> None:
    pairs = re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    code = "from django.conf import settings as s; print(s.VAR, s.EMBEDDED_POSTGRES, s.EXACT_SEARCH_UP_TO, s.LOG_LEVEL)"
    copied = run(code, **{name: value for name, value in pairs if name != "SECRET_KEY"})
    assert copied.stdout.split() == [str(ROOT / "var"), "True", "30000", "INFO"], copied.stderr


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("DEBUG", "maybe", "DEBUG must be true or false; it is 'maybe'"),
        ("DB_POOL", "many", "DB_POOL cannot be read"),
        ("EXACT_SEARCH_UP_TO", "-1", "EXACT_SEARCH_UP_TO must be 0 or more; it is -1"),
        ("EMBED_ON", "tpu", "EMBED_ON must be cpu or gpu; it is 'tpu'"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR; it is LOUD"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be text or json; it is 'xml'"),
        ("DATABASE_URL", "foo", "DATABASE_URL must look like postgresql://"),
    ],
)
def test_nonsense_is_an_error_of_one_line(name: str, text: str, words: str) -> None:
    code = "import sys; import manage; sys.exit(manage.main(['manage.py', 'check']))"
    done = run(code, **{name: text})
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_log_levels_may_be_written_small() -> None:
    assert run("from django.conf import settings; print(settings.LOG_LEVEL)", LOG_LEVEL="debug").stdout == "DEBUG\n"
