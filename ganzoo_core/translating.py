"""Translating images of any size: padded to what the network takes, and in tiles where large."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganzoo_core.components import Translator

TILE = 1024
"""Side in pixels above which images are cut into tiles."""
OVERLAP = 128
"""Pixels over which neighbouring tiles fade into each other."""


def translated(translator: Translator, images: Tensor, *, tile: int = TILE) -> Tensor:
    """Translate images of any size.

    Tiles of one image are translated one after the other and blended linearly where they overlap.
    A network that normalises over a whole image (instance normalisation) sees each tile's own
    statistics, so that tiles of an image may differ slightly in tone.

    Args:
        translator: a network in eval mode.
        images: [N, channels, height, width] in [-1, 1], on its device.
        tile: the largest side that is translated at once.

    Returns:
        [N, channels, height, width] in [-1, 1]
    """
    height, width = images.shape[2:]
    multiple = translator.multiple
    side = max(multiple, tile - tile % multiple)
    padded = _padded(images, *(-(-length // multiple) * multiple for length in (height, width)))
    if max(padded.shape[2:]) <= side:
        whole: Tensor = translator(padded)
        return whole[:, :, :height, :width]
    overlap = min(OVERLAP, side // 4)
    tops, lefts = (_starts(length, side, overlap, multiple) for length in padded.shape[2:])
    result = torch.zeros_like(padded)
    weights = torch.zeros_like(padded[:1, :1])
    for top in tops:
        for left in lefts:
            window = (..., slice(top, top + side), slice(left, left + side))
            piece = padded[window]
            fade = _fade(piece.shape[2], overlap, piece)[:, None] * _fade(
                piece.shape[3], overlap, piece
            )
            result[window] += translator(piece) * fade
            weights[window] += fade
    return (result / weights)[:, :, :height, :width]


def _padded(images: Tensor, height: int, width: int) -> Tensor:
    """Continue images below and to the right by their reflection, as often as it takes."""
    while images.shape[2:] != (height, width):
        missing = (height - images.shape[2], width - images.shape[3])
        down, right = (
            min(lack, max(1, length - 1))
            for lack, length in zip(missing, images.shape[2:], strict=True)
        )
        # A single row or column has no neighbours to reflect.
        mode = "reflect" if min(images.shape[2:]) > 1 else "replicate"
        images = pad(images, (0, right, 0, down), mode=mode)
    return images


def _starts(length: int, side: int, overlap: int, multiple: int) -> list[int]:
    """Return where tiles begin, at multiples of what the network takes, so that they cover all."""
    if length <= side:
        return [0]
    stride = max(multiple, (side - overlap) // multiple * multiple)
    starts = list(range(0, length - side, stride))
    return [*starts, length - side]


def _fade(length: int, overlap: int, like: Tensor) -> Tensor:
    """Return weights that rise over the overlap, stay, and fall: [length], all above 0."""
    ramp = torch.arange(1, length + 1, dtype=like.dtype, device=like.device)
    return torch.minimum(ramp, ramp.flip(0)).clamp(max=overlap + 1) / (overlap + 1)
