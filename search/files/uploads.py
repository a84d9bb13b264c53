"""Uploads are read to the end and kept up to their limit: a body of gigabytes fills neither disk nor memory."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler

from embeddings.images.decoding import MAX_FILE_BYTES


class LimitedUploadHandler(FileUploadHandler):
    """Lets through the first bytes of a file, just enough of them for the form to see that it is too large."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.n_bytes = 0

    def limit(self) -> int:
        """Return how many bytes of the file are wanted at most."""
        return MAX_FILE_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        is_over = self.n_bytes > self.limit()
        self.n_bytes += len(raw_data)
        return None if is_over else raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the handlers behind this one."""
