"""Metrics of nearest neighbours in feature space: fidelity, diversity and memorisation."""

from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.evaluation.metrics.common import check_alike, checked, distance_blocks


class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each 0 to 1."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density, about 1 for the data themselves and possibly above; and coverage, 0 to 1."""

    density: float
    coverage: float


class Neighbours(NamedTuple):
    """The nearest references of each query, the nearest first."""

    distances: Tensor
    """[N, k], float64"""
    indices: Tensor
    """[N, k], int64"""


def precision_recall(real: Tensor, generated: Tensor, *, neighbours: int = 3) -> PrecisionRecall:
    """Return improved precision and recall (Kynkäänniemi et al. 2019, equations 1 to 3).

    A set's manifold is the union of balls about its points that reach to the k-th neighbour.
    Precision is the share of generated images on the manifold of the real ones, recall the share of
    real images on the manifold of the generated ones.

    Args:
        real: features [N, D]
        generated: features [M, D]
        neighbours: the k of the paper.

    Raises:
        DataError: not more than k images of either kind, or features of different sizes.
    """
    real, generated = _both(real, generated, neighbours + 1)
    return PrecisionRecall(
        _share_within(generated, real, radii(real, neighbours)),
        _share_within(real, generated, radii(generated, neighbours)),
    )


def density_coverage(real: Tensor, generated: Tensor, *, neighbours: int = 5) -> DensityCoverage:
    """Return density and coverage (Naeem et al. 2020, equations 3 and 4).

        density  = 1/(kM) Σⱼ Σᵢ 1[yⱼ in B(xᵢ, NND_k(xᵢ))]
        coverage = 1/N Σᵢ 1[some yⱼ in B(xᵢ, NND_k(xᵢ))]

    Args:
        real: features [N, D] of x
        generated: features [M, D] of y
        neighbours: the k of the paper.

    Raises:
        DataError: not more than k real images, no generated ones, or features of different sizes.
    """
    real, generated = _both(real, generated, neighbours + 1, 1)
    reach = radii(real, neighbours)
    inside, covered = 0, 0
    for block, distances in distance_blocks(real, generated):
        within = distances <= reach[block, None]
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return DensityCoverage(inside / (neighbours * len(generated)), covered / len(real))


def nearest(queries: Tensor, references: Tensor, *, neighbours: int = 1) -> Neighbours:
    """Find the nearest references [M, D] of each query [N, D].

    Raises:
        DataError: fewer than k references, or features of different sizes.
    """
    queries, references = _both(queries, references, 1, neighbours)
    found = [
        distances.topk(neighbours, largest=False)
        for _, distances in distance_blocks(queries, references)
    ]
    return Neighbours(
        torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])
    )


def memorisation(training: Tensor, generated: Tensor) -> float:
    """Return the share of generated images that are not authentic (Alaa et al. 2022, section 3.3).

    An image is not authentic if it lies closer to its nearest training image than that one lies to
    the nearest other training image. Copies of the training images give 1, unseen images of the
    same distribution about one half.

    Args:
        training: features [N, D]
        generated: features [M, D]

    Raises:
        DataError: fewer than two training images, or features of different sizes.
    """
    training, generated = _both(training, generated, 2, 1)
    distances, indices = nearest(generated, training)
    return float((distances[:, 0] < radii(training, 1, indices[:, 0])).double().mean())


def radii(features: Tensor, neighbours: int, rows: Tensor | None = None) -> Tensor:
    """Return the distance of rows, by default all, to their k-th neighbour, themselves not counted.

    Args:
        features: [N, D], float64
        neighbours: k, below N.
        rows: [M], int64

    Returns:
        [M], float64
    """
    rows = torch.arange(len(features)) if rows is None else rows
    found = torch.empty(len(rows), dtype=torch.float64)
    for block, distances in distance_blocks(features[rows], features):
        distances[torch.arange(len(distances)), rows[block]] = torch.inf
        found[block] = distances.kthvalue(neighbours).values
    return found


def _share_within(queries: Tensor, centres: Tensor, reach: Tensor) -> float:
    inside = sum(
        int((distances <= reach).any(1).sum()) for _, distances in distance_blocks(queries, centres)
    )
    return inside / len(queries)


def _both(
    first: Tensor, second: Tensor, least_first: int, least_second: int | None = None
) -> tuple[Tensor, Tensor]:
    least = least_first if least_second is None else least_second
    first = checked(first, "features of the first set of images", least_first)
    second = checked(second, "features of the second set of images", least)
    check_alike(first, second, "the features of the two sets of images")
    return first, second
