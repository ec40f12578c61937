"""What a discriminator has learned to see: a linear classifier on its features.

Radford et al. 2016, section 5.1: the activations of all its layers, max-pooled to 4×4 and laid side
by side, under a linear SVM with squared hinge loss.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo_core.components import Discriminator
from ganzoo_core.data import ImageData
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.metrics.common import Estimate
from ganzoo_core.evaluation.real import Progress, pixels_to_images
from ganzoo_core.model import Model

SIDE = 4
"""Rows and columns that each layer's activations are pooled to."""

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Weights of the SVM's errors against its margin, of which the training images choose one."""

HELD_OUT = 5
"""One in so many training images chooses the strength and is not learned from for that."""

_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh)


def discriminator_features(
    model: Model, data: ImageData, *, batch_size: int = 64, progress: Progress | None = None
) -> Tensor:
    """Return what the discriminator's layers make of every image: [N, size].

    Args:
        model: one that keeps its discriminator.
        data: images of the model's size.
        batch_size: images at a time.
        progress: told how it goes.

    Raises:
        UnsupportedError: the model keeps no discriminator, or one without activation layers.
    """
    discriminator = next(
        (network for network in model.networks.values() if isinstance(network, Discriminator)), None
    )
    if discriminator is None:
        raise UnsupportedError(
            f"this {model.variant} keeps no discriminator whose features could be classified; "
            "train it with --set 'training.keep=[\"discriminator\"]'"
        )
    features = []
    with _recorded(discriminator) as activations, torch.no_grad():
        for start in range(0, len(data), batch_size):
            activations.clear()
            images = pixels_to_images(data.images[start : start + batch_size])
            discriminator(images.to(model.device))
            if not activations:
                raise UnsupportedError(
                    f"the discriminator of {model.variant} has no activation layers to take "
                    "features from; leave discriminator-features out of --metrics"
                )
            features.append(torch.cat([_pooled(layer) for layer in activations], 1).cpu())
            if progress:
                progress("seen images", min(start + batch_size, len(data)), len(data))
    return torch.cat(features)


def linear_accuracy(
    learned: tuple[Tensor, Tensor], tried: tuple[Tensor, Tensor], generator: np.random.Generator
) -> Estimate:
    """Return how many test images a linear SVM on features names rightly, in per cent.

    Args:
        learned: features [N, size] and labels [N] to learn from; a fifth chooses the strength of
            the regularisation, and then all are learned from.
        tried: features [M, size] and labels [M] to be named.
        generator: for the choice of that fifth.

    Returns:
        the share of those named rightly, and its standard error.

    Raises:
        DataError: too few images, or only one class.
    """
    from sklearn.preprocessing import StandardScaler

    features, labels = learned[0].double().numpy(), learned[1].numpy()
    if len(features) < 2 * HELD_OUT or len(np.unique(labels)) < 2:
        raise DataError(
            f"{len(features)} training images of {len(np.unique(labels))} classes are too few for "
            f"a linear classifier; it takes {2 * HELD_OUT} of 2"
        )
    scaler = StandardScaler().fit(features)
    features = scaler.transform(features)
    order = generator.permutation(len(features))
    choosing, fitting = np.split(order, [len(order) // HELD_OUT])
    best = max(
        STRENGTHS,
        key=lambda strength: (
            _svm(strength)
            .fit(features[fitting], labels[fitting])
            .score(features[choosing], labels[choosing])
        ),
    )
    machine = _svm(best).fit(features, labels)
    share = float(machine.score(scaler.transform(tried[0].double().numpy()), tried[1].numpy()))
    return Estimate(100 * share, 100 * (share * (1 - share) / len(tried[0])) ** 0.5)


def _svm(strength: float):  # type: ignore[no-untyped-def]  # scikit-learn has no types
    from sklearn.svm import LinearSVC

    # More features than images: the dual problem is the smaller one. Its order of coordinates is
    # drawn, from a seed of its own.
    return LinearSVC(C=strength, loss="squared_hinge", dual=True, random_state=0, max_iter=2000)


def _pooled(activations: Tensor) -> Tensor:
    if activations.dim() != 4:
        return activations.flatten(1)
    return nn.functional.adaptive_max_pool2d(activations, SIDE).flatten(1)


@contextmanager
def _recorded(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what each activation layer returns within the block, in eval mode."""
    collected: list[Tensor] = []

    def record(layer: nn.Module, inputs: object, output: Tensor) -> None:
        # A copy, since the next layer may work in place.
        collected.append(output.clone())

    hooks = [
        layer.register_forward_hook(record)
        for layer in network.modules()
        if isinstance(layer, _ACTIVATIONS)
    ]
    training = [layer for layer in network.modules() if layer.training]
    network.eval()
    try:
        yield collected
    finally:
        for layer in training:
            layer.training = True
        for hook in hooks:
            hook.remove()
