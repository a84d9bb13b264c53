"""What people do on a site, a few at a time and at a steady rate: they look, search, upload, look after it, and err."""

from __future__ import annotations

import random
import threading
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

from benchmarks.visiting import Tally, Visitor
from tests.pictures import damaged_png, huge_header_png, jpeg_bytes, truncated_jpeg

VISITS_A_SECOND, N_AT_ONCE = 1.7, 4
N_IN_ARCHIVE = 5
PAGES = [
    "/",
    "/datasets/",
    "/datasets/{dataset}/",
    "/datasets/{dataset}/?page=2",
    "/datasets/{dataset}/statistics/",
    "/jobs/",
    "/jobs/workers/",
    "/encoders/",
    "/encoders/mobilenet_v2/",
    "/images/{image}/",
    "/results.csv?image={image}",
    "/regions.json?image={image}",
    "/login/",
    "/healthz",
    "/readyz",
    "/metrics",
]
LISTS = [
    "/api/v1/datasets",
    "/api/v1/datasets/{dataset}",
    "/api/v1/datasets/{dataset}/images?limit=50",
    "/api/v1/images/{image}",
    "/api/v1/images/{image}/vector",
    "/api/v1/encoders",
    "/api/v1/jobs",
    "/api/v1/evaluations",
    "/api/openapi.json",
]
WRONG = ["/nowhere/", "/?image=999999999", "/?image=x", "/datasets/none/", "/api/v1/images/0", "/images/9/0.jpg"]
ADMIN = ["/admin/", "/admin/search/image/", "/admin/search/dataset/", "/admin/search/job/", "/account/tokens/"]
WORDS = ["calm", "0001", "jpg", "round", "nothing like it"]
Draw = random.Random


@dataclass(frozen=True, kw_only=True)
class Place:
    """The site that people come to. images: ids and SHA-256 of its lasting dataset; rounds: slugs of those that go."""

    url: str
    dataset: str
    images: Sequence[tuple[int, str]]
    rounds: Sequence[str]
    name: str
    password: str
    token: str


class People:
    """Visits in a random order, the same for each seed."""

    def __init__(self, place: Place, tally: Tally, seed: int) -> None:
        self._place, self._tally, self._draw = place, tally, Draw(seed)
        self._program = Visitor(place.url, tally, token=place.token)
        self._free = threading.Semaphore(N_AT_ONCE)
        self._damaged = [truncated_jpeg(), damaged_png(), huge_header_png(), b"no picture", b""]
        self._visits: dict[Callable[[Draw], object], float] = {
            self._look: 26,
            self._list: 9,
            self._lose_the_way: 4,
            self._see_pictures: 18,
            self._see_similar: 14,
            self._ask_for_similar: 9,
            self._search_with_words: 5,
            self._send_by_page: 5,
            self._send_by_program: 9,
            self._send_damaged: 4,
            self._hang_up: 2,
            self._upload: 5,
            self._upload_archive: 0.7,
            self._administer: 0.7,
        }

    def come(self, ended: threading.Event) -> None:
        """Come and go until all has ended. Whoever finds `N_AT_ONCE` there does not come in."""
        with ThreadPoolExecutor(N_AT_ONCE) as threads:
            while not ended.wait(self._draw.expovariate(VISITS_A_SECOND)):
                (visit,) = self._draw.choices(list(self._visits), list(self._visits.values()))
                draw = Draw(self._draw.random())
                if self._free.acquire(blocking=False):
                    threads.submit(self._run, visit, draw)

    def _run(self, visit: Callable[[Draw], object], draw: Draw) -> None:
        try:
            visit(draw)
        except Exception as error:  # noqa: BLE001 -- told at the end
            self._tally.fail(visit.__name__, error)
        finally:
            self._free.release()

    def _stranger(self, draw: Draw) -> Visitor:
        return Visitor(self._place.url, self._tally, language=draw.choice(["en", "de"]))

    def _image(self, draw: Draw) -> int:
        return draw.choice(self._place.images)[0]

    def _address(self, draw: Draw, addresses: Sequence[str]) -> str:
        dataset = draw.choice([self._place.dataset, *self._place.rounds])
        return draw.choice(addresses).format(dataset=dataset, image=self._image(draw))

    def _look(self, draw: Draw) -> None:
        self._stranger(draw).get(self._address(draw, PAGES))

    def _list(self, draw: Draw) -> None:
        self._program.get(self._address(draw, LISTS))

    def _lose_the_way(self, draw: Draw) -> None:
        self._stranger(draw).get(draw.choice(WRONG))

    def _see_pictures(self, draw: Draw) -> None:
        image, sha256 = draw.choice(self._place.images)
        kind = draw.choice(["thumbnail", "thumbnail", "picture"])
        self._stranger(draw).get(f"/images/{image}/{kind}-{sha256[:12]}.jpg")

    def _see_similar(self, draw: Draw) -> None:
        more = draw.choice(["", "", "&words=1", "&orientation=landscape", f"&image={self._image(draw)}"])
        self._stranger(draw).get(f"/?image={self._image(draw)}{more}")

    def _ask_for_similar(self, draw: Draw) -> None:
        words = {"image_id": self._image(draw), "k": draw.choice([10, 100])}
        self._stranger(draw).send_json("POST", "/api/v1/search", words)

    def _search_with_words(self, draw: Draw) -> None:
        self._stranger(draw).get(f"/?words={draw.choice(WORDS).replace(' ', '+')}")

    def _send_by_page(self, draw: Draw) -> None:
        self._send_to_page(draw, _picture(draw))

    def _send_to_page(self, draw: Draw, content: bytes) -> None:
        visitor = self._stranger(draw)
        visitor.get("/")
        visitor.send("/", {}, ("picture", "sent.jpg", content))

    def _send_by_program(self, draw: Draw) -> None:
        self._stranger(draw).send("/api/v1/search", {"k": "10"}, ("image", "sent.jpg", _picture(draw)))

    def _send_damaged(self, draw: Draw) -> None:
        content = draw.choice(self._damaged)
        if draw.random() < 0.5:
            self._send_to_page(draw, content)
        else:
            self._stranger(draw).send("/api/v1/search", {}, ("image", "damaged.jpg", content))

    def _hang_up(self, draw: Draw) -> None:
        self._stranger(draw).hang_up("/api/v1/search", _picture(draw))

    def _upload(self, draw: Draw) -> None:
        """Add a picture to the latest of the datasets that go, or a damaged one."""
        if self._place.rounds:
            content = _picture(draw) if draw.random() < 0.8 else draw.choice(self._damaged)
            address = f"/api/v1/datasets/{self._place.rounds[-1]}/images"
            self._program.send(address, {"label": draw.choice(["", "sent"])}, ("image", "upload.jpg", content))

    def _upload_archive(self, draw: Draw) -> None:
        if self._place.rounds:
            packed = BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for number in range(N_IN_ARCHIVE):
                    archive.writestr(f"packed/{number}.jpg", _picture(draw))
                archive.writestr("packed/damaged.jpg", draw.choice(self._damaged))
            visitor, address = self._signed_in(draw), f"/datasets/{self._place.rounds[-1]}/upload/"
            visitor.get(address)
            visitor.send(f"{address}file/", {"folders": "on"}, ("file", "sent.zip", packed.getvalue()))
            visitor.get(address)
            visitor.sign_out()

    def _administer(self, draw: Draw) -> None:
        visitor = self._signed_in(draw)
        for address in draw.sample(ADMIN, 4):
            visitor.get(address)
        visitor.sign_out()

    def _signed_in(self, draw: Draw) -> Visitor:
        visitor = self._stranger(draw)
        visitor.sign_in(self._place.name, self._place.password)
        return visitor


def _picture(draw: Draw) -> bytes:
    return jpeg_bytes(draw.randrange(200, 800), draw.randrange(200, 800), seed=draw.randrange(2**31))
