"""Moving pictures on disk: animated GIF, and MP4 where PyAV is installed."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image
from torch import Tensor

from ganzoo_core.errors import UnsupportedError
from ganzoo_core.files import whole_file
from ganzoo_core.images import as_picture, to_uint8

FORMATS = (".gif", ".mp4")
_SMALLEST_SIDE = 256
"""MP4 keeps colours at half the resolution, so smaller frames are shown larger."""


def write_clip(out: Path, frames: Tensor, *, frames_per_second: int = 20) -> None:
    """Write frames [T, C, H, W] in [-1, 1] as a GIF or an MP4, as the suffix of `out` says.

    Raises:
        UnsupportedError: the suffix is neither, or an MP4 is asked for without PyAV.
        RunError: the place cannot be written.
    """
    write_pictures(out, [as_picture(frame) for frame in to_uint8(frames)], frames_per_second)


def write_pictures(out: Path, pictures: Sequence[Image.Image], frames_per_second: int = 20) -> None:
    """Write pictures of one size one after another; raises what `write_clip` raises."""
    check_clip_format(out)
    with whole_file(out) as partial:
        if out.suffix.lower() == ".gif":
            pictures[0].save(
                partial,
                "GIF",
                save_all=True,
                append_images=list(pictures[1:]),
                duration=1000 // frames_per_second,
                loop=0,
            )
        else:
            _write_mp4(partial, pictures, frames_per_second)


def check_clip_format(out: Path) -> None:
    """Check, before any work is done, that moving pictures can be written to `out`.

    Raises:
        UnsupportedError: its suffix is neither, or an MP4 is asked for without PyAV.
    """
    if out.suffix.lower() not in FORMATS:
        raise UnsupportedError(
            f"{out} has the suffix {out.suffix!r}; moving pictures are written as "
            f"{' or '.join(FORMATS)}"
        )
    if out.suffix.lower() == ".mp4":
        pyav()


def _write_mp4(partial: Path, pictures: Sequence[Image.Image], frames_per_second: int) -> None:
    # Whole multiples keep pixels square; an even one keeps both sides even, as H.264 needs.
    times = -(-_SMALLEST_SIDE // min(pictures[0].size))
    times += times % 2
    if times <= 2 and not any(side % 2 for side in pictures[0].size):
        times = 1
    with pyav().open(str(partial), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=frames_per_second)
        stream.width, stream.height = (side * times for side in pictures[0].size)
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            enlarged = picture.convert("RGB").resize(
                (stream.width, stream.height), Image.Resampling.NEAREST
            )
            frame = pyav().VideoFrame.from_ndarray(np.asarray(enlarged), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def pyav() -> ModuleType:
    """Return the package PyAV; an UnsupportedError says how to install it."""
    try:
        import av
    except ImportError:
        raise UnsupportedError(
            "MP4 needs the package PyAV, which is not installed; install it with: pip install "
            "'ganzoo-core[video]', or take a .gif"
        ) from None
    return av
