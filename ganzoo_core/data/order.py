"""The order in which a run sees its images, as a function of one integer.

Training reads an endless sequence of epochs, each of them every image once in an order of its own.
A batch may straddle two epochs, so no image is dropped. Because nothing but the position in that
sequence is remembered, a resumed run goes on exactly where it stopped.
"""

from functools import lru_cache
from typing import Any

import numpy as np

Indices = np.ndarray[Any, np.dtype[np.int64]]


def indices(count: int, size: int, position: int, seed: int) -> Indices:
    """Return which images stand at `position` … `position + size - 1` of the endless sequence.

    Args:
        count: How many images there are, at least 1.
        size: How many indices to return, at least 0; it may exceed `count`.
        position: How many images were read before, at least 0.
        seed: Decides the order, at least 0.

    Returns:
        int64 [size], each from 0 to `count` - 1.

    Raises:
        ValueError: An argument is below its least value.
    """
    if count < 1 or min(size, position, seed) < 0:
        raise ValueError(
            "indices need count of at least 1, and size, position and seed of at least 0; got "
            f"count {count}, size {size}, position {position}, seed {seed}"
        )
    chosen = np.empty(size, dtype=np.int64)
    filled = 0
    while filled < size:
        epoch, start = divmod(position + filled, count)
        part = _permutation(count, seed, epoch)[start : start + size - filled]
        chosen[filled : filled + len(part)] = part
        filled += len(part)
    return chosen


@lru_cache(maxsize=4)  # the two epochs that a batch straddles, for two data sets side by side
def _permutation(count: int, seed: int, epoch: int) -> Indices:
    """Return all indices in the order of one epoch.

    numpy promises the raw stream of PCG64 for ever but the algorithm of `permutation` only for a
    version, and a run must resume in the same order under the next one. Hence the sort.
    """
    keys = np.random.PCG64(np.random.SeedSequence((seed, epoch))).random_raw(count)
    permutation = np.argsort(keys, kind="stable").astype(np.int64)
    permutation.setflags(write=False)
    return permutation
