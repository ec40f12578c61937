"""Seeing what a block of code changes that it must leave alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ganzoo_core.components import Code, DiscriminatorOutput
from ganzoo_core.testing.report import NotKeptError
from ganzoo_core.testing.subjects import named_tensors


@contextmanager
def changes_nothing(who: str, given: Any) -> Iterator[None]:
    """Check that a block leaves all tensors in `given` as they are, bit for bit.

    Raises:
        NotKeptError: one was changed in place.
    """
    tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
    for leaf in tree_leaves(given):
        if isinstance(leaf, Code | DiscriminatorOutput):
            tensors += named_tensors(leaf).values()
    before = [tensor.detach().clone() for tensor in tensors]
    yield
    for tensor, copy in zip(tensors, before, strict=True):
        if not torch.equal(tensor, copy):
            raise NotKeptError(
                "a caller's tensors must stay as they are, and "
                f"{who} changed one of shape {list(tensor.shape)} in place"
            )


@contextmanager
def random_state_kept(what: str) -> Iterator[None]:
    """Check that a block leaves the global random states of PyTorch, NumPy and Python alone.

    The caller's own states are the same afterwards, whatever the block did.

    Raises:
        NotKeptError: one was drawn from or seeded.
    """
    own = torch.get_rng_state(), np.random.get_state(), random.getstate()
    # A seed that nobody chooses, so that seeding with a usual one is seen too.
    torch.default_generator.manual_seed(0x5EED_CAFE)
    np.random.seed(0x5EED_CAFE)
    random.seed(0x5EED_CAFE)
    before = _fingerprints()
    try:
        yield
        touched = [name for name, state in _fingerprints().items() if state != before[name]]
    finally:
        torch.set_rng_state(own[0])
        np.random.set_state(own[1])
        random.setstate(own[2])
    if touched:
        raise NotKeptError(
            "randomness must come from the noise that is handed over, and "
            f"{what} touched the global random state of {' and '.join(touched)}"
        )


def _fingerprints() -> dict[str, object]:
    _, words, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (np.asarray(words).tobytes(), rest),
        "random": random.getstate(),
    }
