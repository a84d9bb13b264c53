"""Each picture and archive of an optional corpus of hostile ones goes through each way into a running site.

Skipped without the corpus. Whatever comes, the site goes on, says what became of it, and serves nothing of it but its
pixels.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import io
import itertools
import re
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from embeddings import sample
from embeddings.images.decoding import decoded
from tests import corpus
from tests.corpus import MARKER, Corpus, needs_corpus, outcome_of
from tests.faults.gallery import CALM, Gallery, files_below
from tests.pictures import coloured, grey, jpeg_bytes, transparent
from tests.running import ROOT, WEB, WORKER, answers, wait_for
from tests.visiting import Answer, Visitor

LONGEST_SECONDS = 60.0
MOST_CPU_SECONDS = 2.0
LEAST_COSINE_OF_A_DRESS, MOST_COSINE_OF_STRANGERS = 0.97, 0.8
MAKERS = (coloured, transparent, grey)
N_IN_A_FORM = 90  # Django takes a hundred
OBEYED = ("imgsim_pwnd*", "h_rel_slip*")
# How many entries of each archive are accepted, and how many refused; or why it cannot be read at all.
ARCHIVES = {
    "ok_10.zip": (10, 0),
    "mixed_10ok_4bad.zip": (10, 3),
    "slip.zip": (1, 5),
    "symlink.zip": (1, 1),
    "dup_names.zip": (3, 0),
    "hostile_names.zip": (13, 0),
    "bomb_1g.zip": (0, 1),
    "bomb_lie.zip": (0, 1),
    "bomb_many.zip": (0, 5_000),
    "nested.zip": (1, 1),
    "encrypted.zip": (0, 1),
    "ok_5.tar.gz": (5, 0),
    "slip.tar.gz": (1, 7),
    "bomb_512m.tar.gz": (0, 1),
    "ten_thousand.zip": (10, 9_990),
}
UNREADABLE = {
    "truncated.zip": "truncated.zip is not a zip that can be read: ",
    "notzip.zip": "notzip.zip is not a zip that can be read: ",
    "empty.zip": "There are no pictures in ",
}

pytestmark = needs_corpus


@dataclass(frozen=True, kw_only=True)
class Doors:
    """A site that runs, somebody who is signed in to it, and a program."""

    gallery: Gallery
    browser: Visitor
    program: Visitor

    def make_dataset(self, name: str) -> str:
        """Make a dataset of a name that is its slug too; return that."""
        answer = self.program.post_json("/api/v1/datasets", {"name": name})
        assert (answer.status, answer.json()["slug"]) == (201, name)
        return name

    def upload(self, dataset: str, name: str, content: bytes) -> Answer:
        """Send one file as a program does."""
        return self.program.post(f"/api/v1/datasets/{dataset}/images", files=[("image", name, content)])

    def send_archive(self, dataset: str, name: str, content: bytes) -> int:
        """Send an archive as the page does; return the number of its job."""
        answer = self.browser.post(f"/datasets/{dataset}/upload/file/", files=[("file", name, content)])
        assert (answer.status, answer.json()["outcome"]) == (200, "archive")
        return int(answer.json()["job"].split("/")[-2])

    def come_to_rest(self, dataset: str) -> None:
        """Wait until nothing of a dataset, and no job of it, is still to be done."""
        live = "SELECT 1 FROM search_job WHERE finished_at IS NULL AND parameters->>'dataset' = %s"
        wait_for(lambda: self.gallery.site.sql(live, dataset) == [], f"the jobs of {dataset}", LONGEST_SECONDS)
        wait_for(lambda: "pending" not in self.gallery.counts(dataset), f"{dataset} to come to rest", LONGEST_SECONDS)

    def refusals(self, dataset: str) -> dict[str, str]:
        """Return why files of the jobs of a dataset were refused, by their names."""
        rows = self.gallery.site.sql(
            "SELECT source, reason FROM search_refusal JOIN search_job job ON job.id = job_id "
            "WHERE job.parameters->>'dataset' = %s",
            dataset,
        )
        return {source.rpartition("::")[2]: reason for source, reason in rows}

    def n_left_out(self, dataset: str) -> int:
        """Return how many files jobs have left out by their endings."""
        statement = "SELECT progress->'ignored' FROM search_job WHERE parameters->>'dataset' = %s"
        return sum(sum((ignored or {}).values()) for (ignored,) in self.gallery.site.sql(statement, dataset))

    def processes(self) -> set[psutil.Process]:
        return self.gallery.site.processes(WEB) | self.gallery.site.processes(WORKER)


@pytest.fixture(scope="module")
def odd() -> Corpus:
    return corpus.read()


@pytest.fixture(scope="module")
def doors(gallery: Gallery) -> Iterator[Doors]:
    site = gallery.site
    with site.worker(beat=True), site.web() as url:
        wait_for(lambda: answers(f"{url}/readyz"), "the site to be ready")
        browser, program = Visitor(url, session=site.sign_in()), Visitor(url, token=site.make_token())
        found = Doors(gallery=gallery, browser=browser, program=program)
        assert search_on_the_page(found, "first.jpg", jpeg_bytes()) == "accept"  # all that a search needs is loaded
        yield found


@pytest.fixture(autouse=True)
def unharmed(doors: Doors) -> Iterator[None]:
    """No process has ended or fallen over, nothing in a file was obeyed, and each file that is kept has its row."""
    processes, obeyed, before = doors.processes(), what_was_obeyed(doors), n_tracebacks(doors)
    yield
    assert processes <= doors.processes()
    assert what_was_obeyed(doors) == obeyed
    assert n_tracebacks(doors) == before
    doors.gallery.assert_files_have_rows()
    assert files_below(doors.gallery.site.var, "arriving") == set()


def what_was_obeyed(doors: Doors) -> set[Path]:
    """Return files that the pictures and archives of the corpus would have made, below the site and around it."""
    var = doors.gallery.site.var
    around = {var.parent, ROOT, ROOT.parent, Path.home(), Path("/"), Path("/tmp"), Path(tempfile.gettempdir())}
    return {path for name in OBEYED for path in var.rglob(name)} | {
        path for name in (*OBEYED, "x") for place in around for path in place.glob(name)
    }


def n_tracebacks(doors: Doors) -> int:
    logs = (doors.gallery.site.var / f"{program}.log" for program in (WEB, WORKER))
    return sum(log.read_text().count("Traceback") for log in logs)


# Searches.


def search_on_the_page(doors: Doors, name: str, content: bytes) -> str:
    answer = doors.browser.post("/", {"k": "4", "dataset": CALM}, [("picture", name, content)])
    if answer.status != 200:
        told = re.search(r'class="form-errors" role="alert">\s*<p>(.*?)</p>', answer.text)
        return outcome_of(html.unescape(told[1]) if told else "") if answer.status == 422 else str(answer.status)
    assert MARKER not in answer.body
    key = re.findall(r"[?&]q=([^&:]+)", answer.url)[0]
    assert_pixels_only(doors.browser.get(f"/query/{key}.jpg"))
    return "accept"


def search_by_program(doors: Doors, name: str, content: bytes) -> str:
    answer = doors.program.post("/api/v1/search", {"k": "4"}, [("image", name, content)])
    if answer.status == 422:
        return outcome_of(answer.json()["detail"])
    return "accept" if answer.status == 200 else str(answer.status)


@pytest.mark.parametrize("search", [search_on_the_page, search_by_program])
def test_each_picture_is_searched_with_or_refused(
    doors: Doors, odd: Corpus, search: Callable[[Doors, str, bytes], str]
) -> None:
    """In two seconds of computing, with all that a search does besides."""
    meter, outcomes = Meter(doors.gallery.site.processes(WEB)), {}
    for name, content in odd.pictures.items():
        with meter.running(name):
            outcomes[name] = search(doors, name, content)
    assert odd.unlike_verdicts(outcomes) == {}
    assert meter.costly() == {}


@dataclass(frozen=True)
class Meter:
    """What processes compute, by what they do it for."""

    processes: set[psutil.Process]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        before = self._read()
        yield
        self.seconds[name] = self._read() - before

    def costly(self) -> dict[str, float]:
        return {name: seconds for name, seconds in self.seconds.items() if seconds > MOST_CPU_SECONDS}

    def _read(self) -> float:
        return sum(times.user + times.system for times in (one.cpu_times() for one in self.processes))


# Uploads and imports: each returns why files were refused at the door, by their names.


def by_program(doors: Doors, dataset: str, pictures: dict[str, bytes]) -> dict[str, str]:
    sent = {name: doors.upload(dataset, name, content) for name, content in pictures.items()}
    assert {answer.status for answer in sent.values()} <= {200, 201, 413, 422}
    return {name: answer.json()["detail"] for name, answer in sent.items() if answer.status >= 400}


def by_page(doors: Doors, dataset: str, pictures: dict[str, bytes]) -> dict[str, str]:
    """One file after the other, as the script of the page sends them."""
    page, told = f"/datasets/{dataset}/upload", {}
    job = doors.browser.post(f"{page}/begin/").json()["job"]
    for name, content in pictures.items():
        answer = doors.browser.post(f"{page}/file/", {"job": str(job)}, [("file", name, content)])
        assert answer.status == 200, name
        told[name] = answer.json()
    assert doors.browser.post(f"{page}/end/", {"job": str(job)}).status == 200
    assert {name for name, one in told.items() if one["outcome"] == "archive"} == archives_among(pictures)
    return {name: one["reason"] for name, one in told.items() if one["outcome"] == "refused"}


def by_form(doors: Doors, dataset: str, pictures: dict[str, bytes]) -> dict[str, str]:
    """Many at once, as the page does without scripts."""
    files = [("files", name, content) for name, content in pictures.items()]
    for at in range(0, len(files), N_IN_A_FORM):
        answer = doors.browser.post(f"/datasets/{dataset}/upload/", files=files[at : at + N_IN_A_FORM])
        assert (answer.status, "/uploads/" in answer.url, MARKER in answer.body) == (200, True, False)
    return doors.refusals(dataset)


def in_an_archive(doors: Doors, dataset: str, pictures: dict[str, bytes]) -> dict[str, str]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, picture in pictures.items():
            archive.writestr(name, picture)
    doors.send_archive(dataset, "all.zip", content.getvalue())
    doors.come_to_rest(dataset)
    return doors.refusals(dataset)


def by_command(doors: Doors, dataset: str, pictures: dict[str, bytes]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in pictures.items():
            Path(folder, name).write_bytes(content)
        report = doors.gallery.site.manage_json("import_images", folder, "--dataset", dataset)
    return {one["source"].rpartition("/")[2]: one["reason"] for one in report["refused"]}


def archives_among(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.endswith((".zip", ".tar"))}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """All pictures, sent into a dataset and at rest; seconds: since the first was sent."""

    dataset: str
    refused: dict[str, str]
    seconds: float


def send_all(doors: Doors, odd: Corpus, way: Callable[[Doors, str, dict[str, bytes]], dict[str, str]]) -> Sent:
    dataset = doors.make_dataset(way.__name__.replace("_", "-"))
    started = time.monotonic()
    refused = way(doors, dataset, odd.pictures)
    doors.come_to_rest(dataset)
    return Sent(dataset=dataset, refused=refused, seconds=time.monotonic() - started)


@pytest.fixture(scope="module")
def sent(doors: Doors, odd: Corpus) -> Sent:
    return send_all(doors, odd, by_program)


def test_each_picture_is_ready_or_refused_by_a_program(doors: Doors, odd: Corpus, sent: Sent) -> None:
    assert_verdicts_hold(doors, odd, sent, n_left_out=0)


@pytest.mark.parametrize("way", [by_page, by_form])
def test_each_picture_is_ready_or_refused_on_the_page(doors: Doors, odd: Corpus, way: Any) -> None:
    assert_verdicts_hold(doors, odd, send_all(doors, odd, way), n_left_out=len(archives_among(odd.pictures)))


@pytest.mark.parametrize("way", [in_an_archive, by_command])
def test_each_picture_is_ready_refused_or_counted_among_many(doors: Doors, odd: Corpus, way: Any) -> None:
    sent = send_all(doors, odd, way)
    assert_verdicts_hold(doors, odd, sent, n_left_out=doors.n_left_out(sent.dataset))


def assert_verdicts_hold(doors: Doors, odd: Corpus, sent: Sent, *, n_left_out: int) -> None:
    """Assert that each is as the manifest wants it, and all within the time that each may take.

    n_left_out: how many are no pictures by their names, and are imported as archives or only counted.
    """
    rows = {
        sha256: "accept" if status == "ready" else outcome_of(reason)
        for sha256, status, reason in doors.gallery.rows(sent.dataset, "image.sha256, image.status, image.error_detail")
    }
    outcomes = {name: outcome_of(reason) for name, reason in sent.refused.items()}
    for name, content in odd.pictures.items():
        outcomes[name] = rows.get(hashlib.sha256(content).hexdigest()) or outcomes.get(name, "left out")
    left_out = [name for name, outcome in outcomes.items() if outcome == "left out"]
    assert len(left_out) == n_left_out
    assert odd.unlike_verdicts(outcomes | dict.fromkeys(left_out, "reject")) == {}
    assert sent.seconds <= LONGEST_SECONDS


def test_nothing_of_a_picture_is_served_but_pixels(doors: Doors, sent: Sent) -> None:
    """Originals leave as attachments alone, in which nothing runs."""
    dataset = sent.dataset
    for image_id, sha256 in doors.gallery.rows(dataset, "image.id, image.sha256", "image.status = 'ready'"):
        for kind in ("picture", "thumbnail"):
            assert_pixels_only(doors.browser.get(f"/images/{image_id}/{kind}-{sha256[:12]}.jpg"))
    pages = [f"/datasets/{dataset}/", f"/api/v1/datasets/{dataset}/images", f"/admin/search/image/?q={dataset}"]
    polyglots = doors.gallery.rows(dataset, "image.id", "image.source LIKE '%%poly%%'")
    for page in [*pages, *(f"/images/{image_id}/" for (image_id,) in polyglots)]:
        answer = doors.browser.get(page)
        assert (answer.status, MARKER in answer.body) == (200, False)
    export = doors.browser.get(f"/datasets/{dataset}/export/zip")
    assert export.headers["Content-Disposition"].startswith("attachment;")
    assert export.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert export.headers["X-Content-Type-Options"] == "nosniff"


def assert_pixels_only(answer: Answer) -> None:
    """Assert that an answer is a JPEG with what decoding its pixels takes, and nothing else."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    content, at, kinds = answer.body, 2, set()
    while b"\xff\xda" not in kinds:  # the scan is the last segment
        kinds.add(content[at : at + 2])
        at += 2 + int.from_bytes(content[at + 2 : at + 4])
    assert content[:2] == b"\xff\xd8"
    assert kinds <= {b"\xff\xe0", b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda"}  # JFIF, tables, sizes, scan
    assert content[6:11] == b"JFIF\0"
    assert content.index(b"\xff\xd9", at) == len(content) - 2


# Archives.


@pytest.fixture(scope="module")
def archives(odd: Corpus) -> dict[str, bytes]:
    """Those of the corpus, and one of ten thousand entries, ten of which are pictures."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(10_000):
            archive.writestr(f"{number}.jpg", b"" if number % 1_000 else jpeg_bytes(seed=90_000 + number))
    return {**odd.archives, "ten_thousand.zip": content.getvalue()}


def test_each_archive_is_uploaded_as_far_as_it_is_good(doors: Doors, archives: dict[str, bytes]) -> None:
    assert archives.keys() == ARCHIVES.keys() | UNREADABLE.keys()
    outcomes, messages = {}, {}
    for number, (name, content) in enumerate(archives.items()):
        dataset = doors.make_dataset(f"archive-{number}")
        with disk_used(doors) as used:
            job = doors.send_archive(dataset, name, content)
            doors.come_to_rest(dataset)
        ((state, message),) = doors.gallery.site.sql("SELECT state, message FROM search_job WHERE id = %s", job)
        if state == "failed":
            messages[name] = message
        else:
            outcomes[name] = (doors.gallery.n_ready(dataset), n_refused(doors, dataset))
        assert used.most <= 3 * len(content) + 1_000_000, name  # the archive, its pictures, their thumbnails
        assert_names_are_escaped(doors, dataset, job)
    assert outcomes == ARCHIVES
    assert all(messages[name].startswith(message) for name, message in UNREADABLE.items())


def n_refused(doors: Doors, dataset: str) -> int:
    reasons = [reason for (reason,) in doors.gallery.rows(dataset, "image.error_detail", "image.status = 'refused'")]
    reasons += doors.refusals(dataset).values()
    assert {outcome_of(reason) for reason in reasons} <= {"reject"}
    return len(reasons)


def assert_names_are_escaped(doors: Doors, dataset: str, job: int) -> None:
    for page in (
        f"/datasets/{dataset}/",
        f"/datasets/{dataset}/uploads/{job}/",
        f"/jobs/{job}/",
        "/admin/search/image/",
    ):
        answer = doors.browser.get(page)
        assert (answer.status, b"<script>alert" in answer.body) == (200, False)


@dataclass
class Peak:
    """The most that something came to, beyond what it was at first."""

    most: int = 0


@contextlib.contextmanager
def disk_used(doors: Doors) -> Iterator[Peak]:
    """Watch how much the site's pictures, and what arrives, take on the disk."""
    before, peak, over = bytes_kept(doors), Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak.most = max(peak.most, bytes_kept(doors) - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        over.set()
        watching.join()


def bytes_kept(doors: Doors) -> int:
    n_bytes = 0
    for folder in ("media", "arriving"):
        for path in (doors.gallery.site.var / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                n_bytes += path.stat().st_size
    return n_bytes


def test_each_archive_is_imported_as_far_as_it_is_good(
    doors: Doors, archives: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in archives.items():
        (tmp_path / name).write_bytes(content)
    for name, message in UNREADABLE.items():
        done = doors.gallery.site.run("import_images", str(tmp_path / name), "--dataset", "unreadable")
        assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    readable = [str(tmp_path / name) for name in ARCHIVES]
    report = doors.gallery.site.manage_json("import_images", *readable, "--dataset", "archives", "--wait")
    refused = Counter(one["source"].partition("::")[0] for one in report["refused"])
    assert refused == {name: n for name, (_, n) in ARCHIVES.items() if n}
    assert report["found"] - len(report["refused"]) == sum(n for n, _ in ARCHIVES.values())
    assert {outcome_of(one["reason"]) for one in report["refused"]} == {"reject"}


# What is embedded.


def test_the_orientations_of_the_corpus_are_one_picture(doors: Doors, sent: Sent) -> None:
    named = "image.source ~ '^gen__orient_[1-8]'"
    assert doors.gallery.rows(sent.dataset, "DISTINCT width, height", named) == [(640, 427)]
    cosines = cosines_to(doors, sent.dataset, "gen__orient_1.jpg")
    assert sum(cosines[f"gen__orient_{n}.{kind}"] >= 0.99 for n in range(1, 9) for kind in ("jpg", "webp", "png")) == 24


def test_a_picture_is_embedded_alike_in_each_dress(doors: Doors) -> None:
    """Each orientation, 16 bits, CMYK, palettes, transparency, movement: each near to the plain picture."""
    dataset = doors.make_dataset("dresses")
    astronaut, *_, stranger = itertools.islice(sample.photographs(), 40)
    plain = decoded(astronaut.content, edge=240, long_edge=240)[1]
    dresses = {f"{make.__name__} {kind}": content for make in MAKERS for kind, content in make(plain).items()}
    for name, content in [*dresses.items(), ("stranger", stranger.content)]:
        assert doors.upload(dataset, name, content).status == 201, name
    doors.come_to_rest(dataset)
    for make in MAKERS:
        cosines = cosines_to(doors, dataset, f"{make.__name__} plain")
        assert cosines["stranger"] < MOST_COSINE_OF_STRANGERS
        alike = {name: cosine for name, cosine in cosines.items() if cosine >= LEAST_COSINE_OF_A_DRESS}
        assert alike.keys() >= {name for name in dresses if name.startswith(make.__name__)}


def cosines_to(doors: Doors, dataset: str, source: str) -> dict[str, float]:
    """Return how near the images of a dataset are to one of them, by their sources."""
    rows = doors.gallery.site.sql(
        "SELECT image.source, 1 - (embedding.vector <=> of_one.vector) FROM search_image image "
        "JOIN search_dataset dataset ON dataset.id = image.dataset_id AND dataset.name = %s "
        "JOIN search_embedding embedding ON embedding.image_id = image.id "
        "JOIN search_image one ON one.dataset_id = dataset.id AND one.source = %s "
        "JOIN search_embedding of_one ON of_one.image_id = one.id",
        dataset,
        source,
    )
    return dict(rows)
