"""Real images as an encoder sees them: their codes, their classes, and how likely they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    Code,
    Decoder,
    Encoder,
    ImageNoise,
    drawing_from,
    mixed_seed,
)
from ganzoo_core.data import ImageData
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.evaluation.metrics.likelihood import importance_weighted_nll
from ganzoo_core.evaluation.real import pixels_to_images
from ganzoo_core.model import Model

Told = Callable[[str, int, int], None] | None


class Coded(NamedTuple):
    """Codes of real images, and what the images were made from."""

    codes: np.ndarray[Any, np.dtype[np.float64]]
    """[N, D], the means where they are Gaussian"""
    factors: np.ndarray[Any, np.dtype[np.int64]]
    """[N, K], those that vary in the data"""


def codes_beside_factors(
    model: Model, data: ImageData, chosen: Tensor, *, batch_size: int = 64, progress: Told = None
) -> Coded:
    """Encode the images of numbers `chosen` [N], and return their codes beside their factors.

    Raises:
        DataError: it is not known what the images were made from, or a factor that varies in the
            data has the same value in all that were chosen.
    """
    if data.factors is None:
        raise DataError(
            f"{data.name} does not say what its images were made from, which disentanglement is "
            "measured by; take data with known factors, such as dSprites"
        )
    varying = [number for number, column in enumerate(data.factors.T) if np.ptp(column)]
    factors = data.factors[chosen.numpy()][:, varying]
    for name, column in zip(np.array(data.factor_names)[varying], factors.T, strict=True):
        if not np.ptp(column):
            raise DataError(
                f"the factor {name!r} has the same value in all {len(chosen)} images of "
                f"{data.name} that were chosen; take more by --count"
            )
    codes = []
    for numbers in chosen.split(batch_size):
        images = pixels_to_images(data.images[numbers.numpy()])
        codes.append(model.encode(images, batch_size=batch_size).flatten(1))
        if progress:
            progress("encoded images", min(len(codes) * batch_size, len(chosen)), len(chosen))
    return Coded(torch.cat(codes).double().numpy(), factors)


def codes_beside_prior(
    model: Model,
    data: ImageData,
    chosen: Tensor,
    *,
    seed: int,
    batch_size: int = 64,
    progress: Told = None,
) -> tuple[Tensor, Tensor]:
    """Draw a code of each image of numbers `chosen` [N], and as many latents from the prior.

    The codes of all images together are a draw from the aggregated posterior.

    Returns:
        codes and latents, [N, D] each

    Raises:
        UnsupportedError: the model draws no images, or from latents of another shape.
    """
    encoder, generator = encoder_of(model), generator_of(model)
    latents = generator.latents(len(chosen), ImageNoise(seed, range(len(chosen)), model.device))
    codes = []
    for start in range(0, len(chosen), batch_size):
        numbers = chosen[start : start + batch_size]
        noise = ImageNoise(mixed_seed(seed, 18), range(start, start + len(numbers)), model.device)
        images = pixels_to_images(data.images[numbers.numpy()]).to(model.device)
        with _at_rest(encoder), torch.no_grad(), drawing_from(noise, encoder):
            codes.append(encoder(images).draw(noise).flatten(1).cpu())
        if progress:
            progress("encoded images", start + len(numbers), len(chosen))
    joined, drawn = torch.cat(codes), latents.flatten(1).cpu()
    if joined.shape[1] != drawn.shape[1]:
        raise UnsupportedError(
            f"{model.variant} encodes images as {joined.shape[1]} numbers and draws them from "
            f"{drawn.shape[1]}, so its codes cannot be held against its prior; leave prior-mmd out "
            "of --metrics"
        )
    return joined, drawn


def label_logits(
    model: Model,
    data: ImageData,
    chosen: Tensor,
    *,
    batch_size: int = 64,
    progress: Told = None,
) -> Tensor:
    """Return what an encoder says of the classes or clusters of the images `chosen` [N].

    Returns:
        logits [N, classes]

    Raises:
        UnsupportedError: the encoder names neither classes nor clusters.
    """
    encoder = encoder_of(model)
    logits = []
    for numbers in chosen.split(batch_size):
        images = pixels_to_images(data.images[numbers.numpy()]).to(model.device)
        with _at_rest(encoder), torch.no_grad():
            code: Code = encoder(images)
        if code.logits is None:
            raise UnsupportedError(
                f"the encoder of {model.variant} names neither classes nor clusters, so they "
                "cannot be measured; choose other --metrics"
            )
        logits.append(code.logits.cpu())
        if progress:
            progress("named images", min(len(logits) * batch_size, len(chosen)), len(chosen))
    return torch.cat(logits)


def encoder_of(model: Model) -> Encoder:
    """Return the network that makes a model's codes.

    Raises:
        UnsupportedError: the model has none.
    """
    for role in model.blueprint.entry.recipe.inference:
        network = model.networks.get(role)
        if isinstance(network, Encoder):
            return network
    raise UnsupportedError(
        f"{model.variant} has no encoder; what it can do: {', '.join(model.verbs) or 'nothing'}"
    )


def negative_log_likelihood(
    model: Model,
    images: Tensor,
    generator: torch.Generator,
    *,
    samples: int,
    batch_size: int = 64,
    progress: Told = None,
) -> Estimate:
    """Return the mean -log p(x) of images [N, C, H, W] in nats, bounded by importance weighting.

    Raises:
        UnsupportedError: the decoder does not say how likely images are, or the code is a point.
        DataError: likelihoods that are not finite.
    """
    kept = [model.networks.get(role) for role in model.blueprint.entry.recipe.inference]
    decoder = next((network for network in kept if isinstance(network, Decoder)), None)
    encoder = next((network for network in kept if isinstance(network, Encoder)), None)
    if decoder is None or encoder is None:
        raise UnsupportedError(
            f"{model.variant} has no decoder that says how likely images are, as variational "
            "autoencoders have; leave nll out of --metrics"
        )
    said = (lambda done, total: progress("likelihoods", done, total)) if progress else None
    with _at_rest(encoder, decoder):
        return importance_weighted_nll(
            _Pair(encoder, decoder),
            images.to(model.device),
            generator,
            samples=samples,
            batch_size=batch_size,
            progress=said,
        )


@dataclass(frozen=True)
class _Pair:
    """An encoder and its decoder, as the metric asks for them."""

    encoder: Encoder
    decoder: Decoder

    def encode(self, images: Tensor) -> Code:
        code: Code = self.encoder(images)
        return code

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        return self.decoder.log_likelihood(images, latents)


@contextmanager
def _at_rest(*networks: nn.Module) -> Iterator[None]:
    training = [layer for network in networks for layer in network.modules() if layer.training]
    for layer in training:
        layer.training = False
    try:
        yield
    finally:
        for layer in training:
            layer.training = True
