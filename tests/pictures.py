"""Pictures made in memory for the tests: ordinary, odd and damaged ones, as the bytes of a file."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

ORIENTATION = 0x0112
# What a camera does to an upright picture before it says so by an orientation.
_UNTURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photo(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """Return a smooth coloured RGB picture that is different for each seed and symmetrical in no direction."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    content = BytesIO()
    picture.save(content, format_, **options)
    return content.getvalue()


def jpeg_bytes(width: int = 64, height: int = 48, *, seed: int = 0, quality: int = 90, **options: object) -> bytes:
    return saved(photo(width, height, seed), "JPEG", quality=quality, **options)


def png_bytes(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return saved(photo(width, height, seed), "PNG")


def plain_png(width: int, height: int, colour: str | tuple[int, int, int] = "red") -> bytes:
    return saved(Image.new("RGB", (width, height), colour), "PNG")


def plain_bmp(width: int, height: int, colour: str | tuple[int, int, int] = "red") -> bytes:
    """Return three bytes a pixel, however alike the pixels are."""
    return saved(Image.new("RGB", (width, height), colour), "BMP")


def shade(kind: str, number: int) -> bytes:
    """Return a PNG of a warm or a cold colour; of two numbers no two are the same."""
    strong, weak = 255 - 3 * number, 5 * number
    colour = (strong, weak, 20) if kind == "warm" else (weak, 20, strong)
    return plain_png(40, 30, colour)


def truncated_jpeg() -> bytes:
    content = jpeg_bytes(320, 240)
    return content[: len(content) // 2]


def damaged_png() -> bytes:
    """Return a PNG with one flipped bit in the middle of its pixels."""
    content = bytearray(png_bytes(320, 240))
    content[len(content) // 2] ^= 1
    return bytes(content)


def huge_header_png(width: int = 50_000, height: int = 50_000) -> bytes:
    """Return a small PNG whose header promises an enormous picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


def rotated_jpeg(orientation: int, width: int = 64, height: int = 48) -> bytes:
    """Return a JPEG whose EXIF tells how to turn it upright."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return jpeg_bytes(width, height, exif=exif)


def rotated_png(orientation: int, width: int = 64, height: int = 48) -> bytes:
    """Return a PNG whose EXIF stands behind its pixels, where only a full decode finds it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    body, end = png_bytes(width, height)[:-12], png_bytes(width, height)[-12:]
    return body + _chunk(b"eXIf", exif.tobytes()[6:]) + end


def grey16_png(level: int) -> bytes:
    return saved(Image.fromarray(np.full((32, 32), level, dtype=np.uint16)), "PNG")


def float_tiff(low: float, high: float) -> bytes:
    """Return a TIFF of 32-bit floats that rise from `low` to `high`."""
    return saved(Image.fromarray(np.linspace(low, high, 1024, dtype=np.float32).reshape(32, 32)), "TIFF")


def cmyk_jpeg(colour: tuple[int, int, int, int]) -> bytes:
    return saved(Image.new("CMYK", (32, 32), colour), "JPEG", quality=95)


def transparent_png() -> bytes:
    """Return a PNG that is red on the left and wholly transparent black on the right."""
    picture = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 20, 20))
    return saved(picture, "PNG")


def palette_png() -> bytes:
    """Return a PNG with a palette in which one colour, that of the whole picture, is transparent."""
    return saved(Image.new("P", (20, 20), 0), "PNG", transparency=0)


def png_without_its_palette() -> bytes:
    """Return a PNG whose pixels are places of a palette that it lacks."""
    content = saved(Image.new("P", (20, 20), 0), "PNG")
    start = content.index(b"PLTE") - 4
    (n_bytes,) = struct.unpack_from(">I", content, start)
    return content[:start] + content[start + n_bytes + 12 :]


def animated_gif() -> bytes:
    """Return a GIF whose first frame is green and whose second is blue."""
    green, blue = Image.new("RGB", (20, 20), (0, 255, 0)), Image.new("RGB", (20, 20), (0, 0, 255))
    return saved(green, "GIF", save_all=True, append_images=[blue])


def coloured(plain: Image.Image) -> dict[str, bytes]:
    """Return an RGB picture "plain" and in each way in which files keep colours, orientations and frames."""
    frames = {"save_all": True, "append_images": [ImageOps.invert(plain), plain]}
    kinds = {
        "plain": saved(plain, "PNG"),
        "cmyk jpeg": saved(plain.convert("CMYK"), "JPEG", quality=95),
        "cmyk tiff": saved(plain.convert("CMYK"), "TIFF"),
        "palette png": saved(plain.quantize(256), "PNG"),
        "palette gif": saved(plain, "GIF"),
        "opaque png": saved(plain.convert("RGBA"), "PNG"),
        "bmp": saved(plain, "BMP"),
        "progressive jpeg": saved(plain, "JPEG", quality=95, progressive=True),
    }
    kinds |= {f"moving {kind}": saved(plain, kind, **frames) for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF")}
    for orientation, turn in _UNTURNED.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        for kind in ("JPEG", "WEBP", "PNG", "AVIF"):
            kinds[f"turned {kind} {orientation}"] = saved(plain.transpose(turn), kind, exif=exif, quality=95)
    return kinds


def transparent(opaque: Image.Image) -> dict[str, bytes]:
    """Return a picture of which a part is transparent, "plain" on white and in each format that knows alpha."""
    clear = opaque.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size).point(lambda level: 255 if level > 40 else 0))
    white = Image.new("RGB", clear.size, "white")
    white.paste(clear, mask=clear)
    return {
        "plain": saved(white, "PNG"),
        "png": saved(clear, "PNG"),
        "webp": saved(clear, "WEBP", lossless=True),
        "avif": saved(clear, "AVIF", quality=95),
        "tiff": saved(clear, "TIFF"),
        "palette": saved(clear.quantize(256), "PNG"),
    }


def grey(coloured: Image.Image) -> dict[str, bytes]:
    """Return a grey picture "plain" and in each way in which files keep greys."""
    plain = coloured.convert("L")
    levels = np.asarray(plain)
    return {
        "plain": saved(plain, "PNG"),
        "16 bits png": saved(Image.fromarray(levels.astype(np.uint16) * 257), "PNG"),
        "16 bits tiff": saved(Image.fromarray(levels.astype(np.uint16) * 257), "TIFF"),
        "float tiff": saved(Image.fromarray(levels.astype(np.float32) / 255), "TIFF"),
        "jpeg": saved(plain, "JPEG", quality=95),
        "with alpha png": saved(plain.convert("LA"), "PNG"),
    }


def many_scans_jpeg(n_scans: int) -> bytes:
    """Return a JPEG with a scan repeated over and over, each of which costs a pass over the whole picture."""
    content = saved(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xda", first + 2)
    return content[:-2] + content[first:second] * n_scans + b"\xff\xd9"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
