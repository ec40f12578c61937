"""Whether two sets of points were drawn from the same distribution."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.evaluation.metrics.common import check_alike, checked, distance_blocks

PERMUTATIONS = 500


class Discrepancy(NamedTuple):
    """How far two distributions are apart, and how surprising that is if they are the same."""

    squared: float
    """MMD², without a bias; it may be below 0 where both are alike."""
    p_value: float
    """Share of the random divisions of all points that are at least as far apart."""


def maximum_mean_discrepancy(
    first: Tensor,
    second: Tensor,
    generator: torch.Generator,
    *,
    permutations: int = PERMUTATIONS,
) -> Discrepancy:
    """Return the squared maximum mean discrepancy, and the p-value of its permutation test.

        MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y),  x ≠ x', y ≠ y'

    (Gretton et al. 2012, equation 3) with the kernel k(x, y) = exp(-|x - y|² / 2σ²), where σ is the
    median distance between any two of the points. The test divides all points at random, time and
    again, into two sets of the same sizes; the division that was given counts as one of them.

    Args:
        first: [N, D]
        second: [M, D]
        generator: draws the permutations.
        permutations: how many; the smallest p-value is 1 / (permutations + 1).

    Raises:
        DataError: fewer than two points in a set, of different sizes, or not finite.
    """
    first = checked(first, "the first set of points", 2)
    second = checked(second, "the second set of points", 2)
    check_alike(first, second, "the two sets of points")
    kernel = _kernel(torch.cat([first, second]).flatten(1))
    count, size = len(kernel), len(first)
    members = torch.zeros(count, permutations + 1, dtype=torch.float64)
    members[:size, 0] = 1
    for number in range(permutations):
        members[torch.randperm(count, generator=generator)[:size], number + 1] = 1
    squares = _squared(kernel, members)
    # Sums in another order differ in their last bits, which must not decide.
    as_far = squares >= squares[0] - 1e-12
    return Discrepancy(float(squares[0]), float(as_far.double().mean()))


def _kernel(points: Tensor) -> Tensor:
    """Return k of all pairs, with 0 for a point and itself."""
    distances = torch.cat([block for _, block in distance_blocks(points, points)])
    rows, columns = torch.triu_indices(len(points), len(points), 1)
    median = distances[rows, columns].median()
    # Where more than half of the points are one, any width tells the others from them.
    kernel = torch.exp(distances.square() / (-2 * median.clamp_min(1e-12).square()))
    return kernel.fill_diagonal_(0)


def _squared(kernel: Tensor, members: Tensor) -> Tensor:
    """Return MMD² of each division, whose first set's points are 1 in a column of `members`."""
    n, m = members[:, 0].sum(), (1 - members[:, 0]).sum()
    to_first = kernel @ members
    within_first = (members * to_first).sum(0)
    between = to_first.sum(0) - within_first
    within_second = kernel.sum() - within_first - 2 * between
    return within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * between / (n * m)
