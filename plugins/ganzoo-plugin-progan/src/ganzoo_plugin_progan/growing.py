"""Networks that grow: what says how far, and images as networks that far see them.

How far a network has grown is its level of detail, `lod`, as in the authors' code: 0 at the full
size, 1 at half of it, and so on; in between, the larger size is being faded in, and the fraction is
the weight of the smaller one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.errors import CheckpointError


class Growing(nn.Module):
    """A network of which only the layers up to some size are in use.

    The level of detail is a buffer, so that averages, checkpoints and loaded models have it. Beside
    it stands the same as a number of Python's, which is what `forward` looks at, so that a training
    step reads no tensor: `grow_to` sets both, and loading and changing the mode read the buffer.
    """

    lod: Tensor
    image_shape: tuple[int, int, int]

    def start_grown(self) -> None:
        """Begin at the full size; the constructor calls this."""
        self.register_buffer("lod", torch.zeros(()))
        self._lod = 0.0
        self.register_load_state_dict_post_hook(_read_after_loading)  # type: ignore[no-untyped-call]

    def grow_to(self, lod: float) -> None:
        """Use the layers up to a level of detail, 0 for all."""
        if lod != self._lod:
            self._lod = lod
            self.lod.fill_(lod)

    def level(self) -> tuple[int, float]:
        """Return how often the size in use can be doubled, and the weight of half that size."""
        doublings = int(self._lod)
        return doublings, self._lod - doublings

    def train(self, mode: bool = True) -> "Growing":
        """Change the mode, and see how far whoever copied weights hither had grown."""
        self.read_lod()
        super().train(mode)
        return self

    def read_lod(self) -> None:
        """Take the level of detail from its buffer.

        Raises:
            CheckpointError: the network has no such level.
        """
        if self.lod.is_meta:
            return
        lod, lowest = float(self.lod), self.image_shape[1].bit_length() - 3
        if not 0 <= lod <= lowest:
            raise CheckpointError(
                f"the buffer lod is {lod:.4g}, and images of {self.image_shape[1]} pixels have "
                f"levels of detail from 0 to {lowest}; get the weights again"
            )
        self._lod = lod


def _read_after_loading(network: nn.Module, _: Any) -> None:
    assert isinstance(network, Growing)
    network.read_lod()


def enlarged(images: Tensor, doublings: int = 1) -> Tensor:
    """Repeat each pixel of [N, C, H, W] in both directions, 2^doublings times."""
    if not doublings:
        return images
    return functional.interpolate(images, scale_factor=2**doublings, mode="nearest")


def shrunk(images: Tensor, halvings: int = 1) -> Tensor:
    """Average squares of 2^halvings pixels of [N, C, H, W]."""
    return functional.avg_pool2d(images, 2**halvings) if halvings else images


def seen_at(images: Tensor, lod: float) -> Tensor:
    """Return real images as networks at a level of detail are to see them.

    While a size is faded in, they are blended with themselves at half of it, as the generator's
    images are.

    Args:
        images: [N, C, H, W] of the full size.
        lod: the level of detail.
    """
    halvings = int(lod)
    images = shrunk(images, halvings)
    if lod == halvings:
        return images
    return torch.lerp(images, enlarged(shrunk(images)), lod - halvings)
