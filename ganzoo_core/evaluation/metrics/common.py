"""What every metric returns, and what it asks of its input."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.errors import DataError


class Estimate(NamedTuple):
    """A measured value, and how far it moves."""

    value: float
    spread: float | None = None
    """A standard deviation or error; the metric says over what. None where there is none."""


def checked(values: Tensor, what: str, least: int = 1) -> Tensor:
    """Return values [N, …] in float64 on the CPU.

    Args:
        values: a row for each image.
        what: their name for the sentence, such as "features of the real images".
        least: how many rows the metric needs.

    Raises:
        DataError: there are fewer rows, or some are infinite or not a number.
    """
    if len(values) < least:
        raise DataError(f"{what}: {len(values)} are too few, this metric needs at least {least}")
    finite = torch.isfinite(values.flatten(1) if values.ndim > 1 else values[:, None]).all(1)
    if not finite.all():
        first = int((~finite).nonzero()[0])
        raise DataError(
            f"{what}: {int((~finite).sum())} of {len(values)} are infinite or not a number, the "
            f"first being number {first}; where a model made them, its training has diverged"
        )
    return values.double().cpu()


def check_alike(first: Tensor, second: Tensor, what: str) -> None:
    """Check that two sets of rows have the same shape but for their number.

    Raises:
        DataError: they have not.
    """
    if first.shape[1:] != second.shape[1:]:
        raise DataError(
            f"{what} differ in shape: {list(first.shape[1:])} and {list(second.shape[1:])}; "
            "bring both to the same size and number of channels"
        )


def distance_blocks(queries: Tensor, references: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield Euclidean distances [block, references] between rows, some queries at a time."""
    length = max(1, _BLOCK // max(1, len(references)))
    norms = references.square().sum(1)
    for start in range(0, len(queries), length):
        block = slice(start, start + length)
        rows = queries[block]
        squares = rows.square().sum(1, keepdim=True) + norms - 2 * rows @ references.T
        yield block, squares.clamp_(min=0).sqrt_()


_BLOCK = 1 << 23
"""Distances that are held at a time: 64 MB."""
