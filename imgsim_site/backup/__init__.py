"""Backup and restore: rows by Postgres's own programs, files beside them, and a manifest that ties both together.

A backup is a folder: `manifest.json`, `rows-….dump`, `files-….tsv`, `media/` and `encoders/`; see docs/operations.md.
"""

from imgsim_site.backup.backing_up import back_up
from imgsim_site.backup.manifest import BackupError, Manifest
from imgsim_site.backup.restoring import restore, restore_files

__all__ = ["BackupError", "Manifest", "back_up", "restore", "restore_files"]
