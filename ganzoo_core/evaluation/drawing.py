"""Generated images as they are compared: drawn batch by batch, finite, and in steps of 8 bits."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.components import Generator, ImageNoise, drawing_from
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.model import Model


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
        DataError: an image holds values that are infinite or not a number.
    """
    generator = generator_of(model)
    for start in range(0, count, batch_size):
        numbers = range(start, min(start + batch_size, count))
        noise = ImageNoise(seed, numbers, model.device)
        labels = torch.tensor(numbers) % generator.classes if generator.classes else None
        # A model at rest is in eval mode already; training ones are put back as they were.
        modes = [(layer, layer.training) for layer in generator.modules()]
        generator.eval()
        try:
            with torch.no_grad(), drawing_from(noise, generator):
                latents = generator.latents(len(numbers), noise)
                images = generator(latents, None if labels is None else labels.to(model.device))
        finally:
            for layer, training in modes:
                layer.training = training
        yield Drawn(eight_bit(images.float().cpu(), f"image(s) of {model.variant}", start), labels)


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
        DataError: some are infinite or not a number.
    """
    finite = torch.isfinite(images).flatten(1).all(1)
    if not finite.all():
        first = start + int((~finite).nonzero()[0])
        raise DataError(
            f"{what} are infinite or not a number, the first being number {first}: the model has "
            "diverged; train it again, or take an earlier checkpoint"
        )
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
