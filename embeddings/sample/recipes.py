"""What a sample picture is, and how one is described before it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

JPEG_QUALITY = 88


@dataclass(frozen=True)
class SamplePicture:
    """A picture of the sample: its path inside the gallery, its label (the folder above the file) and its JPEG."""

    name: str
    label: str
    content: bytes


@dataclass(frozen=True)
class Recipe:
    """A sample picture that is not made yet, so that one that is on disk already costs nothing."""

    name: str
    label: str
    make: Callable[[], Image.Image]
    quality: int = JPEG_QUALITY

    def made(self) -> SamplePicture:
        content = BytesIO()
        self.make().save(content, "JPEG", quality=self.quality)
        return SamplePicture(self.name, self.label, content.getvalue())
