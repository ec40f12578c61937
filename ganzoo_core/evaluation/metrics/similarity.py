"""How alike two images are, pixel by pixel and by their structure."""

import torch
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate, check_alike, checked

WINDOW = 11
"""Side in pixels of the Gaussian window of SSIM."""
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang, Simoncelli and Bovik (2003), the finest scale first."""


def squared_errors(images: Tensor, reconstructed: Tensor) -> Tensor:
    """Return each image's mean squared error per pixel, on a scale of 0 to 1: [N], float64.

    Args:
        images: [N, C, H, W] in [-1, 1]
        reconstructed: the same shape.

    Raises:
        DataError: different shapes, or pixels that are not finite.
    """
    images, reconstructed = _pair(images, reconstructed)
    return ((images - reconstructed) / 2).square().flatten(1).mean(1)


def structural_similarities(images: Tensor, reconstructed: Tensor) -> Tensor:
    """Return each pair's SSIM (Wang et al. 2004): [N], at most 1, where they are equal.

    Args:
        images: [N, C, H, W] in [-1, 1], at least 11 pixels wide and high.
        reconstructed: the same shape.

    Raises:
        DataError: different shapes, too small, or pixels that are not finite.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    images, reconstructed = _pair(images, reconstructed)
    if min(images.shape[2:]) < WINDOW:
        raise DataError(
            f"images of {min(images.shape[2:])} pixels are too small for SSIM, whose window is "
            f"{WINDOW} pixels wide"
        )
    similarity = structural_similarity_index_measure(
        reconstructed, images, data_range=2.0, reduction="none"
    )
    assert isinstance(similarity, Tensor)
    return similarity


def scales_of(size: int) -> int:
    """Return at how many scales, of the five, MS-SSIM can compare images of side `size`.

    Raises:
        DataError: none; they are smaller than the window.
    """
    if size < WINDOW:
        raise DataError(
            f"images of {size} pixels are too small for MS-SSIM, whose window is {WINDOW} wide"
        )
    return max(n for n in range(1, 6) if size >> (n - 1) >= WINDOW)


def multiscale_similarity(
    images: Tensor, generator: torch.Generator, *, pairs: int = 1000, batch_size: int = 100
) -> Estimate:
    """Return the mean MS-SSIM of random pairs of images: the lower, the more diverse they are.

    As in Odena et al. (2017) and the table of Karras et al. (2018), which compares 10,000 pairs.
    Images below 176 pixels cannot be halved four times under a window of 11; they are compared at
    as many scales as fit (see `scales_of`), with the weights of those scales brought to sum 1.

    Args:
        images: [N, C, H, W] in [-1, 1]
        generator: draws the pairs, each of two different images.
        pairs: how many.
        batch_size: pairs at a time.

    Returns:
        the mean, and its standard error.

    Raises:
        DataError: fewer than two images, smaller than 11 pixels, or not finite.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    images = checked(images, "images", 2).float()
    weights = SCALE_WEIGHTS[: scales_of(min(images.shape[2:]))]
    betas = tuple(weight / sum(weights) for weight in weights)
    first = torch.randint(len(images), (pairs,), generator=generator)
    step = torch.randint(1, len(images), (pairs,), generator=generator)
    second = (first + step) % len(images)
    values = []
    for one, other in zip(first.split(batch_size), second.split(batch_size), strict=True):
        values.append(
            multiscale_structural_similarity_index_measure(
                images[one],
                images[other],
                data_range=2.0,
                betas=betas,
                normalize="relu",
                reduction="none",
            )
        )
    every = torch.cat(values).double()
    error = every.std().item() / len(every) ** 0.5 if len(every) > 1 else None
    return Estimate(every.mean().item(), error)


def _pair(images: Tensor, reconstructed: Tensor) -> tuple[Tensor, Tensor]:
    check_alike(images, reconstructed, "images and their reconstructions")
    if len(images) != len(reconstructed):
        raise DataError(
            f"there are {len(images)} images and {len(reconstructed)} reconstructions; "
            "each image needs one"
        )
    return checked(images, "images"), checked(reconstructed, "reconstructed images")
