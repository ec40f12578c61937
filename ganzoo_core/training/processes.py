"""Devices and processes, through Accelerate: who am I, where do I compute, what say the others."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.errors import UnsupportedError


class Processes:
    """This process among those that train together; alone unless `accelerate launch` made more."""

    def __init__(self, device: str = "auto") -> None:
        self._state: Any = None
        self.rank = 0
        self.count = 1
        if _launched_together():
            from accelerate import PartialState

            # The choice of the backend (gloo, NCCL) follows from the device.
            self._state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
            self.rank = self._state.process_index
            self.count = self._state.num_processes
            self.device = torch.device(self._state.device)
            # Nobody writes to the run's folder before all have looked at it.
            self._state.wait_for_everyone()
        else:
            self.device = find_device(device)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and reports."""
        return self.rank == 0

    def average_(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor, in place, by its mean over all processes; one exchange in all."""
        if self.count == 1:
            return
        from accelerate.utils import reduce

        each = list(tensors)
        if not each:
            return
        joined = reduce(torch.cat([tensor.detach().reshape(-1) for tensor in each]), "mean")
        for tensor, mean in zip(each, joined.split([t.numel() for t in each]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Return whether the flag is up in any process."""
        if self.count == 1:
            return flag
        from accelerate.utils import reduce

        flags = torch.tensor([float(flag)], device=self.device)
        return bool(reduce(flags, "sum").item() > 0)

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self._state is not None:
            self._state.wait_for_everyone()


def find_device(name: str) -> torch.device:
    """Return a device by name; "auto" takes a GPU where there is one.

    Raises:
        UnsupportedError: there is no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise UnsupportedError(
            f"this machine has no device {name!r}; try --device cpu or --device auto"
        ) from None
    return device


def _launched_together() -> bool:
    import os

    return int(os.environ.get("WORLD_SIZE", "1")) > 1
