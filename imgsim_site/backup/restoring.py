"""Restore a backup: files, then rows all at once, then a look at whether everything is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from embeddings.stored import EncoderDamaged, EncoderMissing, StoredEncoder, sha256_of
from imgsim_site.backup import files, rows
from imgsim_site.backup.manifest import BackupError, KeptFile, Manifest, read_files
from search.models import Encoder, Image

Report = Callable[[str], None]
# Tables that migrations fill by themselves say nothing about whether a site is in use.
_TELLING = ("search_dataset", "search_encoder", "search_job", "auth_user")


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was restored. problems: what is not as it should be afterwards, in sentences."""

    manifest: Manifest
    n_images: int
    problems: list[str]

    def as_json(self) -> dict[str, Any]:
        return {"images": self.n_images, "files": self.manifest.n_files, "problems": self.problems}


def restore(folder: Path, *, replace: bool = False, report: Report = lambda line: None) -> Restored:
    """Restore a backup into a site that is empty; with `replace`, in place of what is there.

    Nothing else may use the database meanwhile. Rows come back in one step, or stay what they were.
    Raises BackupError.
    """
    manifest, kept = _opened(folder)
    _check_code(manifest)
    _check_site(replace=replace)
    report(f"Copying {len(kept):,} files")
    n_copied = sum(1 for _ in files.put_back(folder, kept))
    report(f"{n_copied:,} files are there. Restoring rows")
    rows.put_back(folder / manifest.rows, manifest.counts)
    call_command("migrate", verbosity=0)
    report("Looking whether everything is there")
    problems = [*_forget_old(), *_problems(kept)]
    return Restored(manifest=manifest, n_images=Image.objects.count(), problems=problems)


def restore_files(folder: Path, report: Report = lambda line: None) -> int:
    """Put back the files of a backup that the site's rows name and that are gone or damaged; return how many of them.

    Rows stay what they are. Raises BackupError.
    """
    _, kept = _opened(folder)
    named = {f"{files.MEDIA}/{name}" for row in Image.objects.values_list("file", "thumbnail") for name in row if name}
    installed = tuple(f"{files.ENCODERS}/{name}/" for name in Encoder.objects.values_list("name", flat=True))
    wanted = [one for one in kept if one.path in named or one.path.startswith(installed)]
    report(f"Copying {len(wanted):,} files")
    return sum(1 for _ in files.put_back(folder, wanted))


def _opened(folder: Path) -> tuple[Manifest, list[KeptFile]]:
    manifest = Manifest.read(folder)
    for name, digest in ((manifest.rows, manifest.rows_sha256), (manifest.files, manifest.files_sha256)):
        path = folder / name
        if Path(name).name != name or not path.is_file() or sha256_of(path) != digest:
            raise BackupError(f"{path} is missing or not the one that the backup was made with: take another backup.")
    return manifest, read_files(folder / manifest.files)


def _check_code(manifest: Manifest) -> None:
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    if unknown := [name for name in manifest.migrations if name not in known]:
        raise BackupError(
            f"The backup was made by a newer version ({manifest.version}), with {unknown[-1]}: upgrade this one first."
        )


def _check_site(*, replace: bool) -> None:
    if n_others := rows.others():
        raise BackupError(
            f"{n_others} connections of other programs use the database. Stop the web server, workers and beat first."
        )
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
    if replace or not any(n for table, n in rows.counts().items() if table in there.intersection(_TELLING)):
        return
    raise BackupError(
        "This site is in use: it has datasets, encoders, jobs or users. --replace puts the backup in their place."
    )


def _forget_old() -> list[str]:
    """Clear the queue and the cache: what stands there is of the site before, and the sweeper sends what waits."""
    try:
        cache.clear()
    except Exception as error:  # noqa: BLE001 -- whatever the cache's client raises
        return [f"Redis cannot be reached ({type(error).__name__}): run redis-cli FLUSHDB before workers start."]
    return []


def _problems(kept: list[KeptFile]) -> list[str]:
    there = {one.path for one in kept}
    names = [name for row in Image.objects.values_list("file", "thumbnail") for name in row if name]
    lost = [name for name in names if f"{files.MEDIA}/{name}" not in there or not default_storage.exists(name)]
    found = [f"{len(lost):,} files that rows name are not there, such as {lost[0]}."] if lost else []
    for encoder in Encoder.objects.all():
        try:
            StoredEncoder.read(encoder.folder).verify(encoder.folder)
        except (EncoderMissing, EncoderDamaged) as error:
            found.append(f"{encoder.name}: {error}.")
    return found
