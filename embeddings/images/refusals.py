"""Why a picture is refused, in words for the person who sent it; the limits themselves are held in `decoding`."""

import re

_READ = "JPEG, PNG, GIF, WebP, BMP, TIFF or AVIF"

_DECODED = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"RIFF....WEBP": "WebP",
    b"BM": "BMP",
    b"(?:II\\*\0|MM\0\\*|II\\+\0|MM\0\\+)": "TIFF",
    b"....ftypavi[fs]": "AVIF",
}
_NOT_DECODED = {
    b"....ftyp(?:hei[cfxms]|hev[cxms]|mif1|msf1)": "a HEIC picture",
    b"(?:\0\0\0\x0cjP  |\xffO\xffQ)": "a JPEG 2000 picture",
    b"(?:\0\0\0\x0cJXL |\xff\n)": "a JPEG XL picture",
    b"8BPS": "a Photoshop file",
    b"\0\0[\x01\x02]\0": "an icon",
    b"(?:%!PS|\xc5\xd0\xd3\xc6)": "a PostScript file",
    b"%PDF": "a PDF file",
    b"(?s:.{0,512}?)<svg": "an SVG drawing",
    b"....ftyp": "a video",
}


class RefusedImage(ValueError):
    """A picture that is not taken: `code` for programs, `reason` a sentence for the person who sent it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def unidentified(content: bytes) -> RefusedImage:
    """Say what the file is instead of a picture, as far as its first bytes tell."""
    if kind := _first_match(_DECODED, content):
        return RefusedImage(
            "damaged", f"The file begins like a {kind} picture, but its header is damaged or incomplete."
        )
    if kind := _first_match(_NOT_DECODED, content):
        return RefusedImage("format", f"This is {kind}, which ImgSim does not read. Save it as {_READ}.")
    return RefusedImage("not_an_image", f"This is not a picture that ImgSim reads: it takes {_READ}.")


def undecodable(error: BaseException) -> RefusedImage:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return RefusedImage(
            "truncated", "The file breaks off before the end of the picture. Copy or download it again."
        )
    return RefusedImage("damaged", "The picture is damaged and cannot be decoded. Copy it again or save it anew.")


def too_large_file(n_bytes: int, max_bytes: int) -> RefusedImage:
    limit = f"{max_bytes / 1e6:.0f} MB"
    # What is read as a stream is given up soon after the limit: its size is not known then, nor told.
    size = f"more than {limit}" if n_bytes < max_bytes + 200_000 else f"{n_bytes / 1e6:.1f} MB"
    return RefusedImage(
        "too_large_file",
        f"The file has {size}; the limit is {limit}. Make the picture smaller or save it as JPEG.",
    )


def too_many_pixels(what: str, max_pixels: int) -> RefusedImage:
    return RefusedImage(
        "too_many_pixels",
        f"{what} is too large: the limit is {max_pixels / 1e6:.0f} megapixels. Make it smaller and try again.",
    )


def too_costly() -> RefusedImage:
    return RefusedImage(
        "too_costly",
        "Reading the picture takes more time or memory than any ordinary one. Save it again with a picture editor.",
    )


def without_vector() -> RefusedImage:
    return RefusedImage(
        "no_vector",
        "The encoder finds nothing in this picture by which to compare it with others. Another encoder may.",
    )


def _first_match(kinds: dict[bytes, str], content: bytes) -> str | None:
    return next((name for pattern, name in kinds.items() if re.match(pattern, content, re.DOTALL)), None)
