"""Generated images as they are compared: drawn batch by batch, finite, and in steps of 8 bits."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.components import Generator
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.model import Model


class NonFiniteImagesError(DataError):
    """Images of a model that are infinite or not a number: it has diverged."""


class Drawn(NamedTuple):
    """Generated images and what they were asked to show."""

    images: Tensor
    """[N, C, H, W] in [-1, 1], on the CPU."""
    labels: Tensor | None
    """[N], int64; None where the model takes no classes."""


def draw(model: Model, count: int, seed: int, batch_size: int) -> Iterator[Drawn]:
    """Yield the very images of `model.sample(count, seed=seed)`, in 8-bit steps, a batch at a time.

    A model that takes classes is asked for them in turn, so that all are as frequent.

    Raises:
        UnsupportedError: the model has no generator.
        NonFiniteImagesError: an image holds values that are infinite or not a number.
    """
    start = 0
    for images, labels in model.batches(count, seed=seed, batch_size=batch_size):
        yield Drawn(eight_bit(images, f"image(s) of {model.variant}", start), labels)
        start += len(images)


def generator_of(model: Model) -> Generator:
    """Return the network that makes a model's images.

    Raises:
        UnsupportedError: the model has none.
    """
    for role in model.blueprint.entry.recipe.inference:
        network = model.networks.get(role)
        if isinstance(network, Generator):
            return network
    raise UnsupportedError(
        f"{model.variant} draws no images, so they cannot be evaluated; what it can do: "
        f"{', '.join(model.verbs) or 'nothing'}"
    )


def eight_bit(images: Tensor, what: str, start: int = 0) -> Tensor:
    """Round images in [-1, 1] to what an 8-bit file would hold, as real images come from such.

    Raises:
        NonFiniteImagesError: some are infinite or not a number.
    """
    finite = torch.isfinite(images).flatten(1).all(1)
    if not finite.all():
        first = start + int((~finite).nonzero()[0])
        raise NonFiniteImagesError(
            f"{what} are infinite or not a number, the first being number {first}: the model has "
            "diverged; train it again, or take an earlier checkpoint"
        )
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
