"""From any image that Pillow can read to a square of 8-bit grey or RGB pixels."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ganzoo_core.errors import DataError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Result = TypeVar("Result")

RESIZE_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
"""Filters that Pillow widens when it shrinks an image, so that none of them aliases."""

GREY_MODES = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"}

# Named one by one because Pillow also knows formats (EPS) that it hands to another program.
FORMATS = (
    *("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "TGA", "AVIF", "JPEG2000"),
    *("ICO", "PCX", "SGI", "DDS", "QOI"),
)


@dataclass(frozen=True)
class PixelFormat:
    """What images are decoded to: uint8 squares of `image_size`, with 1 or 3 `channels`."""

    image_size: int
    channels: int
    resize_filter: str


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before its pixels are read: width and height, and grey."""

    size: tuple[int, int]
    grey: bool


class BrokenImageError(Exception):
    """An image file that cannot be decoded; the message is the reason, without the path."""


def read_image(stream: IO[bytes], target: PixelFormat) -> Bytes:
    """Decode one image file to uint8 [size, size, channels]; an animation gives its first frame.

    The shorter side is resized to the target and the longer one cropped about its centre.

    Raises:
        BrokenImageError: The file is damaged, too large for Pillow's limit, or not an image.
    """
    return _guarded(stream, lambda image: fit_image(_to_eight_bit(image), target))


def read_fitted(path: Path, target: PixelFormat) -> Bytes:
    """Decode one image file to uint8 [size, size, channels], as `read_image` does.

    Raises:
        DataError: the file cannot be read as an image.
    """
    # A copy, since what Pillow lends may not be written to.
    return np.array(_read(path, lambda stream: read_image(stream, target)))


def read_whole(path: Path, *, channels: int) -> Bytes:
    """Decode one image file, upright, to uint8 [height, width, channels] of its own size.

    Raises:
        DataError: the file cannot be read as an image.
    """
    mode = "L" if channels == 1 else "RGB"
    image = _read(
        path,
        lambda stream: _guarded(stream, lambda image: _to_eight_bit(image).convert(mode)),
    )
    return np.array(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def read_halves(stream: IO[bytes], target: PixelFormat) -> Bytes:
    """Decode a file that holds two images side by side to uint8 [size, size, 2 × channels].

    Raises:
        BrokenImageError: as `read_image`, or the file is less than two pixels wide.
    """

    def both(image: Image.Image) -> Bytes:
        image = _to_eight_bit(image)
        width, height = image.size
        if width < 2:
            raise ValueError("it is too narrow to hold two images side by side")
        middle = width // 2
        halves = (image.crop((0, 0, middle, height)), image.crop((middle, 0, 2 * middle, height)))
        return np.concatenate([fit_image(half, target) for half in halves], axis=-1)

    return _guarded(stream, both)


def read_frames(stream: IO[bytes], target: PixelFormat) -> Bytes:
    """Decode an animation, or a strip of square frames, to uint8 [T, size, size, channels].

    A picture that is a whole number of times as long as wide, either way, is a strip; any other is
    a single frame.

    Raises:
        BrokenImageError: as `read_image`.
    """

    def frames(image: Image.Image) -> Bytes:
        if (count := _pictures_in(image)) > 1:
            pictures = []
            for number in range(count):
                image.seek(number)
                pictures.append(fit_image(_to_eight_bit(image), target))
            return np.stack(pictures)
        image = _to_eight_bit(image)
        side, count = min(image.size), frames_in(image.size)
        across = image.width > image.height
        boxes = (
            (at, 0, at + side, side) if across else (0, at, side, at + side)
            for at in range(0, count * side, side)
        )
        if count == 1:
            return fit_image(image, target)[None]
        return np.stack([fit_image(image.crop(box), target) for box in boxes])

    return _guarded(stream, frames)


def read_clip_header(stream: IO[bytes]) -> tuple[Header, int]:
    """Read the size of a frame of an animation or strip, whether it is grey, and their number.

    Raises:
        BrokenImageError: The header cannot be read.
    """

    def header(image: Image.Image) -> tuple[Header, int]:
        if (count := _pictures_in(image)) > 1:
            return Header(image.size, _is_grey(image)), count
        count = frames_in(image.size)
        size = image.size if count == 1 else (min(image.size), min(image.size))
        return Header(size, _is_grey(image)), count

    return _guarded(stream, header)


def _pictures_in(image: Image.Image) -> int:
    """Return how many pictures a file holds, one after another in time; 1 for most."""
    return int(getattr(image, "n_frames", 1))


def frames_in(size: tuple[int, int]) -> int:
    """Return how many square frames a picture of this width and height holds in a row."""
    return max(size) // min(size) if max(size) % min(size) == 0 else 1


def read_header(stream: IO[bytes]) -> Header:
    """Read an image file's size and whether it is greyscale, without decoding its pixels.

    Raises:
        BrokenImageError: The header cannot be read.
    """
    return _guarded(stream, lambda image: Header(image.size, _is_grey(image)))


def fit_image(image: Image.Image, target: PixelFormat) -> Bytes:
    """Return an 8-bit image as uint8 [size, size, channels], resized and cropped where needed."""
    image = image.convert("L" if target.channels == 1 else "RGB")
    width, height = image.size
    side, size = min(width, height), target.image_size
    if side == size:
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    else:
        # Resizing only the central square is resizing and then cropping: the filter still sees
        # the pixels around it, and a very long image needs no more memory than a square one.
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        image = image.resize((size, size), RESIZE_FILTERS[target.resize_filter], box=box)
    return np.asarray(image, dtype=np.uint8).reshape(size, size, target.channels)


def fit_block(block: Bytes, target: PixelFormat) -> Bytes:
    """Return images [B, H, W, C] as [B, size, size, channels], exactly as `fit_image` would.

    Images whose shorter side is right already are handled all at once.
    """
    height, width, channels = block.shape[1:]
    if channels == 4 or min(height, width) != target.image_size:
        images = (Image.fromarray(pixels[..., 0] if channels == 1 else pixels) for pixels in block)
        return np.stack([fit_image(_without_alpha(image), target) for image in images])
    top, left = (height - target.image_size) // 2, (width - target.image_size) // 2
    block = block[:, top : top + target.image_size, left : left + target.image_size]
    if channels == 1 and target.channels == 3:
        return np.repeat(block, 3, axis=-1)
    if channels == 3 and target.channels == 1:
        # The weights of Pillow's conversion to grey, in its fixed-point arithmetic.
        weighted = block.astype(np.uint32) @ np.array([19595, 38470, 7471], dtype=np.uint32)
        return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., None]
    return block


def _read(path: Path, use: Callable[[IO[bytes]], Result]) -> Result:
    """Open one image file and use it, with every failure as a DataError."""
    try:
        with path.open("rb") as stream:
            return use(stream)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except BrokenImageError as error:
        raise DataError(f"{path} cannot be decoded: {error}; check that it is whole") from None


def _guarded(stream: IO[bytes], use: Callable[[Image.Image], Result]) -> Result:
    """Open an image file and use it, with whatever its decoder raises as a BrokenImageError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(stream, formats=_formats()) as image:
                return use(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise BrokenImageError(
                f"more than the {Image.MAX_IMAGE_PIXELS} pixels that Pillow takes for safe"
            ) from error
        except UnidentifiedImageError as error:
            raise BrokenImageError("not an image in a known format") from error
        except Exception as error:  # decoders raise whatever their parsing of damaged bytes hits
            raise BrokenImageError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P" and (palette := image.getpalette("RGB")):
        return palette[0::3] == palette[1::3] == palette[2::3]
    return image.mode in GREY_MODES


def _to_eight_bit(image: Image.Image) -> Image.Image:
    """Return an image upright, with 8 bits a channel, as "L" or "RGB"."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        return _scaled(image, 1.0)
    if image.mode.startswith("I"):  # 16 bits; Pillow before 11 reads them as 32
        return _scaled(image, 65535.0)
    return _without_alpha(image)


def _scaled(image: Image.Image, white: float) -> Image.Image:
    """Bring grey values from 0 to `white` to 8 bits."""
    values = np.asarray(image).astype(np.float64)
    if not (values.min() >= 0 and values.max() <= white):
        raise ValueError(
            f"grey values from {values.min():g} to {values.max():g}, expected 0 to {white:g}"
        )
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    """Return an 8-bit image as "L" or "RGB", laid on white where it is transparent."""
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("L" if image.mode in GREY_MODES else "RGB")
