"""Make a backup, or bring one up to date: rows first, then the files that they name, then the word that it is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.utils import timezone

from embeddings.stored import sha256_of
from imgsim_site.backup import files, rows
from imgsim_site.backup.manifest import FILES, ROWS, BackupError, KeptFile, Manifest, is_backup, read_files, write_files
from search.models import Encoder
from search.version import version

Report = Callable[[str], None]
_DRAFT = "rows.dump.new"


def back_up(folder: Path, report: Report = lambda line: None) -> Manifest:
    """Write a backup of the site into a folder that is empty or has a backup; return what it says of itself.

    The site may run meanwhile. A run that is killed leaves the rows and pictures of the backup before as they were.
    Raises BackupError.
    """
    _check(folder)
    draft = folder / _DRAFT
    with rows.snapshot() as moment:
        report("Writing rows")
        encoders = list(Encoder.objects.order_by("name").values_list("name", flat=True))
        rows.dump(moment, draft)
    report(f"Copying {len(moment.file_names):,} files of images")
    known = _known(folder)
    copied = list(files.copy_media(moment.file_names, folder, known))
    kept = [one for one in copied if isinstance(one, KeptFile)] + list(files.copy_encoders(encoders, folder))
    digest = sha256_of(draft)
    dump = draft.replace(folder / ROWS.replace("*", digest[:12]))
    listed, files_digest = write_files(folder, kept)
    manifest = Manifest(
        made_at=timezone.now().isoformat(timespec="seconds"),
        version=version(),
        postgres=moment.postgres,
        rows=dump.name,
        rows_sha256=digest,
        files=listed.name,
        files_sha256=files_digest,
        counts=moment.counts,
        migrations=moment.migrations,
        encoders=encoders,
        n_files=len(kept),
        n_bytes=sum(one.n_bytes for one in kept),
        n_in_place=moment.n_in_place,
        missing=[one for one in copied if isinstance(one, str)],
    )
    manifest.write(folder)
    for old in {*folder.glob(ROWS), *folder.glob(FILES)} - {dump, listed}:
        old.unlink()
    files.remove_others(folder, kept)
    return manifest


def _known(folder: Path) -> dict[str, KeptFile]:
    """Return the files of the backup before, by path."""
    if not is_backup(folder):
        return {}
    return {one.path: one for one in read_files(folder / Manifest.read(folder).files)}


def _check(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = {one.name for one in folder.iterdir()}
    except OSError as error:
        raise BackupError(f"{folder} cannot be written: {error}.") from error
    # A first backup that was killed has no manifest yet.
    is_begun = _DRAFT in names and names <= {_DRAFT, files.MEDIA, files.ENCODERS}
    if names and not is_begun and not is_backup(folder):
        raise BackupError(f"{folder} has other files in it: name a folder that is empty or has a backup.")
