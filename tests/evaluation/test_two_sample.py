"""Codes against the prior: the discrepancy, its permutation test, and errors of named images."""

import math
from collections.abc import Callable

import pytest
import torch
from fake_plugins import GanzooHere
from torch import Tensor

import ganzoo_core as zoo
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation.metrics.classes import cluster_names, clustering_error, error_rate
from ganzoo_core.evaluation.metrics.two_sample import maximum_mean_discrepancy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(count: int, seed: int, size: int = 3) -> Tensor:
    return torch.randn(count, size, generator=generator(seed))


def test_the_discrepancy_of_four_points_is_that_worked_out_by_hand() -> None:
    # Distances: 1 within either set; 3, 4, 2 and 3 between. Their lower median is 2.
    first, second = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [4.0]])
    kernel = {d: math.exp(-(d**2) / 8) for d in (1, 2, 3, 4)}
    between = (2 * kernel[3] + kernel[4] + kernel[2]) / 4
    found = maximum_mean_discrepancy(first, second, generator())
    assert found.squared == pytest.approx(2 * kernel[1] - 2 * between)
    # Of the six divisions, the given one and its mirror image are the farthest apart.
    assert found.p_value == pytest.approx(1 / 3, abs=0.07)


def test_it_is_a_mean_over_pairs_of_different_points() -> None:
    first, second = points(40, 1), points(30, 2) + 0.5
    joined = torch.cat([first, second]).double()
    distances = torch.cdist(joined, joined)
    width = torch.pdist(joined).median()
    kernel = torch.exp(-(distances**2) / (2 * width**2))
    within = [
        (block.sum() - block.trace()) / (len(block) * (len(block) - 1))
        for block in (kernel[:40, :40], kernel[40:, 40:])
    ]
    expected = within[0] + within[1] - 2 * kernel[:40, 40:].mean()
    found = maximum_mean_discrepancy(first, second, generator())
    assert found.squared == pytest.approx(float(expected), rel=1e-6)


def test_two_samples_of_one_distribution_are_no_surprise() -> None:
    found = [
        maximum_mean_discrepancy(points(80, 2 * seed), points(60, 2 * seed + 1), generator(seed))
        for seed in range(40)
    ]
    p_values = torch.tensor([each.p_value for each in found])
    # Uniform under the null hypothesis: about two of forty below 0.05, and half below one half.
    assert (p_values < 0.05).sum() <= 6
    assert 0.3 < p_values.mean() < 0.7
    assert min(each.squared for each in found) < 0


@pytest.mark.parametrize(
    "change",
    [lambda x: x + 0.7, lambda x: 2 * x, lambda x: x.sign() * 0.8],
    ids=["moved", "wider", "another shape"],
)
def test_another_distribution_is_told_from_the_first(change: Callable[[Tensor], Tensor]) -> None:
    found = maximum_mean_discrepancy(points(150, 1), change(points(150, 2)), generator())
    assert found.squared > 0.01
    assert found.p_value == pytest.approx(1 / 501)


def test_the_units_of_the_points_make_no_difference() -> None:
    first, second = points(50, 1), points(50, 2) + 0.3
    one = maximum_mean_discrepancy(first, second, generator())
    other = maximum_mean_discrepancy(1000 * first, 1000 * second, generator())
    assert other.squared == pytest.approx(one.squared, rel=1e-4)


def test_points_that_are_all_the_same_are_no_different() -> None:
    found = maximum_mean_discrepancy(torch.zeros(5, 2), torch.zeros(6, 2), generator())
    assert found == (pytest.approx(0), 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.zeros(1, 2), torch.zeros(5, 2)),
        (torch.zeros(5, 2), torch.zeros(5, 3)),
        (torch.full((5, 2), math.nan), torch.zeros(5, 2)),
    ],
    ids=["a single point", "other sizes", "not a number"],
)
def test_points_that_cannot_be_compared_are_refused(first: Tensor, second: Tensor) -> None:
    with pytest.raises(DataError):
        maximum_mean_discrepancy(first, second, generator())


def test_errors_are_per_cent_of_the_images() -> None:
    logits = torch.eye(4)
    error = error_rate(logits, torch.tensor([0, 1, 2, 0]))
    assert error.value == pytest.approx(25)
    assert error.spread == pytest.approx(100 * (0.25 * 0.75 / 4) ** 0.5)


def test_a_cluster_has_the_label_of_its_surest_image() -> None:
    # The third image has the largest logit of cluster 1, and the fourth is surer of it.
    naming = torch.tensor([[3.0, 0], [1, 0], [9, 10], [0, 4]])
    names = cluster_names(naming, torch.tensor([7, 3, 5, 2]))
    assert names.tolist() == [7, 2]
    logits = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    error = clustering_error(logits, torch.tensor([7, 3, 2, 2, 7]), names)
    assert error.value == pytest.approx(40)


@pytest.mark.parametrize("labels", [torch.tensor([0]), torch.tensor([[0, 1]])])
def test_labels_that_do_not_fit_the_images_are_refused(labels: Tensor) -> None:
    with pytest.raises(DataError):
        error_rate(torch.eye(2), labels)
    with pytest.raises(DataError):
        cluster_names(torch.eye(2), labels)
    with pytest.raises(DataError):
        clustering_error(torch.eye(2), labels, torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("variant", "metric", "figures"),
    [
        ("aae", "prior-mmd", ["prior MMD²", "prior p-value"]),
        ("aae-semi-supervised", "classification-error", ["classification error"]),
        ("aae-clustering", "clustering-error", ["clustering error"]),
    ],
)
def test_encoders_are_measured_by_name(
    ganzoo_here: GanzooHere, variant: str, metric: str, figures: list[str]
) -> None:
    model = zoo.create(variant, image_size=8, width=4, latent_size=2)
    found = zoo.evaluate(model, "digits", metrics=[metric], count=50, write=False)
    assert [result.metric for result in found.results] == figures
    assert {result.real for result in found.results} == {50}


def test_what_a_model_cannot_do_is_not_measured(ganzoo_here: GanzooHere) -> None:
    model = zoo.create("aae", image_size=8, width=4)
    with pytest.raises(UnsupportedError, match="cannot classify"):
        zoo.evaluate(model, "digits", metrics=["classification-error"], write=False)
    with pytest.raises(UnsupportedError, match="neither classes nor clusters"):
        zoo.evaluate(model, "digits", metrics=["clustering-error"], count=5, write=False)


def test_a_random_draw_of_each_code_is_held_against_the_prior(ganzoo_here: GanzooHere) -> None:
    # A Gaussian posterior that ignores the image is the prior itself; its means alone are not.
    model = zoo.create(
        "aae", image_size=8, width=4, latent_size=2, encoder={"posterior": "gaussian"}
    )
    for weight in model.networks["encoder"].parameters():
        weight.data.zero_()
    model.networks["decoder"].deviation = 1.0
    found = zoo.evaluate(model, "digits", metrics=["prior-mmd"], count=200, write=False)
    assert {r.metric: r.value for r in found.results}["prior p-value"] > 0.01
