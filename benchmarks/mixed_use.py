"""Hours of mixed use: no growth of memory, descriptors, connections or files, no error, and nothing left to do.

`python -m benchmarks.mixed_use --minutes 120`. People look, search, upload and look after a gallery of a few hundred
pictures, some two visits a second, while datasets are imported, exported and deleted; what is held is looked at each
minute. What it was after warming up is held against the end. The exit status is 1 where something grew or went wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import report
from benchmarks.footprint import Footprint, Sample
from benchmarks.people import People, Place
from benchmarks.site import fresh_site, say
from benchmarks.turnover import Turnover
from benchmarks.visiting import Tally, Visitor
from tests.pictures import jpeg_bytes
from tests.running import WORKER, Site, wait_for

LASTING, NAME = "lasting", "caretaker"
NICENESS = 10
SECONDS_BETWEEN_SAMPLES = 60.0
# Minutes of an hour or more, less of a shorter run: what is held against the last so many.
WARM, LAST = (10.0, 30.0), 20.0
SECONDS_TO_REST = 150.0


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How much a measure may grow: by a share, or by so many. settles: the minute until which it may."""

    share: float = 0.0
    slack: float = 0.0
    settles: float = 0.0


BOUNDS = {
    "web server, MB": Bound(share=0.1),
    "workers, MB": Bound(share=0.1),
    "beat, MB": Bound(share=0.1),
    "Postgres, MB": Bound(share=0.1),
    # It keeps each picture that a page was sent for an hour.
    "Redis, MB": Bound(share=0.1, settles=65.0),
    "descriptors of the web server": Bound(slack=8),
    "descriptors of the workers": Bound(slack=8),
    "threads of the web server": Bound(slack=4),
    "processes": Bound(slack=4),
    "connections": Bound(slack=3),
    "temporary files": Bound(slack=2),
    "files beside media": Bound(slack=4),
    "files in media without a row": Bound(slack=10),
    "empty folders": Bound(slack=20),
    "pending images": Bound(slack=10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=120, help="default: 120")
    parser.add_argument("--pictures", type=int, default=300, metavar="N", help="that stay (default: 300)")
    parser.add_argument("--seed", type=int, default=7, help="of what people do (default: 7)")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="add each minute's as a line of JSON to this file")
    options = parser.parse_args()
    os.nice(NICENESS)
    tally, samples = Tally(), []
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imgsim-bench-tmp-")))
        temporary.chmod(0o1777)
        site = stack.enter_context(fresh_site(None, TMPDIR=str(temporary)))
        stack.enter_context(site.servers())
        _fill(site, options.pictures)
        footprint, url = stack.enter_context(_running(site, temporary))
        with _mixed_use(site, url, tally, options.seed):
            for minute, sample in _samples(footprint, options.minutes):
                samples.append((minute, sample))
                _tell_progress(minute, sample, tally, options.samples)
        faults = [*_left_to_do(site), *_found_by_the_doctor(site), *_said_in_logs(site), *_refused(tally)]
    rows = _rows(samples, options.minutes)
    report.tell(f"{options.minutes:g} minutes of mixed use: {sum(tally.statuses.values())} answers", rows)
    say(f"answers by status: {dict(sorted(tally.statuses.items()))}")
    faults += [f"{row['what']} grew" for row in rows if row["verdict"] == "grew"]
    for fault in faults:
        say(f"fault: {fault}")
    sys.exit(1 if faults else 0)


def _fill(site: Site, n_pictures: int) -> None:
    """Import the pictures that stay."""
    with tempfile.TemporaryDirectory(prefix="imgsim-bench-pictures-") as folder:
        for number in range(n_pictures):
            path = Path(folder, f"label-{number % 6}", f"{number:04d}.jpg")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(jpeg_bytes(640, 480, seed=10_000_000 + number))
        site.manage_json("import_images", folder, "--dataset", LASTING, "--sync")


@contextmanager
def _running(site: Site, temporary: Path) -> Iterator[tuple[Footprint, str]]:
    """Run web server, worker and beat; give what they take and the address."""
    beat = ("-m", WORKER, "-A", "imgsim_site", "beat", "-l", "WARNING", "--schedule", str(site.var / "beat"))
    with site.web() as url, site.worker() as worker, site.process(*beat) as clock:
        yield Footprint(site, temporary, psutil.Process(worker.pid), psutil.Process(clock.pid)), url


@contextmanager
def _mixed_use(site: Site, url: str, tally: Tally, seed: int) -> Iterator[None]:
    """Let people come, and datasets come and go, until the caller has seen enough."""
    password, token = secrets.token_urlsafe(), site.make_token()
    make = f"User.objects.create_superuser({NAME!r}, password={password!r})"
    site.manage("shell", "-v0", "-c", f"from django.contrib.auth.models import User; {make}")
    images = site.sql("SELECT id, sha256 FROM search_image WHERE status = 'ready' ORDER BY id")
    ended = threading.Event()
    with tempfile.TemporaryDirectory(prefix="imgsim-bench-pictures-") as folder:
        turnover = Turnover(site, Path(folder, "round"), tally)
        place = Place(
            url=url,
            dataset=LASTING,
            images=[(image_id, sha256) for image_id, sha256 in images],
            rounds=turnover.slugs,
            name=NAME,
            password=password,
            token=token,
        )
        people = People(place, tally, seed)
        program, staff = Visitor(url, tally, token=token), Visitor(url, tally)
        staff.sign_in(NAME, password)
        turning = threading.Thread(target=turnover.go_on, args=(program, staff, ended))
        coming = threading.Thread(target=people.come, args=(ended,))
        turning.start()
        coming.start()
        try:
            yield
        finally:
            ended.set()
            coming.join()
            turning.join()


def _samples(footprint: Footprint, minutes: float) -> Iterator[tuple[float, Sample]]:
    """Give what is held in each minute."""
    started = time.monotonic()
    for number in range(1, int(minutes * 60 / SECONDS_BETWEEN_SAMPLES) + 1):
        time.sleep(max(0.0, started + number * SECONDS_BETWEEN_SAMPLES - time.monotonic()))
        yield (time.monotonic() - started) / 60, footprint.sample()


def _tell_progress(minute: float, sample: Sample, tally: Tally, file: Path | None) -> None:
    """Say how it goes, and write it down as well, for a run that is cut short."""
    answers, failures = dict(tally.statuses), list(tally.failures)
    told = ", ".join(f"{name} {value:.4g}" for name, value in sample.items())
    say(f"minute {minute:.0f}: {sum(answers.values())} answers, {len(failures)} failures; {told}")
    if file:
        with file.open("a") as lines:
            line = {"minute": round(minute, 2), **sample, "answers": answers, "failures": failures}
            lines.write(json.dumps(line) + "\n")


def _rows(samples: Sequence[tuple[float, Sample]], minutes: float) -> list[dict[str, object]]:
    """Hold what each measure was after warming up against the end."""
    scale = min(1.0, minutes / 60)
    rows: list[dict[str, object]] = []
    for name in samples[0][1]:
        bound = BOUNDS.get(name)
        begin = max(WARM[0] * scale, bound.settles if bound else 0.0)
        first = [held[name] for at, held in samples if begin <= at <= begin + (WARM[1] - WARM[0]) * scale]
        last = [held[name] for at, held in samples if at >= minutes - LAST * scale]
        before, after = report.median(first or last), report.median(last)
        row = {"what": name, "after warming up": before, "at the end": after}
        row |= {"greatest": max(held[name] for _, held in samples), "may grow by": "", "verdict": ""}
        if bound is not None:
            row["may grow by"] = f"{bound.share:.0%}" if bound.share else f"{bound.slack:g}"
            row["verdict"] = "grew" if after > before * (1 + bound.share) + bound.slack else "no growth"
        rows.append(row)
    return rows


def _left_to_do(site: Site) -> Iterator[str]:
    """Say what is not at rest a while after all have gone, and which files and rows have not each other."""
    with suppress(TimeoutError):
        wait_for(lambda: not any(_waiting(site).values()), "the site to come to rest", SECONDS_TO_REST)
    yield from (f"{number} {what}" for what, number in _waiting(site).items() if number)
    rows = site.sql("SELECT status, file, thumbnail FROM search_image")
    named = {file for _, file, _ in rows if file} | {name for status, _, name in rows if status == "ready"}
    media = site.var / "media"
    there = {path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file()}
    if named != there:
        yield f"{len(there - named)} files without a row, {len(named - there)} rows without their file"


def _waiting(site: Site) -> dict[str, int]:
    """Return what waits for workers, and what is dead and waits for a sweep."""
    ((pending, jobs, dead),) = site.sql(
        "SELECT (SELECT count(*) FROM search_image WHERE status = 'pending'), "
        "(SELECT count(*) FROM search_job WHERE state NOT IN ('done', 'failed')), "
        "(SELECT count(*) FROM search_dataset WHERE trashed_at < now() - interval '1 day' AND trash_of_id IS NULL)"
    )
    return {"pending images": pending, "jobs that are not over": jobs, "deleted datasets": dead}


def _found_by_the_doctor(site: Site) -> Iterator[str]:
    said = json.loads(site.run("doctor", "--files", "--json").stdout.splitlines()[-1])
    yield from (f"doctor: {finding}" for finding in said["findings"] if finding["level"] == "error")


def _said_in_logs(site: Site) -> Iterator[str]:
    """Give the last lines of logs that tell of errors."""
    for log in site.var.rglob("*.log"):
        text = log.read_text(errors="replace")
        if "Traceback" in text:
            yield f"{log.name} tells of {text.count('Traceback')} errors:\n{text[-3000:]}"


def _refused(tally: Tally) -> Iterator[str]:
    yield from (f"{n} times {what}" for what, n in Counter(tally.failures).most_common())


if __name__ == "__main__":
    main()
