"""STORAGE_URL: where the files of images are kept, from one line to the settings of a storage."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_FORM = "STORAGE_URL must look like s3://KEY:SECRET@host:9000/bucket?region=eu-central-1 or file:///path"
_KNOWN = {"region", "tls"}


def storage_of(url: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings of the default storage; of the folder where the URL is empty.

    s3://KEY:SECRET@host:port/bucket/prefix?region=NAME&tls=false: a service that speaks S3; without a host Amazon's,
    without a key what its client finds by itself. Raises ValueError with a sentence.
    """
    parts = urlsplit(url)
    if not url or parts.scheme == "file":
        return _of_files(Path(unquote(parts.path)) if url else folder, parts.netloc)
    if parts.scheme != "s3":
        raise ValueError(f"{_FORM}; it begins with {parts.scheme or 'no scheme'!r}.")
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise ValueError("STORAGE_URL names S3, which takes more packages: pip install -r requirements-s3.lock")
    bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
    words = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if not bucket or words.keys() - _KNOWN or words.get("tls", "true") not in {"true", "false"}:
        raise ValueError(f"{_FORM}; it has no bucket, or something else than region and tls=true or false.")
    options: dict[str, Any] = {"bucket_name": bucket, "location": prefix, "default_acl": None, "file_overwrite": True}
    if parts.username:
        options |= {"access_key": unquote(parts.username), "secret_key": unquote(parts.password or "")}
    if words.get("region"):
        options["region_name"] = words["region"]
    if parts.hostname:
        scheme = "https" if words.get("tls", "true") == "true" else "http"
        port = f":{parts.port}" if parts.port else ""
        # Few services besides Amazon's have a name for each bucket.
        options |= {"endpoint_url": f"{scheme}://{parts.hostname}{port}", "addressing_style": "path"}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def _of_files(folder: Path, host: str) -> dict[str, Any]:
    if host or not folder.is_absolute():
        raise ValueError(f"{_FORM}; a path begins with a slash, and has no host before it.")
    return {"BACKEND": "search.files.storage.AtomicFileStorage", "OPTIONS": {"location": folder}}
