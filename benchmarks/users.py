"""Many people at once: searches a second and their times, by 1, 8 and 32 clients, alone and while pictures come in.

Each client asks for the next answer as soon as it has the one before, of the web server as the container runs it: one
process of eight threads. Searches are with pictures of the gallery ("find similar"), for JSON and for the page, and
with photographs that are sent. The import brings in the photographs once more, into a dataset of its own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import report
from benchmarks.importing import read_contents
from benchmarks.query import post
from benchmarks.site import ROOT, arguments, fresh_site, pictures_of, say
from tests.running import Site, wait_for

# Makes the search of a number, over a connection that stays open.
Search = Callable[[http.client.HTTPConnection, int], None]
K = 10
_MEANWHILE = "meanwhile"


def main() -> None:
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], help="default: 1 8 32")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--photos", type=Path, help="what to send and to import (default: pictures of the gallery)")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        site.manage_json("import_images", str(pictures), "--dataset", options.dataset, "--sync", timeout=7200)
        photos = options.photos.expanduser().resolve() if options.photos else pictures
        with site.servers(), site.web() as url:
            rows = list(_measure(site, url, photos, options))
            ((n,),) = site.sql("SELECT count(*) FROM search_embedding")
    report.tell(f"Clients that search at once, over {n} images, k = {K}", rows)


def _measure(site: Site, url: str, photos: Path, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    searches = _searches(site, read_contents(photos)[:500])
    seconds, numbers = options.seconds, options.clients
    for search in searches.values():
        _times(url, search, 1, 2)
    alone = {}
    for name, search in searches.items():
        for n_clients in numbers:
            alone[name, n_clients] = _times(url, search, n_clients, seconds)
            yield _row(name, n_clients, "alone", alone[name, n_clients], seconds)
            say(f"{name}, {n_clients} clients: {len(alone[name, n_clients]) / seconds:.0f} a second")
    with site.worker():
        for name, search in searches.items():
            with _importing(site, photos) as is_over:
                times = _times(url, search, numbers[0], seconds)
                note = "" if not is_over() else " (it ended)"
            row = _row(name, numbers[0], f"import{note}", times, seconds)
            ratio = report.percentile(times, 0.95) / report.percentile(alone[name, numbers[0]], 0.95)
            yield row | {"p95 to alone": f"{ratio:.2f}"}


def _row(name: str, n_clients: int, beside: str, times: Sequence[float], seconds: float) -> dict[str, object]:
    return {
        "search": name,
        "clients": n_clients,
        "beside": beside,
        "searches/s": len(times) / seconds,
        "p50 ms": report.median(times),
        "p95 ms": report.percentile(times, 0.95),
        "p95 to alone": "",
    }


def _searches(site: Site, contents: Sequence[bytes]) -> dict[str, Search]:
    rows = site.sql("SELECT id FROM search_image WHERE status = 'ready' ORDER BY sha256 LIMIT 2000")
    ids = [image_id for (image_id,) in rows]

    def similar_as_json(connection: http.client.HTTPConnection, number: int) -> None:
        body = json.dumps({"image_id": ids[number % len(ids)], "k": K})
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "application/json"})
        _expect_success(connection)

    def similar_as_page(connection: http.client.HTTPConnection, number: int) -> None:
        get_similar(connection, ids[number % len(ids)])

    def sent_photo(connection: http.client.HTTPConnection, number: int) -> None:
        post(connection, contents[number % len(contents)])

    return {"similar, JSON": similar_as_json, "similar, page": similar_as_page, "photo, JSON": sent_photo}


def get_similar(connection: http.client.HTTPConnection, image_id: int) -> None:
    """Read the page of what is similar to a stored picture. Raises RuntimeError where it is not given."""
    connection.request("GET", f"/?image={image_id}")
    _expect_success(connection)


def _expect_success(connection: http.client.HTTPConnection) -> None:
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {answer[:200]!r}")


def _times(url: str, search: Search, n_clients: int, seconds: float) -> list[float]:
    """Return how many milliseconds each search took that ended in a time."""
    numbers, found, errors = count(), [], []
    end = time.perf_counter() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        try:
            while (started := time.perf_counter()) < end:
                search(connection, next(numbers))
                if (now := time.perf_counter()) <= end:
                    found.append((now - started) * 1000)
        except Exception as error:  # noqa: BLE001 -- told by the thread that measures
            errors.append(error)
        finally:
            connection.close()

    clients = [threading.Thread(target=ask) for _ in range(n_clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if errors:
        raise errors[0]
    return found


@contextmanager
def _importing(site: Site, photos: Path) -> Iterator[Callable[[], bool]]:
    """Import pictures meanwhile, from the first that is embedded on; give a function that says whether it is over."""
    command = [sys.executable, "manage.py", "import_images", str(photos), "--dataset", _MEANWHILE, "--wait"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=site.environment, **quiet) as process:  # type: ignore[call-overload]
        ready = "SELECT 1 FROM search_image image JOIN search_dataset dataset ON dataset.id = image.dataset_id "
        ready += "WHERE dataset.slug = %s AND image.status = 'ready' LIMIT 1"
        wait_for(lambda: site.sql(ready, _MEANWHILE), "the first picture")
        yield lambda: process.poll() is not None
        process.wait()
    site.manage("shell", "-c", f"from search.models import Dataset; Dataset.objects.get(slug={_MEANWHILE!r}).delete()")


if __name__ == "__main__":
    main()
