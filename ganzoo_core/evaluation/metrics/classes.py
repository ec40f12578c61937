"""What a classifier says of images: is each of its class, are all drawn, do clusters fit them?"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate, checked


class Modes(NamedTuple):
    """Which classes a model draws."""

    found: int
    """How many classes at least one image was taken for."""
    divergence: float
    """KL(generated ‖ real) of the classes' shares in nats; 0 where they are alike."""


def class_accuracy(logits: Tensor, labels: Tensor) -> Estimate:
    """Return the share of images that the classifier takes for the class they were drawn as.

    Args:
        logits: [N, classes]
        labels: [N], int64, the classes that were asked for.

    Returns:
        the share, and its standard error.

    Raises:
        DataError: no images, not one label for each, or a label beyond the classifier's classes.
    """
    logits = checked(logits, "class logits of the generated images")
    if labels.shape != logits.shape[:1]:
        raise DataError(f"there are {len(logits)} images and labels of shape {list(labels.shape)}")
    if int(labels.max()) >= logits.shape[1] or int(labels.min()) < 0:
        raise DataError(
            f"labels run from {int(labels.min())} to {int(labels.max())} and the classifier has "
            f"{logits.shape[1]} classes"
        )
    share = float((logits.argmax(1) == labels.cpu()).double().mean())
    return Estimate(share, (share * (1 - share) / len(logits)) ** 0.5)


def mode_coverage(logits: Tensor, real_labels: Tensor) -> Modes:
    """Return how many classes are drawn, and how far their shares are off.

    As Che et al. (2017) and Metz et al. (2017) count modes on MNIST and stacked MNIST.

    Args:
        logits: [N, classes] of the generated images.
        real_labels: [M], int64, of the data.

    Raises:
        DataError: no images, or classes in the data that the classifier does not know.
    """
    logits = checked(logits, "class logits of the generated images")
    classes = logits.shape[1]
    if not len(real_labels) or int(real_labels.max()) >= classes:
        raise DataError(
            f"the data's labels do not fit a classifier of {classes} classes; choose --features "
            "whose classes are those of the data"
        )
    drawn = torch.bincount(logits.argmax(1), minlength=classes)
    shares = drawn.double() / drawn.sum()
    real = torch.bincount(real_labels.cpu(), minlength=classes).double()
    # A class that the data lack would make the divergence infinite: as if there were one image.
    log_ratio = shares.clamp_min(1e-300).log() - (real.clamp_min(1) / real.sum()).log()
    divergence = float(torch.where(drawn > 0, shares * log_ratio, 0).sum())
    return Modes(int((drawn > 0).sum()), max(0.0, divergence))


def error_rate(logits: Tensor, labels: Tensor) -> Estimate:
    """Return the share of images that a classifier takes for another class, in per cent.

    Args:
        logits: [N, classes], or anything else of which the right class should have most.
        labels: [N], int64, what the images show.

    Returns:
        the error, and its standard error.

    Raises:
        DataError: no images, not one label for each, or a label beyond the classifier's classes.
    """
    accuracy = class_accuracy(logits, labels)
    assert accuracy.spread is not None
    return Estimate(100 * (1 - accuracy.value), 100 * accuracy.spread)


def cluster_names(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each cluster's name: the label of the image that belongs to it most surely.

    As Makhzani et al. (2016, section 6) name their clusters.

    Args:
        logits: [N, clusters], of log p(cluster | image) up to a constant an image.
        labels: [N], int64, what the images show.

    Returns:
        [clusters], int64

    Raises:
        DataError: no images, or not one label for each.
    """
    logits = checked(logits, "cluster logits of the images that name the clusters")
    if labels.shape != logits.shape[:1]:
        raise DataError(f"there are {len(logits)} images and labels of shape {list(labels.shape)}")
    return labels.cpu()[logits.log_softmax(1).argmax(0)]


def clustering_error(logits: Tensor, labels: Tensor, names: Tensor) -> Estimate:
    """Return the share of images whose cluster has another name than they, in per cent.

    Args:
        logits: [N, clusters]
        labels: [N], int64, what the images show.
        names: [clusters], of `cluster_names`.

    Returns:
        the error, and its standard error.

    Raises:
        DataError: no images, or not one label for each.
    """
    logits = checked(logits, "cluster logits of the images")
    if labels.shape != logits.shape[:1]:
        raise DataError(f"there are {len(logits)} images and labels of shape {list(labels.shape)}")
    wrong = float((names.cpu()[logits.argmax(1)] != labels.cpu()).double().mean())
    return Estimate(100 * wrong, 100 * (wrong * (1 - wrong) / len(logits)) ** 0.5)
