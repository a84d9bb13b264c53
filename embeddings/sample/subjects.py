"""Photographs that come inside the wheels of scikit-image and scikit-learn, and what becomes of each of them."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from embeddings.sample.recipes import JPEG_QUALITY, Recipe

CREDITS = """\
The sample photographs come inside the Python packages scikit-image and scikit-learn. ImgSim shrinks, crops, turns and
recolours them.

- astronaut: Eileen Collins, NASA; public domain
- brick wall: CC0Textures; CC0
- photographer: Lav Varshney; CC0
- chelsea the cat: Stefan van der Walt; CC0
- coffee: Rachel Michetti, by courtesy of Pikolo Espresso Bar; CC0
- ancient coins: Brooklyn Museum; no known copyright restrictions
- grass: linolafett; CC0
- gravel: CC0Textures; CC0
- horse: Andreas Preuss; CC0
- deep space: NASA, Hubble eXtreme Deep Field; public domain
- human tissue: Center for Microscopy and Molecular Imaging; no known copyright restrictions
- retina: Mikael Häggström; CC0
- rocket: SpaceX; public domain
- handwriting: Wikipedia; public domain
- pagoda: danielbuechele, https://www.flickr.com/photos/danielbuechele/6061409035/; CC BY 2.0
- dahlia: vultilion, https://www.flickr.com/photos/vultilion/6056698931/; CC BY 2.0
"""

LONG_EDGE = 480
_FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick wall": ("skimage", "data/brick.png"),
    "photographer": ("skimage", "data/camera.png"),
    "chelsea the cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "ancient coins": ("skimage", "data/coins.png"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "horse": ("skimage", "data/horse.png"),
    "deep space": ("skimage", "data/hubble_deep_field.jpg"),
    "human tissue": ("skimage", "data/ihc.png"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "handwriting": ("skimage", "data/text.png"),
    "pagoda": ("sklearn", "datasets/images/china.jpg"),
    "dahlia": ("sklearn", "datasets/images/flower.jpg"),
}
_GREY = {"brick wall", "photographer", "ancient coins", "grass", "gravel", "horse", "handwriting"}
_NEEDS_COLOUR = {"-grey", "-other-colours"}  # a grey photograph would stay the same to the last byte


def photograph_recipes() -> Iterator[Recipe]:
    """Yield each photograph and its versions; a photograph that an installed library lacks is left out."""
    for label, (package, file) in _FILES.items():
        path = _package_path(package) / file
        versions = _CHANGES.keys() - (_NEEDS_COLOUR if label in _GREY else set())
        for version in sorted(versions) if path.exists() else ():
            yield Recipe(
                name=f"photographs/{label}/{label.replace(' ', '-')}{version}.jpg",
                label=label,
                make=partial(_changed, path, _CHANGES[version]),
                quality=12 if version == "-recompressed" else JPEG_QUALITY,
            )


def _package_path(package: str) -> Path:
    """Return where an installed package lies, without importing it: that would take a second."""
    spec = find_spec(package)
    return Path(str(spec.origin)).parent if spec else Path(package)


def _changed(path: Path, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    return change(_photograph(path))


@lru_cache(maxsize=1)
def _photograph(path: Path) -> Image.Image:
    with Image.open(path) as image:
        rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    photograph = Image.alpha_composite(white, rgba).convert("RGB")
    photograph.thumbnail((LONG_EDGE, LONG_EDGE), Image.Resampling.LANCZOS)
    return photograph


def _cropped(left: float, top: float, right: float, bottom: float, image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))


def _tilted(degrees: float, image: Image.Image) -> Image.Image:
    """Turn by a few degrees and cut off the corners that are left empty."""
    return _cropped(0.1, 0.1, 0.9, 0.9, image.rotate(degrees, Image.Resampling.BICUBIC))


def _tinted(black: str, middle: str, white: str, image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), black=black, white=white, mid=middle)


def _channels_scaled(red: float, green: float, blue: float, image: Image.Image) -> Image.Image:
    return image.point([min(255, round(level * scale)) for scale in (red, green, blue) for level in range(256)])


def _hue_turned(turn: int, image: Image.Image) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "": lambda image: image,
    "-mirrored": ImageOps.mirror,
    "-left": partial(_cropped, 0.0, 0.0, 0.65, 0.9),
    "-right": partial(_cropped, 0.35, 0.1, 1.0, 1.0),
    "-middle": partial(_cropped, 0.15, 0.15, 0.85, 0.85),
    "-close": partial(_cropped, 0.22, 0.18, 0.7, 0.72),
    "-tilted": partial(_tilted, 9.0),
    "-tilted-back": partial(_tilted, -6.0),
    "-quarter-turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "-grey": lambda image: image.convert("L").convert("RGB"),
    "-sepia": partial(_tinted, "#1d1008", "#a9875a", "#fff4dc"),
    "-night": partial(_tinted, "#02040f", "#2d4a86", "#dce9ff"),
    "-warm": partial(_channels_scaled, 1.15, 1.0, 0.78),
    "-cool": partial(_channels_scaled, 0.82, 0.97, 1.15),
    "-other-colours": partial(_hue_turned, 90),
    "-bright": lambda image: ImageEnhance.Brightness(image).enhance(1.35),
    "-dark": lambda image: ImageEnhance.Brightness(image).enhance(0.55),
    "-soft": lambda image: image.filter(ImageFilter.GaussianBlur(2.5)),
    "-small": lambda image: ImageOps.contain(image, (160, 160), Image.Resampling.LANCZOS),
    "-recompressed": lambda image: image,
}
