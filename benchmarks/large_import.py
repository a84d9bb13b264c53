"""A hundred thousand pictures through the workers, while pages are looked at and processes are killed.

The pictures are parts of given photos, mirrored and brightened, so that each has another content. The floor is the bare
loop of `importing`, on samples of the same pictures: before, after, and wherever the worker was killed, while the
command stands still. Memory is the resident set of each process of the site, the largest that was seen.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image, ImageEnhance, ImageOps

from benchmarks import report
from benchmarks.importing import BATCH_SIZE, pool_of, read_contents, run_floor
from benchmarks.site import ROOT, arguments, fresh_site, pictures_of, say
from imgsim_site import embedded
from tests.running import Site

LONG_EDGE = 348
N_FLOOR = 40 * BATCH_SIZE
PARTS = 5  # of the import, whose rates are told apart
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_PAGES = 5.0


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--pictures-wanted", type=int, default=100_000, metavar="N", help="default: 100000")
    parser.add_argument("--kills", type=int, default=4, help="of command and worker by turns (default: 4)")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        made = site.var / f"made-{options.pictures_wanted}"
        write_parts(read_contents(pictures_of(options.pictures, site)), made, range(options.pictures_wanted))
        with site.servers(), pool_of(site) as pool:
            watched = _import(site, made, options, Floor(pool, made))
    _tell(options, watched)


def write_parts(photos: list[bytes], folder: Path, numbers: range) -> None:
    """Write the pictures of some numbers into folders of a thousand; those that are there already stay."""
    if (folder / "made").exists():
        return
    say(f"making {len(numbers)} pictures of {len(photos)} photos")
    with ProcessPoolExecutor() as pool:
        jobs = [(photos[k % len(photos)], folder / f"{k // 1000:03d}" / f"{k:06d}.jpg", k) for k in numbers]
        for _ in pool.map(_write_one, jobs, chunksize=200):
            pass
    (folder / "made").touch()


def _write_one(job: tuple[bytes, Path, int]) -> None:
    content, path, seed = job
    draw = random.Random(seed)
    picture = Image.open(BytesIO(content)).convert("RGB")
    width, height = picture.size
    share = draw.uniform(0.6, 1.0)
    left, top = draw.uniform(0, 1 - share) * width, draw.uniform(0, 1 - share) * height
    part = picture.crop((int(left), int(top), int(left + share * width), int(top + share * height)))
    part.thumbnail((LONG_EDGE, LONG_EDGE))
    part = ImageOps.mirror(part) if draw.random() < 0.5 else part
    path.parent.mkdir(parents=True, exist_ok=True)
    ImageEnhance.Brightness(part).enhance(draw.uniform(0.8, 1.2)).save(path, "JPEG", quality=draw.randint(80, 90))


class Floor:
    """The bare loop on samples of the pictures. rates: pictures a second, one of each time that it ran."""

    def __init__(self, pool: ProcessPoolExecutor, folder: Path) -> None:
        self.rates: list[float] = []
        self._pool, self._paths = pool, sorted(folder.glob("*/*.jpg"))

    def run(self) -> None:
        sample = self._paths[len(self.rates) :: 4][:N_FLOOR]
        contents = [path.read_bytes() for path in sample]
        run_floor(self._pool, contents[:BATCH_SIZE])
        started = time.perf_counter()
        run_floor(self._pool, contents)
        self.rates.append(len(contents) / (time.perf_counter() - started))


class Watch:
    """Looks at the site while it imports: how far it is, what its processes hold, how long its pages take."""

    def __init__(self, site: Site, url: str) -> None:
        self.site, self.url = site, url
        self.ready: list[tuple[float, int]] = []
        self.memory: dict[str, int] = {}  # largest resident bytes by kind of process
        self.pages: list[float] = []
        self.failed_pages: list[str] = []
        self.had_index_early = False
        self._stood_still = 0.0  # seconds, which count for no picture
        self._may_look = threading.Lock()
        self._visited = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_often, daemon=True)

    def __enter__(self) -> Watch:
        # Kept: to connect for each look would take a fortieth of both cores.
        self._database = psycopg.connect(embedded.database_url(self.site.var), autocommit=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._database.close()

    def _look_often(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_LOOKS):
            with self._may_look:
                self._look()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Look at nothing, and let no time go by."""
        with self._may_look:
            started = time.perf_counter()
            yield
            self._stood_still += time.perf_counter() - started

    def _look(self) -> None:
        ((n_ready, has_index),) = self._sql(
            "SELECT (SELECT coalesce(sum(n), 0)::bigint FROM search_embeddingcount), "
            "EXISTS (SELECT 1 FROM pg_class WHERE starts_with(relname, 'embedding_hnsw_'))"
        )
        self.ready.append((time.perf_counter() - self._stood_still, n_ready))
        if has_index and self._sql("SELECT 1 FROM search_image WHERE status = 'pending' LIMIT 1"):
            self.had_index_early = True
        if time.perf_counter() < self._visited + _SECONDS_BETWEEN_PAGES:
            return
        self._visited = time.perf_counter()
        for kind, resident in _processes(self.site.var):
            self.memory[kind] = max(self.memory.get(kind, 0), resident)
        if n_ready:
            ((image_id,),) = self._sql("SELECT id FROM search_image WHERE status = 'ready' LIMIT 1")
            self._visit(f"/?image={image_id}")

    def _sql(self, statement: str) -> list[tuple[Any, ...]]:
        return self._database.execute(statement).fetchall()

    def _visit(self, address: str) -> None:
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(self.url + address, timeout=30) as response:
                response.read()
        except OSError as error:
            self.failed_pages.append(f"{address}: {error}")
            return
        self.pages.append((time.perf_counter() - started) * 1000)


def _processes(var: Path) -> list[tuple[str, int]]:
    """Return the processes of a site: what each is, and the bytes of memory that only it holds or shares."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_ours = str(var) in command or str(var).encode() in (folder / "environ").read_bytes()
            if is_ours and "large_import" not in command:
                pages = int((folder / "statm").read_text().split()[1])
                found.append((_kind(command), pages * os.sysconf("SC_PAGE_SIZE")))
    return found


def _kind(command: str) -> str:
    names = ("celery", "imgsim_site.web", "import_images", "postgres", "redis")
    return next((name for name in names if name in command), "other")


def _import(site: Site, folder: Path, options: argparse.Namespace, floor: Floor) -> dict[str, object]:
    """Import all of it with a worker and the page beside; kill the command or the worker now and then."""
    draw = random.Random(0)
    moments = sorted(draw.uniform(0.05, 0.95) for _ in range(options.kills))
    floor.run()
    with ExitStack() as stack:
        url = stack.enter_context(site.web())
        worker = stack.enter_context(ExitStack())
        process = worker.enter_context(site.worker(beat=True))
        watch = stack.enter_context(Watch(site, url))
        started = time.perf_counter()
        command = _command(site, folder)
        for number, moment in enumerate(moments):
            if not _wait_until(watch, command, moment * options.pictures_wanted):
                break
            say(f"kill {number + 1} at {watch.ready[-1][1]} ready")
            if number % 2:
                os.killpg(process.pid, signal.SIGKILL)
                worker.close()
                # The command gives up where no worker answers for as long as a bare loop takes.
                command.send_signal(signal.SIGSTOP)
                with watch.standing_still():
                    floor.run()
                process = worker.enter_context(site.worker(beat=True))
                _wait_until(watch, command, watch.ready[-1][1] + 1)
                command.send_signal(signal.SIGCONT)
            else:
                command.kill()
                command.wait()
                command = _command(site, folder)
        out, _ = command.communicate()
        seconds = time.perf_counter() - started
        said = json.loads(out.splitlines()[-1])
        worker.close()
        floor.run()
        return {"said": said, "seconds": seconds, "watch": watch, "floors": floor.rates, "state": _state(site)}


def _command(site: Site, folder: Path) -> subprocess.Popen[str]:
    arguments = ["import_images", str(folder), "--dataset", "large", "--wait", "--json"]
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=site.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait_until(watch: Watch, command: subprocess.Popen[str], n_ready: float) -> bool:
    while command.poll() is None:
        if watch.ready and watch.ready[-1][1] >= n_ready:
            return True
        time.sleep(0.2)
    return False


def _state(site: Site) -> dict[str, int]:
    """Return what the rows and files say at the end."""
    ((images, contents, ready, vectors),) = site.sql(
        "SELECT count(*), count(DISTINCT sha256), count(*) FILTER (WHERE status = 'ready'), "
        "(SELECT count(*) FROM search_embedding) FROM search_image"
    )
    media = site.var / "media"
    return {
        "images": images,
        "contents": contents,
        "ready": ready,
        "vectors": vectors,
        "originals": sum(1 for path in (media / "originals").rglob("*") if path.is_file()),
        "indexes": len(site.sql("SELECT 1 FROM pg_class WHERE starts_with(relname, 'embedding_hnsw_')")),
    }


def _tell(options: argparse.Namespace, watched: dict[str, Any]) -> None:
    watch, state, floors = watched["watch"], watched["state"], watched["floors"]
    # From the first ready picture to the last: the index is built afterwards.
    done = [(at, n) for at, n in watch.ready if n]
    end = next(at for at, n in done if n == done[-1][1])
    rate = (done[-1][1] - done[0][1]) / (end - done[0][0])
    report.tell(
        f"Import of {state['images']} pictures with {options.kills} kills",
        [
            {"what": "bare loop, from before to after, pictures/s", "value": ", ".join(f"{one:.0f}" for one in floors)},
            {"what": "import, pictures/s until the last is ready", "value": f"{rate:.0f}"},
            {"what": "ratio to the mean of those", "value": f"{rate / statistics.mean(floors):.2f}"},
            {"what": "by fifths, pictures/s", "value": ", ".join(f"{one:.0f}" for one in _rates(done))},
            {"what": "all with the index and the bare loops between, s", "value": f"{watched['seconds']:.0f}"},
            *({"what": f"memory of {k}, MB", "value": f"{v / 1e6:.0f}"} for k, v in sorted(watch.memory.items())),
            {"what": "page meanwhile, ms p50, p95", "value": _page_times(watch)},
            {"what": "pages that failed", "value": str(len(watch.failed_pages))},
            {"what": "index before the end", "value": str(watch.had_index_early)},
            {"what": "at the end", "value": ", ".join(f"{n} {what}" for what, n in state.items())},
        ],
    )


def _page_times(watch: Watch) -> str:
    return f"{report.median(watch.pages):.0f}, {report.percentile(watch.pages, 0.95):.0f}" if watch.pages else "none"


def _rates(done: list[tuple[float, int]]) -> list[float]:
    """Return the pictures a second in each fifth of the pictures."""
    bounds = [done[-1][1] * part / PARTS for part in range(PARTS + 1)]
    marks = [next(one for one in done if one[1] >= bound) for bound in bounds]
    return [(n - m) / max(at - then, 1e-9) for (then, m), (at, n) in itertools.pairwise(marks)]


if __name__ == "__main__":
    main()
