"""Pictures out of tensors: grids, single files, arrays and animations."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo_core.errors import UnsupportedError
from ganzoo_core.files import whole_file, whole_folder

FORMATS = (".png", ".jpg", ".jpeg", ".npz", ".gif", ".mp4")


def to_uint8(images: Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Return images [N, C, H, W] in [-1, 1] as an array [N, H, W, C] of 0 to 255."""
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round()
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    array = scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array


def grid(images: Tensor, columns: int | None = None, *, enlarge: int = 1) -> Image.Image:
    """Lay images [N, C, H, W] in [-1, 1] out as one picture, about as wide as high.

    `enlarge` shows each pixel as a square of so many, which small images need to be seen.
    """
    pixels = to_uint8(images).repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    gap = 2 * enlarge
    count, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8
    )
    for number, picture in enumerate(pixels):
        row, column = divmod(number, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return as_picture(sheet)


def save(images: Tensor, out: Path, *, columns: int | None = None, enlarge: int = 1) -> None:
    """Save images [N, C, H, W] in [-1, 1] in the form that the name asks for.

    `.png` and `.jpg` make a grid, `.npz` an array `images` [N, H, W, C] of 0 to 255, `.gif` and
    `.mp4` a moving picture, and a name without a suffix a folder of PNG files.

    Raises:
        UnsupportedError: the suffix is none of these.
        RunError: the place cannot be written.
    """
    check_format(out)
    suffix = out.suffix.lower()
    if suffix in (".png", ".jpg", ".jpeg"):
        with whole_file(out) as partial:
            grid(images, columns, enlarge=enlarge).save(
                partial, "PNG" if suffix == ".png" else "JPEG"
            )
    elif suffix == ".npz":
        with whole_file(out) as partial, partial.open("wb") as file:
            np.savez_compressed(file, images=to_uint8(images))
    elif suffix in (".gif", ".mp4"):
        save_animation(list(images.split(1)), out)
    else:
        digits = max(3, len(str(len(images) - 1)))
        with whole_folder(out) as partial:
            for number, pixels in enumerate(to_uint8(images)):
                as_picture(pixels).save(partial / f"{number:0{digits}d}.png")


def check_format(out: Path) -> None:
    """Check, before any work is done, that `out` can be saved to.

    Raises:
        UnsupportedError: its suffix is none that we write, it is a folder with files in it, or an
            MP4 is asked for without PyAV.
    """
    suffix = out.suffix.lower()
    if suffix and suffix not in FORMATS:
        raise UnsupportedError(
            f"{out} has the suffix {suffix!r}; ganzoo writes {', '.join(FORMATS)}, "
            "or a folder of PNG files where the name has no suffix"
        )
    if suffix and out.is_dir():
        raise UnsupportedError(f"{out} is a folder; give the name of a file")
    if suffix == ".mp4":
        from ganzoo_core.clips import check_clip_format

        check_clip_format(out)
    if not suffix and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UnsupportedError(f"{out} exists already and is not an empty folder; choose another")


def save_picture(image: Tensor, out: Path) -> None:
    """Save one image [C, H, W] in [-1, 1] as it is, in the format that the suffix names.

    Raises:
        RunError: the place cannot be written.
    """
    kind = Image.registered_extensions()[out.suffix.lower()]
    with whole_file(out) as partial:
        as_picture(to_uint8(image[None])[0]).save(partial, kind, quality=95)


def save_animation(frames: Sequence[Tensor], out: Path, *, frames_per_second: int = 20) -> None:
    """Save one picture after another, each laid out from images [N, C, H, W] in [-1, 1]."""
    from ganzoo_core.clips import write_pictures

    pictures = [
        grid(frame) if len(frame) > 1 else as_picture(to_uint8(frame)[0]) for frame in frames
    ]
    write_pictures(out, pictures, frames_per_second)


def as_picture(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Image.Image:
    """Return pixels [H, W, C] of 0 to 255 as a picture."""
    if pixels.shape[-1] in (1, 3):
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    # Other numbers of channels have no colours of their own: show the first three, or the first.
    return Image.fromarray(
        np.ascontiguousarray(pixels[..., : 3 if pixels.shape[-1] > 3 else 1].squeeze())
    )
