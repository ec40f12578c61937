"""The kernel inception distance: a two-sample statistic without a bias."""

import torch
from torch import Tensor

from ganzoo_core.evaluation.metrics.common import Estimate, check_alike, checked

SUBSETS, SUBSET_SIZE = 100, 1000


def kernel_distance(
    real: Tensor,
    generated: Tensor,
    generator: torch.Generator,
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
) -> Estimate:
    """Return the squared maximum mean discrepancy (Gretton et al. 2012, equation 3) of features.

        MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y),  x ≠ x', y ≠ y'

    with the cubic kernel k(x, y) = (xᵀy/D + 1)³ of Bińkowski et al. (2018): the KID. It may be
    below 0 where both are alike.

    Args:
        real: [N, D]
        generated: [M, D]
        generator: draws the subsets.
        subsets: how many are drawn, each without repetition.
        subset_size: images of either kind in each; what there is, where there are fewer.

    Returns:
        the mean over the subsets and their standard deviation.

    Raises:
        DataError: fewer than two images of either kind, or features of different sizes.
    """
    real = checked(real, "features of the real images", 2)
    generated = checked(generated, "features of the generated images", 2)
    check_alike(real, generated, "the features of real and of generated images")
    size = min(subset_size, len(real), len(generated))
    if size == len(real) == len(generated):
        subsets = 1  # every subset would be the whole
    values = torch.tensor(
        [
            _discrepancy(_subset(real, size, generator), _subset(generated, size, generator))
            for _ in range(subsets)
        ]
    )
    return Estimate(values.mean().item(), values.std().item() if subsets > 1 else None)


def _subset(features: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return features[torch.randperm(len(features), generator=generator)[:size]]


def _discrepancy(real: Tensor, generated: Tensor) -> float:
    within = _mean_of_pairs(real) + _mean_of_pairs(generated)
    return float(within - 2 * _kernel(real, generated).mean())


def _mean_of_pairs(features: Tensor) -> Tensor:
    kernel, count = _kernel(features, features), len(features)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3
