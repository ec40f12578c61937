"""Random draws from explicit generators; nothing in ganzoo touches PyTorch's global one.

`JointNoise` serves training: every process draws the whole joined batch's numbers and takes its own
rows, so that a run on two processes sees what a run on one sees. `ImageNoise` serves sampling: each
image has a generator of its own, so that image number 17 of a seed is the same whatever the batch
size and however many images are asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from ganzoo_core.seeds import mixed_seed as mixed_seed  # one name for all who draw


class Noise(Protocol):
    """A source of random numbers for a batch; the first dimension counts the batch's images."""

    def normal(self, count: int, *shape: int) -> Tensor:
        """Draw from N(0, 1): [count, *shape]."""

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Draw from U[0, 1): [count, *shape]."""

    def integers(self, high: int, count: int, *shape: int) -> Tensor:
        """Draw whole numbers from 0 to high - 1, int64: [count, *shape]."""


class JointNoise:
    """This process's rows of numbers that are drawn for the joined batch of all processes."""

    def __init__(self, generator: torch.Generator, rank: int = 0, processes: int = 1) -> None:
        self.generator = generator
        self.rank = rank
        self.processes = processes

    def normal(self, count: int, *shape: int) -> Tensor:
        """Draw from N(0, 1): [count, *shape]."""
        size = (count * self.processes, *shape)
        return self._own(
            torch.randn(size, generator=self.generator, device=self.generator.device), count
        )

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Draw from U[0, 1): [count, *shape]."""
        size = (count * self.processes, *shape)
        return self._own(
            torch.rand(size, generator=self.generator, device=self.generator.device), count
        )

    def integers(self, high: int, count: int, *shape: int) -> Tensor:
        """Draw whole numbers from 0 to high - 1, int64: [count, *shape]."""
        size = (count * self.processes, *shape)
        drawn = torch.randint(high, size, generator=self.generator, device=self.generator.device)
        return self._own(drawn, count)

    def _own(self, joined: Tensor, count: int) -> Tensor:
        if self.processes == 1:
            return joined
        return joined[self.rank * count : (self.rank + 1) * count]


class ImageNoise:
    """Numbers that depend on the seed and on the image's number alone.

    They are drawn on the CPU and then moved, so that every device makes the same images.

    Args:
        seed: of the whole series of images.
        numbers: which images of the series the batch holds.
        device: where the drawn numbers are wanted.
    """

    def __init__(
        self, seed: int, numbers: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self._generators = [
            torch.Generator().manual_seed(mixed_seed(seed, number)) for number in numbers
        ]

    @classmethod
    def of_seeds(cls, seeds: Sequence[int], device: torch.device | str = "cpu") -> "ImageNoise":
        """Return the noise of the first image of each of several series."""
        noise = cls(0, (), device)
        noise._generators = [torch.Generator().manual_seed(mixed_seed(seed, 0)) for seed in seeds]
        return noise

    def normal(self, count: int, *shape: int) -> Tensor:
        """Draw from N(0, 1): [count, *shape]."""
        return self._stacked(
            count, [torch.randn(shape, generator=generator) for generator in self._generators]
        )

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Draw from U[0, 1): [count, *shape]."""
        return self._stacked(
            count, [torch.rand(shape, generator=generator) for generator in self._generators]
        )

    def integers(self, high: int, count: int, *shape: int) -> Tensor:
        """Draw whole numbers from 0 to high - 1, int64: [count, *shape]."""
        return self._stacked(
            count,
            [torch.randint(high, shape, generator=generator) for generator in self._generators],
        )

    def _stacked(self, count: int, rows: list[Tensor]) -> Tensor:
        if count != len(rows):
            raise ValueError(f"noise for {len(rows)} images was asked for {count}")
        return torch.stack(rows).to(self.device)


class NoisyModule(nn.Module):
    """A layer that draws random numbers in its forward pass, from the noise it is given.

    Networks with such layers (dropout, noise injection) run inside `drawing_from`; a layer that is
    run outside of it refuses, rather than fall back on the global generator.
    """

    noise: Noise | None = None

    def drawn_from(self) -> Noise:
        """Return the noise to draw from.

        Raises:
            RuntimeError: the layer runs outside of `drawing_from`.
        """
        if self.noise is None:
            raise RuntimeError(
                f"{type(self).__name__} draws random numbers: "
                "run its network inside ganzoo_core.components.drawing_from(noise, network)"
            )
        return self.noise


@contextmanager
def drawing_from(noise: Noise, *networks: nn.Module) -> Iterator[None]:
    """Let all noisy layers of `networks` draw from `noise` within the block."""
    layers = [
        layer
        for network in networks
        for layer in network.modules()
        if isinstance(layer, NoisyModule)
    ]
    before = [layer.noise for layer in layers]
    for layer in layers:
        layer.noise = noise
    try:
        yield
    finally:
        for layer, earlier in zip(layers, before, strict=True):
            layer.noise = earlier
