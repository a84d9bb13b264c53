"""What a site holds while it runs: memory, descriptors and threads of its processes, connections, files, rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from imgsim_site import embedded
from tests.running import WEB, Site

MB = 1e6
Sample = dict[str, float]
_ROWS = """
    SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()),
        pg_database_size(current_database()) / 1e6,
        (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
        (SELECT count(*) FROM search_job),
        count(*),
        count(*) FILTER (WHERE status = 'pending'),
        count(DISTINCT nullif(file, '')) + count(DISTINCT nullif(thumbnail, '')) FILTER (WHERE status = 'ready')
    FROM search_image
"""


@dataclass
class Footprint:
    """What one site takes. temporary: the folder that its processes have for temporary files."""

    site: Site
    temporary: Path
    worker: psutil.Process
    beat: psutil.Process
    web: psutil.Process = field(init=False)
    servers: psutil.Process = field(init=False)  # what looks after Postgres and Redis
    _busy: float = field(init=False, default=0.0)
    _looked_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.web = next(child for child in psutil.Process().children() if WEB in child.cmdline())
        self.servers = psutil.Process(embedded.status(self.site.var).supervisor_pid)
        self._share_of_core()

    def sample(self) -> Sample:
        """Return what is held at this moment, in MB and numbers."""
        web, worker = list(_tree(self.web)), list(_tree(self.worker))
        servers = list(_tree(self.servers))
        databases = [one for one in servers if _name(one) == "postgres"]
        return {
            "web server, MB": _resident(web),
            "workers, MB": _resident(worker),
            "beat, MB": _resident(_tree(self.beat)),
            # Apart: each of its processes has the buffers in its resident set.
            "Postgres, MB": sum(_memory(one, "Pss_Anon") for one in databases),
            "buffers of Postgres, MB": sum(_memory(one, "Pss_Shmem") for one in databases),
            "Redis, MB": _resident(one for one in servers if _name(one).startswith("redis")),
            "descriptors of the web server": _total(psutil.Process.num_fds, web),
            "descriptors of the workers": _total(psutil.Process.num_fds, worker),
            "threads of the web server": _total(psutil.Process.num_threads, web),
            "processes": len(web) + len(worker) + len(servers),
            **self._rows_and_files(),
            "share of a core, %": 100 * self._share_of_core(),
        }

    def _rows_and_files(self) -> Sample:
        ((connections, database, dead, jobs, images, pending, named),) = self.site.sql(_ROWS)
        var, media = self.site.var, self.site.var / "media"
        kept = [path for path in _files(media) if ".drafts" not in path.parts]
        others = [path for path in _files(var) if not {"media", "postgres"} & set(path.relative_to(var).parts[:1])]
        logs = [path for path in others if path.suffix == ".log"]
        return {
            "connections": connections,
            "temporary files": sum(len(folders) + len(files) for _, folders, files in os.walk(self.temporary)),
            "files beside media": len(others) - len(logs),
            "files in media without a row": len(kept) - named,
            "empty folders": sum(1 for _, folders, files in os.walk(var) if not folders and not files),
            "logs, MB": sum(path.stat().st_size for path in logs) / MB,
            "folder of Postgres, MB": sum(_size(path) for path in _files(var / "postgres")) / MB,
            "database, MB": float(database),
            "dead rows": float(dead),
            "jobs": jobs,
            "images": images,
            "pending images": pending,
        }

    def _share_of_core(self) -> float:
        """Return the processors' time since the last look, of whatever the site and its visitors ran, as a share."""
        busy = _total(_seconds, {*_tree(psutil.Process()), *_tree(self.servers)})
        now = time.monotonic()
        share = (busy - self._busy) / (now - self._looked_at)
        self._busy, self._looked_at = busy, now
        return share


def _tree(root: psutil.Process) -> Iterator[psutil.Process]:
    """Give a process and what it began. Raises psutil.NoSuchProcess where it has ended itself."""
    yield root
    yield from root.children(recursive=True)


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return str(process.name())
    return ""


def _total(figure: Callable[[psutil.Process], float], processes: Iterable[psutil.Process]) -> float:
    """Add up a figure of some processes, apart from those that have ended meanwhile."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            total += figure(process)
    return total


def _seconds(process: psutil.Process) -> float:
    """Return the seconds that a process has computed, with its children that have ended."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def _resident(processes: Iterable[psutil.Process]) -> float:
    return sum(_memory(one, "Rss") for one in processes)


def _memory(process: psutil.Process, name: str) -> float:
    """Return a figure of /proc/PID/smaps_rollup in MB; 0 for a process that has ended meanwhile."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / MB
    return 0.0


def _files(folder: Path) -> list[Path]:
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
