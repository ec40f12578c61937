"""Distances between images as a network's maps see them: diversity and smoothness."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate, checked

Maps = Callable[[Tensor], Sequence[Tensor]]
"""From images [N, C, H, W] in [-1, 1] to a network's maps [N, channels, height, width] by layer."""

PATH_STEP = 1e-4


def perceptual_distances(first: Tensor, second: Tensor, maps: Maps) -> Tensor:
    """Return the distance of each pair of images (Zhang et al. 2018, equation 1, with w = 1).

        d(x, y) = Σ_layers mean over the area of |u(x) - u(y)|²

    where u are a layer's maps with each place's channels brought to length 1. This is the form of
    LPIPS without its learned weights, over whatever network is given, and named for that network.

    Args:
        first: images [N, C, H, W] in [-1, 1]
        second: the same shape.
        maps: of the network.

    Returns:
        [N], float64
    """
    distances = torch.zeros(len(first), dtype=torch.float64)
    for one, other in zip(maps(first), maps(second), strict=True):
        unit_one, unit_other = (functional.normalize(each.double(), dim=1) for each in (one, other))
        distances += (unit_one - unit_other).square().sum(1).mean((1, 2)).cpu()
    return distances


def perceptual_diversity(
    images: Tensor,
    maps: Maps,
    generator: torch.Generator,
    *,
    pairs: int = 1000,
    batch_size: int = 64,
) -> Estimate:
    """Return the mean perceptual distance of random pairs of different images.

    As Zhu et al. (2017, BicycleGAN) measure diversity with LPIPS.

    Returns:
        the mean, and its standard error.

    Raises:
        DataError: fewer than two images, or pixels that are not finite.
    """
    images = checked(images, "images", 2).float()
    first = torch.randint(len(images), (pairs,), generator=generator)
    second = (first + torch.randint(1, len(images), (pairs,), generator=generator)) % len(images)
    every = torch.cat(
        [
            perceptual_distances(images[one], images[other], maps)
            for one, other in zip(first.split(batch_size), second.split(batch_size), strict=True)
        ]
    )
    error = every.std().item() / len(every) ** 0.5 if len(every) > 1 else None
    return Estimate(every.mean().item(), error)


def perceptual_path_length(
    decode: Callable[[Tensor], Tensor],
    latents: tuple[Tensor, Tensor],
    walk: Callable[[Tensor, Tensor, Tensor], Tensor],
    maps: Maps,
    generator: torch.Generator,
    *,
    step: float = PATH_STEP,
    batch_size: int = 64,
) -> Estimate:
    """Return how fast images change along a path of latents (Karras et al. 2019, equation 2).

        l = E d(G(walk(z₁, z₂; t)), G(walk(z₁, z₂; t + ε))) / ε²,  t ~ U(0, 1)

    The highest and the lowest per cent are left out, as in the authors' code.

    Args:
        decode: makes images [N, C, H, W] in [-1, 1] of latents [N, …]; they must not be rounded.
        latents: z₁ and z₂, [N, …] each.
        walk: interpolates, such as `ganzoo_core.model.slerp`; called with a scalar share.
        maps: of the network that judges.
        generator: draws t.
        step: the paper's ε.
        batch_size: paths at a time.

    Returns:
        the mean, and its standard error.

    Raises:
        DataError: no paths, or images that are not finite.
    """
    if not len(latents[0]):
        raise DataError("a perceptual path length needs at least 1 path")
    shares = torch.rand(len(latents[0]), generator=generator)
    every = []
    for start in range(0, len(shares), batch_size):
        chosen = range(start, min(start + batch_size, len(shares)))
        ends = [
            torch.cat([walk(latents[0][[i]], latents[1][[i]], shares[i] + offset) for i in chosen])
            for offset in (0.0, step)
        ]
        here, there = (checked(decode(end), "decoded images").float() for end in ends)
        every.append(perceptual_distances(here, there, maps) / step**2)
    lengths = torch.cat(every)
    low, high = lengths.quantile(0.01), lengths.quantile(0.99)
    kept = lengths[(lengths >= low) & (lengths <= high)]
    error = kept.std().item() / len(kept) ** 0.5 if len(kept) > 1 else None
    return Estimate(kept.mean().item(), error)
