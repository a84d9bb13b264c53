"""The program of the web server, before it serves."""

import os
from pathlib import Path

import pytest

from imgsim_site import web


@pytest.mark.parametrize(("line", "n"), [("", "8"), ("DB_POOL=0", "8"), ("DB_POOL=20", "20")])
def test_it_pools_as_many_connections_as_the_file_of_settings_says(
    line: str, n: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_POOL", "to be put back")
    monkeypatch.delenv("DB_POOL")
    monkeypatch.setattr(web, "ENV_FILE", tmp_path / ".env")
    web.ENV_FILE.write_text(line)
    monkeypatch.setattr("sys.argv", ["web"])
    served: list[str] = []
    monkeypatch.setattr(web, "serve", lambda *_, **__: served.append(os.environ["DB_POOL"]))
    web.main()
    assert served == [n]
