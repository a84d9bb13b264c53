"""One query, from the HTTP request to JSON and to HTML, against decode + encode + SQL measured apart."""

from __future__ import annotations

import http.client
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from benchmarks import report
from benchmarks.importing import read_contents
from benchmarks.site import arguments, fresh_site, pictures_of, say, use

N_IN_A_TURN = 20


def main() -> None:
    parser = arguments("Latency of a search, as JSON and as a page, against its stages measured apart.")
    parser.add_argument("--queries", type=int, default=200, help="queries to time (default: 200)")
    parser.add_argument("--photos", type=Path, help="what to search with (default: pictures of the gallery)")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        pictures = pictures_of(options.pictures, site)
        command = ["import_images", str(pictures), "--dataset", options.dataset, "--sync"]
        imported = site.manage_json(*command, timeout=3600)
        say(f"{imported['found']} pictures, {imported['embedded']} embedded now")
        contents = read_contents(options.photos.expanduser() if options.photos else pictures)
        step = max(1, len(contents) // options.queries)
        queries = contents[::step][: options.queries]
        use(site)
        with site.web() as url:
            rows = _measure(url, queries)
    report.tell(f"One query over {imported['found']} images, {len(queries)} queries, k = 10", rows)


def _measure(url: str, queries: list[bytes]) -> list[dict[str, object]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    stages = _stages()
    for content in queries[:20]:
        post(connection, content)
        post_for_page(connection, content)
        stages(content)
    over_http, pages, apart = [], [], []
    # In turns, so that both see the machine in the same moods; a few at a time, because what has just computed here
    # keeps its threads, and the caches of the processor, from the server for a while.
    for first in range(0, len(queries), N_IN_A_TURN):
        turn = queries[first : first + N_IN_A_TURN]
        over_http += [_timed(lambda content=content: post(connection, content)) for content in turn]
        pages += [_timed(lambda content=content: post_for_page(connection, content)) for content in turn]
        apart += [stages(content) for content in turn]
    sums = [sum(times.values()) for times in apart]
    names = list(apart[0])
    rows = [_row(name, [times[name] for times in apart], sums) for name in names]
    rows += [_row("the three together", sums, sums), _row("POST /api/v1/search", over_http, sums)]
    return [*rows, _row("POST / as htmx does, 24 hits", pages, sums)]


def _timed(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


def _row(name: str, times: list[float], floor: list[float]) -> dict[str, object]:
    return {
        "stage": name,
        "p50 ms": report.median(times),
        "p95 ms": report.percentile(times, 0.95),
        "ratio of p50": report.median(times) / report.median(floor),
    }


def _stages() -> Callable[[bytes], dict[str, float]]:
    """Return a function that times decode, encode and SQL of one picture, in milliseconds."""
    from embeddings import images
    from search import encoders, neighbours
    from search.asking.scope import scope_of_command

    row = encoders.default()
    network = encoders.network(row)
    scope = scope_of_command()

    def run(content: bytes) -> dict[str, float]:
        started = time.perf_counter()
        prepared = images.prepare(content, input_size=network.spec.input_size, thumbnail=False)
        decoded = time.perf_counter()
        vector = network.encode(prepared.input[np.newaxis])[0]
        encoded = time.perf_counter()
        neighbours.nearest(vector, row, scope, k=10)
        searched = time.perf_counter()
        return {
            "decode": (decoded - started) * 1000,
            "encode": (encoded - decoded) * 1000,
            "SQL": (searched - encoded) * 1000,
        }

    return run


def post(connection: http.client.HTTPConnection, content: bytes) -> None:
    """Search with a picture, for JSON. Raises RuntimeError where that fails."""
    _send(connection, "/api/v1/search", "image", content, {})


def post_for_page(connection: http.client.HTTPConnection, content: bytes) -> None:
    """Search with a picture as the start page does, for HTML. Raises RuntimeError where that fails."""
    token = "a" * 32  # any will do, where the cookie and the header have the same
    _send(
        connection,
        "/",
        "picture",
        content,
        {"HX-Request": "true", "Cookie": f"csrftoken={token}", "X-CSRFToken": token},
    )


def _send(
    connection: http.client.HTTPConnection, path: str, field: str, content: bytes, headers: dict[str, str]
) -> None:
    boundary = uuid.uuid4().hex
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="query.jpg"\r\n'
            f"Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = {**headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {answer[:200]!r}")


if __name__ == "__main__":
    main()
