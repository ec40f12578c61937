"""How well categories that were found without labels agree with the classes that people see."""

import torch
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.common import Estimate


def category_error(
    learned: tuple[Tensor, Tensor], tried: tuple[Tensor, Tensor], categories: int
) -> Estimate:
    """Return the error of classifying by category, each being named after the class it holds most.

    As Chen et al. (2016, section 7.2) classify MNIST by InfoGAN's categorical code.

    Args:
        learned: the categories [N] and the classes [N] of the images that name the categories.
        tried: the categories [M] and the classes [M] of those that are classified.
        categories: how many there are; one that holds no image of the first kind is always wrong.

    Returns:
        the share of wrong answers, and its standard error.

    Raises:
        DataError: there are no images.
    """
    names = majority_classes(*learned, categories)
    found, classes = tried
    if not len(found):
        raise DataError("there are no images to classify by their categories")
    share = float((names[found] != classes).double().mean())
    return Estimate(share, (share * (1 - share) / len(found)) ** 0.5)


def majority_classes(found: Tensor, classes: Tensor, categories: int) -> Tensor:
    """Return the class that is most frequent in each category, -1 where it holds no image.

    Args:
        found: [N], int64, from 0 to categories - 1.
        classes: [N], int64.
        categories: how many there are.

    Returns:
        [categories], int64; of several classes that are as frequent, the first
    """
    if not len(found):
        raise DataError("there are no images to name the categories by")
    seen = int(classes.max()) + 1
    table = torch.bincount(found * seen + classes, minlength=categories * seen)
    table = table.view(categories, seen)
    return torch.where(table.sum(1) > 0, table.argmax(1), -1)
