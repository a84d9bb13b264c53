"""Which rule tells edited copies of a photograph from photographs that are merely alike.

Photographs are edited as people edit them; each edited one asks a gallery that has the original among all the others.
Recall: of the edited ones, how many find their original. False finds: of the photographs as they are, whose own row is
left out, how many find anything at all: another photograph of the same product on the same shelf is alike and no copy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from benchmarks import report
from benchmarks.site import fresh_site, say, use
from embeddings import images, sample
from embeddings.encoder import Encoder
from embeddings.images import parts
from embeddings.images.parts import Grey

BATCH = 64
WHITE, RED = (255, 255, 255), (200, 30, 30)
Bits = NDArray[np.uint8]
Distances = NDArray[np.float32]


def _jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    content = BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def _png(picture: Image.Image) -> bytes:
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _cropped(share: float, place: float, picture: Image.Image) -> Image.Image:
    """Keep a share of each edge, from the middle (place .5) or a corner (0)."""
    width, height = round(share * picture.width), round(share * picture.height)
    left, top = round(place * (picture.width - width)), round(place * (picture.height - height))
    return picture.crop((left, top, left + width, top + height))


def _captioned(picture: Image.Image) -> Image.Image:
    captioned = picture.copy()
    size = picture.height // 9
    ImageDraw.Draw(captioned).text((size, picture.height - 2 * size), "for sale today", WHITE, font_size=size)
    return captioned


def _with_logo(picture: Image.Image) -> Image.Image:
    """Cover a fourth of each edge in a corner, 6 % of the picture."""
    marked = picture.copy()
    width, height = picture.width // 4, picture.height // 4
    ImageDraw.Draw(marked).ellipse((picture.width - width - 8, 8, picture.width - 8, height + 8), fill=RED)
    return marked


def _bordered(picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture, picture.width // 20, WHITE)


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda picture: ImageOps.scale(picture, 0.5),
    "a quarter of the size": lambda picture: ImageOps.scale(picture, 0.25),
    "JPEG of quality 30": lambda picture: picture,
    "PNG": lambda picture: picture,
    "90 % of the edges, middle": partial(_cropped, 0.9, 0.5),
    "90 %, corner": partial(_cropped, 0.9, 0.0),
    "75 %, middle": partial(_cropped, 0.75, 0.5),
    "75 %, corner": partial(_cropped, 0.75, 0.0),
    "50 %, middle": partial(_cropped, 0.5, 0.5),
    "50 %, corner": partial(_cropped, 0.5, 0.0),
    "30 % brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "30 % darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "30 % more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.3),
    "30 % less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "a line of text": _captioned,
    "a logo": _with_logo,
    "a border": _bordered,
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "turned by 3 degrees": lambda picture: picture.rotate(3, Image.Resampling.BICUBIC, fillcolor=WHITE),
    "mirrored": ImageOps.mirror,
    "turned by 90 degrees": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """Pictures as a search sees them. vectors: float32 (n, dim), of unit length; phashes: uint64 (n,)."""

    vectors: NDArray[np.float32]
    phashes: NDArray[np.uint64]
    greys: list[Grey]

    @classmethod
    def of(cls, contents: Iterable[bytes], network: Encoder) -> Pictures:
        vectors, phashes, greys, batch = [], [], [], []
        for content in contents:
            prepared = images.prepare(content, input_size=network.spec.input_size)
            phashes.append(int(prepared.phash, 2))
            greys.append(parts.grey(prepared.thumbnail))
            batch.append(prepared.input)
            if len(batch) == BATCH:
                vectors.append(network.encode(np.stack(batch)))
                batch.clear()
        if batch:
            vectors.append(network.encode(np.stack(batch)))
        return cls(vectors=np.concatenate(vectors), phashes=np.array(phashes, dtype=np.uint64), greys=greys)

    def at(self, places: NDArray[np.int64]) -> Pictures:
        greys = [self.greys[place] for place in places]
        return Pictures(vectors=self.vectors[places], phashes=self.phashes[places], greys=greys)

    def compared(self, gallery: Pictures) -> tuple[Distances, Bits]:
        """Return the cosine distances and the differing bits of each pair, float32 and uint8 (n, n_gallery).

        Where one of the hashes only says that a picture is plain, all 64 bits count as different.
        """
        bits = np.bitwise_count(self.phashes[:, np.newaxis] ^ gallery.phashes)
        tell = _tells(self.phashes)[:, np.newaxis] & _tells(gallery.phashes)
        return 1 - self.vectors @ gallery.vectors.T, np.where(tell, bits, np.uint8(64))


# What can be said of all pairs at once. The rule of the search looks at a few of them as pictures too.
RULES: dict[str, Callable[[Distances, Bits], NDArray[np.bool_]]] = {
    "2 bits": lambda distances, bits: bits <= 2,
    "6 bits": lambda distances, bits: bits <= 6,
    "10 bits": lambda distances, bits: bits <= 10,
    "distance .02": lambda distances, bits: distances <= 0.02,
    "distance .05": lambda distances, bits: distances <= 0.05,
    "6 bits or .05": lambda distances, bits: (bits <= 6) | (distances <= 0.05),
    "10 bits and .10": lambda distances, bits: (bits <= 10) & (distances <= 0.10),
}


def _tells(phashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    ones = np.bitwise_count(phashes)
    return (ones >= 7) & (ones <= 57)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What pictures find in a gallery, a set of places each: by each of RULES, and as the search page judges."""

    by_rule: dict[str, list[set[int]]]
    by_search: list[set[int]]
    distances: Distances
    bits: Bits


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("photographs", type=Path, help="a folder of photographs, their labels the folders above them")
    parser.add_argument("--queries", type=int, default=360, help="photographs to edit (default: 360)")
    parser.add_argument("--var", type=Path, help="keep the site here, and use what is there already")
    options = parser.parse_args()
    with fresh_site(options.var) as site:
        use(site)
        network = Encoder.load(site.var / "encoders" / "mobilenet_v2")
        paths = sorted(path for path in options.photographs.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
        contents = [path.read_bytes() for path in paths] + _sample_photographs()
        gallery = Pictures.of(contents, network)
        chosen = np.unique(np.linspace(0, len(contents) - 1, options.queries, dtype=np.int64))
        say(f"{len(contents)} photographs, {len(chosen)} of them edited")
        rows = [_recall(name, chosen, contents, gallery, network) for name in EDITS]
        report.tell("Edited photographs that find their original", rows)
        report.tell("What finds other photographs", _false_finds(gallery, [path.parent.name for path in paths]))


def _sample_photographs() -> list[bytes]:
    """Return the photographs of the sample as they are, without their versions."""
    return [one.content for one in sample.photographs() if one.name.endswith(f"/{one.label.replace(' ', '-')}.jpg")]


def _recall(
    name: str, chosen: NDArray[np.int64], contents: Sequence[bytes], gallery: Pictures, network: Encoder
) -> dict[str, object]:
    say(name)
    edited = Pictures.of((_edited(name, contents[place]) for place in chosen), network)
    answers = _answers(edited, gallery)
    own = np.arange(len(chosen)), chosen
    others = [found - {place} for found, place in zip(answers.by_search, chosen.tolist(), strict=True)]
    return {
        "edit": name,
        "bits": float(np.median(answers.bits[own])),
        "distance": float(np.median(answers.distances[own])),
        **{rule: _share(found, chosen) for rule, found in answers.by_rule.items()},
        "search": _share(answers.by_search, chosen),
        "finds others": float(np.mean([bool(found) for found in others])),
    }


def _share(found: Sequence[set[int]], own: NDArray[np.int64]) -> float:
    return float(np.mean([place in places for places, place in zip(found, own.tolist(), strict=True)]))


def _edited(name: str, content: bytes) -> bytes:
    edited = EDITS[name](Image.open(BytesIO(content)).convert("RGB"))
    return _png(edited) if name == "PNG" else _jpeg(edited, 30 if name == "JPEG of quality 30" else 90)


def _answers(asking: Pictures, gallery: Pictures, without: NDArray[np.int64] | None = None) -> Answers:
    """Return what the pictures find. without: the place of each in the gallery, which is left out of its answer."""
    distances, bits = asking.compared(gallery)
    if without is not None:
        own = np.arange(len(without)), without
        distances[own], bits[own] = 2, 64
    by_rule = {
        rule: [set(np.flatnonzero(found).tolist()) for found in judge(distances, bits)] for rule, judge in RULES.items()
    }
    by_search = [
        _found_by_search(query, gallery.greys, *pair)
        for query, *pair in zip(asking.greys, distances, bits, strict=True)
    ]
    return Answers(by_rule=by_rule, by_search=by_search, distances=distances, bits=bits)


def _found_by_search(query: Grey, gallery: Sequence[Grey], distances: Distances, bits: Bits) -> set[int]:
    """Return what `search.asking.duplicates` takes for the query's picture. distances, bits: (n_gallery,)."""
    from search.asking.duplicates import LIKELY_BITS, LOOKED_AT, SURE_BITS  # here: it needs the settings of a site

    by_bits = [place for place in np.argsort(bits, kind="stable").tolist() if bits[place] <= LIKELY_BITS]
    sure = {place for place in by_bits if bits[place] <= SURE_BITS}
    likely = [place for place in by_bits if place not in sure][:LOOKED_AT]
    likely += np.argsort(distances, kind="stable")[:LOOKED_AT].tolist()
    return sure | {place for place in likely if parts.relation(query, gallery[place])}


def _false_finds(gallery: Pictures, labels: Sequence[str]) -> list[dict[str, object]]:
    """Count the photographs that find another one, and those that find one of another label. labels: of the first."""
    counts = {rule: [0, 0] for rule in [*RULES, "search"]}
    names = np.array([*labels, *(f"sample {n}" for n in range(len(gallery.greys) - len(labels)))])
    for start in range(0, len(names), 256):
        rows = np.arange(start, min(start + 256, len(names)))
        answers = _answers(gallery.at(rows), gallery, without=rows)
        for rule, found in [*answers.by_rule.items(), ("search", answers.by_search)]:
            for row, places in zip(rows.tolist(), found, strict=True):
                counts[rule][0] += bool(places)
                counts[rule][1] += any(names[place] != names[row] for place in places)
    return [
        {"rule": rule, "photographs": len(names), "find another one": found, "of another label": strangers}
        for rule, (found, strangers) in counts.items()
    ]


if __name__ == "__main__":
    main()
