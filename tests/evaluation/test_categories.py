"""Classifying by categories that were found without labels."""

import pytest
import torch

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.categories import category_error, majority_classes


def test_a_category_is_named_after_the_class_that_it_holds_most() -> None:
    found = torch.tensor([0, 0, 0, 1, 1, 3])
    classes = torch.tensor([5, 5, 2, 2, 2, 0])
    assert majority_classes(found, classes, 4).tolist() == [5, 2, -1, 0]


def test_the_error_is_the_share_that_the_names_get_wrong() -> None:
    learned = torch.tensor([0, 0, 1, 1]), torch.tensor([7, 7, 3, 3])
    tried = torch.tensor([0, 0, 0, 1]), torch.tensor([7, 7, 3, 3])
    error = category_error(learned, tried, 2)
    assert error.value == 0.25
    assert error.spread == pytest.approx((0.25 * 0.75 / 4) ** 0.5)


def test_the_numbers_of_the_categories_do_not_matter() -> None:
    classes = torch.arange(100) % 10
    assert category_error((9 - classes, classes), (9 - classes, classes), 10).value == 0


def test_two_categories_may_share_a_class() -> None:
    found, classes = torch.tensor([0, 1, 2]), torch.tensor([4, 4, 1])
    assert category_error((found, classes), (found, classes), 3).value == 0


def test_a_category_that_nothing_named_is_always_wrong() -> None:
    learned = torch.tensor([0]), torch.tensor([0])
    assert category_error(learned, (torch.tensor([1]), torch.tensor([0])), 2).value == 1


def test_one_category_for_everything_is_wrong_but_for_the_most_frequent_class() -> None:
    classes = torch.arange(1000) % 10
    found = torch.zeros(1000, dtype=torch.int64)
    assert category_error((found, classes), (found, classes), 10).value == pytest.approx(0.9)


@pytest.mark.parametrize("empty", ["learned", "tried"])
def test_no_images_are_refused(empty: str) -> None:
    some = torch.tensor([0]), torch.tensor([0])
    none = torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64)
    with pytest.raises(DataError):
        category_error(none if empty == "learned" else some, none if empty == "tried" else some, 2)
