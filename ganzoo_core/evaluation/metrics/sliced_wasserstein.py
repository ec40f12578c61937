"""The sliced Wasserstein distance between the patches of each level of a Laplacian pyramid."""

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import check_alike, checked

SMALLEST = 16
"""Side of the coarsest level."""
PATCH = 7
PATCHES_PER_IMAGE = 128
DIRECTIONS = 512


def sliced_wasserstein(
    real: Tensor, generated: Tensor, generator: torch.Generator
) -> dict[int, float]:
    """Return the distance at each level by its side in pixels (Karras et al. 2018, section 5).

    From each level of each image 128 patches of 7×7 pixels are drawn and normalised to mean 0 and
    deviation 1 a channel; the sets of patches are projected on 512 random directions, on each of
    which their Wasserstein distance is the mean difference of the sorted projections. The paper's
    table shows it times 1000. Levels are halved while they are even and at least 16 wide.

    Args:
        real: images [N, C, H, W] in [-1, 1]
        generated: images [M, C, H, W]; of the larger set, the first images are used.
        generator: draws patches and directions.

    Raises:
        DataError: no images, images of different shapes, or smaller than 16 pixels.
    """
    count = min(len(real), len(generated))
    real = checked(real, "real images").float()[:count]
    generated = checked(generated, "generated images").float()[:count]
    check_alike(real, generated, "real and generated images")
    sizes = level_sizes(min(real.shape[2:]))
    distances = {}
    for size, first, second in zip(
        sizes, _pyramid(real, len(sizes)), _pyramid(generated, len(sizes)), strict=True
    ):
        distances[size] = _distance(
            _normalised(_patches(first, generator), real.shape[1]),
            _normalised(_patches(second, generator), real.shape[1]),
            generator,
        )
    return distances


def level_sizes(size: int) -> list[int]:
    """Return the sides of the levels of an image of side `size`, the finest first.

    Raises:
        DataError: the image is smaller than the coarsest level.
    """
    if size < SMALLEST:
        raise DataError(
            f"images of {size} pixels are too small for the sliced Wasserstein distance, whose "
            f"coarsest level is {SMALLEST} pixels wide"
        )
    sizes = [size]
    while sizes[-1] % 2 == 0 and sizes[-1] // 2 >= SMALLEST:
        sizes.append(sizes[-1] // 2)
    return sizes


def _pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Return a Laplacian pyramid (Burt and Adelson 1983): details, and last what is left."""
    pyramid = []
    for _ in range(levels - 1):
        smaller = _smoothed(images)[..., ::2, ::2]
        pyramid.append(images - _enlarged(smaller))
        images = smaller
    return [*pyramid, images]


def _smoothed(images: Tensor) -> Tensor:
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = torch.outer(weights, weights).expand(images.shape[1], 1, 5, 5)
    padded = functional.pad(images, [2] * 4, mode="reflect")
    return functional.conv2d(padded, kernel, groups=images.shape[1])


def _enlarged(images: Tensor) -> Tensor:
    count, channels, height, width = images.shape
    spread = images.new_zeros(count, channels, 2 * height, 2 * width)
    spread[..., ::2, ::2] = 4 * images
    return _smoothed(spread)


def _patches(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw patches from each image: [N · 128, C · 7 · 7]."""
    count, channels, height, width = images.shape
    drawn = (count, PATCHES_PER_IMAGE)
    top = torch.randint(height - PATCH + 1, drawn, generator=generator)
    left = torch.randint(width - PATCH + 1, drawn, generator=generator)
    inside = torch.arange(PATCH)
    rows = (top[..., None] + inside)[:, :, None, :, None]
    columns = (left[..., None] + inside)[:, :, None, None, :]
    image = torch.arange(count)[:, None, None, None, None]
    channel = torch.arange(channels)[None, None, :, None, None]
    return images[image, channel, rows, columns].reshape(count * PATCHES_PER_IMAGE, -1)


def _normalised(patches: Tensor, channels: int) -> Tensor:
    by_channel = patches.view(len(patches), channels, -1)
    deviation = by_channel.std((0, 2), correction=0, keepdim=True)
    # A channel without any contrast stays 0.
    flat = deviation <= 1e-8
    centred = by_channel - by_channel.mean((0, 2), keepdim=True)
    return (centred / deviation.masked_fill(flat, 1)).view_as(patches)


def _distance(first: Tensor, second: Tensor, generator: torch.Generator) -> float:
    directions = torch.randn(first.shape[1], DIRECTIONS, generator=generator)
    directions /= directions.norm(dim=0)
    differences = []
    for some in directions.split(32, dim=1):  # so that memory is that of the patches
        sorted_first, sorted_second = (first @ some).sort(0)[0], (second @ some).sort(0)[0]
        differences.append((sorted_first - sorted_second).abs().mean(0))
    return float(torch.cat(differences).double().mean())
