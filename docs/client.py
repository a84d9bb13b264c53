"""A small client of the ImgSim API, with nothing but Python's standard library.

    python client.py http://localhost:8000 imgsim_… Birds ~/Pictures/robin.jpg

puts a picture into a dataset of one's own, waits until it can be found, and prints what is most like it.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Refused(Exception):
    """The server refused a request. `code` is for programs, the message for people."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.status: int = problem["status"]
        self.code: str = problem["code"]


class ImgSim:
    """One ImgSim server, asked with a token from its page /account/tokens/, or as anybody."""

    def __init__(self, root: str, token: str = "") -> None:
        self._root = root.rstrip("/") + "/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def datasets(self) -> Iterator[dict[str, Any]]:
        """Yield all datasets that the token's owner may see."""
        return self._pages("/datasets")

    def make_dataset(self, name: str, *, is_public: bool = False) -> dict[str, Any]:
        return self._send_json("POST", "/datasets", {"name": name, "is_public": is_public})

    def images(self, dataset: str, **filters: str) -> Iterator[dict[str, Any]]:
        """Yield the images of a dataset: `images("birds", label="robin", status="ready")`."""
        return self._pages(f"/datasets/{dataset}/images", **filters)

    def upload(self, dataset: str, path: Path, *, label: str = "") -> dict[str, Any]:
        """Add a picture. Where the connection breaks, it is sent once more with the same key: it is added once."""
        key = str(uuid.uuid4())
        try:
            return self._upload(dataset, path, label, key)
        except urllib.error.URLError:
            return self._upload(dataset, path, label, key)

    def wait(self, image_id: int, *, seconds: float = 60) -> dict[str, Any]:
        """Return an image as soon as it can be found; one that was refused says why in `refusal`."""
        ends_at = time.monotonic() + seconds
        while (image := self.image(image_id))["status"] == "pending" and time.monotonic() < ends_at:
            time.sleep(0.5)
        return image

    def image(self, image_id: int) -> dict[str, Any]:
        return self._read("GET", f"/images/{image_id}")

    def label(self, image_id: int, label: str) -> dict[str, Any]:
        return self._send_json("PATCH", f"/images/{image_id}", {"label": label})

    def delete(self, image_id: int) -> None:
        """Put an image into the trash; `restore` takes it back within a day."""
        self._read("DELETE", f"/images/{image_id}")

    def restore(self, image_id: int) -> dict[str, Any]:
        return self._read("POST", f"/images/{image_id}/restore")

    def like_picture(self, path: Path, **options: str | int) -> list[dict[str, Any]]:
        """Return what is most like a picture: `like_picture(path, dataset="birds", k=5)`."""
        fields = {name: str(value) for name, value in options.items()}
        hits: list[dict[str, Any]] = self._send_form("/search", fields, path)["hits"]
        return hits

    def like_images(self, wanted: list[int], unwanted: list[int], **options: Any) -> list[dict[str, Any]]:
        """Return what is like some images and unlike others."""
        words = {"image_ids": wanted, "less_ids": unwanted, **options}
        hits: list[dict[str, Any]] = self._send_json("POST", "/search", words)["hits"]
        return hits

    def _upload(self, dataset: str, path: Path, label: str, key: str) -> dict[str, Any]:
        return self._send_form(f"/datasets/{dataset}/images", {"label": label}, path, {"Idempotency-Key": key})

    def _pages(self, path: str, **words: str) -> Iterator[dict[str, Any]]:
        while True:
            page = self._read("GET", f"{path}?{urllib.parse.urlencode(words)}")
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            words["cursor"] = page["next_cursor"]

    def _send_json(self, method: str, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        return self._read(method, path, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    def _send_form(
        self, path: str, fields: dict[str, str], file: Path, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        boundary = uuid.uuid4().hex
        name = file.name.replace('"', "%22")
        parts = [
            *(f'name="{field}"\r\n\r\n{value}'.encode() for field, value in fields.items()),
            f'name="image"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode()
            + file.read_bytes(),
        ]
        head = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
        body = b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._read("POST", path, body, {**kind, **(headers or {})})

    def _read(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        request = urllib.request.Request(
            self._root + path, data=body, headers={**self._headers, **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                told: dict[str, Any] = json.loads(answer.read() or b"{}")
                return told
        except urllib.error.HTTPError as error:
            raise Refused(json.loads(error.read())) from error


def main(root: str, token: str, name: str, file: str) -> None:
    server = ImgSim(root, token)
    known = next((one for one in server.datasets() if one["name"] == name), None)
    dataset = (known or server.make_dataset(name))["slug"]
    image = server.wait(server.upload(dataset, Path(file))["id"])
    print(f"{image['name']} is image {image['id']} of {dataset}: {image['status']}")
    for hit in server.like_picture(Path(file), k=5):
        print(f"{hit['similarity']:.3f}  {hit['source']}  {hit['label']}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(str(refused))
