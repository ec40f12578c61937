"""Seeing what a block of code changes that it must leave alone."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ganzoo_core.components import Code, DiscriminatorOutput
from ganzoo_core.testing.report import NotKeptError
from ganzoo_core.testing.subjects import named_tensors

WAITING = {
    *("item", "tolist", "numpy", "cpu", "__array__"),
    *("__bool__", "__float__", "__int__", "__index__", "__contains__"),
    *("is_nonzero", "nonzero", "argwhere", "masked_select", "equal", "allclose", "unique"),
}
"""Functions and methods that need a tensor's values before the program can go on."""


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


class Waits(TorchFunctionMode):
    """Notes in `names` what makes the program wait for the device, a name for each time."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look at a call, and let it happen."""
        name = getattr(function, "__name__", "")
        if name in WAITING:
            self.names.append(name.strip("_"))
        # How many values a mask chooses is known on the device alone.
        elif name in ("__getitem__", "__setitem__") and any(
            isinstance(leaf, Tensor) and leaf.dtype == torch.bool for leaf in tree_leaves(args[1])
        ):
            self.names.append("a mask as an index")
        return function(*args, **(kwargs or {}))


def _fingerprints() -> dict[str, object]:
    _, words, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": (np.asarray(words).tobytes(), rest),
        "random": random.getstate(),
    }
