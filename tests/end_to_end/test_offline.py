"""Nothing phones home: no command and no server opens a connection that it was not asked for."""

import urllib.request
from pathlib import Path

from tests.running import ROOT, Site


def test_import_search_and_pages_open_no_connection_to_the_outside(site: Site, pictures: Path, tmp_path: Path) -> None:
    log = tmp_path / "connections"
    log.touch()
    watched = Site(site.var, PYTHONPATH=str(ROOT / "tests/end_to_end/offline"), CONNECTIONS_LOG=str(log))
    with watched.worker(concurrency=1), watched.web() as url:
        watched.manage("install_encoder", "mobilenet_v2")
        picture = pictures / "photographs" / "coffee"
        watched.manage_json("import_images", str(picture), "--dataset", "offline", "--wait")
        watched.manage_json("search_image", str(next(picture.iterdir())))
        for path in ("/", "/datasets/", "/readyz", "/api/docs", "/admin/login/"):
            urllib.request.urlopen(url + path, timeout=30).read()
    assert log.read_text() == ""


def test_the_watch_sees_a_connection(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "connections"
    watched = Site(site.var, PYTHONPATH=str(ROOT / "tests/end_to_end/offline"), CONNECTIONS_LOG=str(log))
    done = watched.run("shell", "-c", "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')")
    assert done.returncode != 0
    assert "192.0.2.1" in log.read_text()
