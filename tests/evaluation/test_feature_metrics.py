"""KID, Inception Score, precision and recall, density and coverage, memorisation, classes."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.classes import class_accuracy, mode_coverage
from ganzoo_core.evaluation.metrics.frechet import frechet_distance, moments_of
from ganzoo_core.evaluation.metrics.inception_score import inception_score
from ganzoo_core.evaluation.metrics.kernel import kernel_distance
from ganzoo_core.evaluation.metrics.neighbours import (
    density_coverage,
    memorisation,
    nearest,
    precision_recall,
    radii,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(count: int, size: int = 8, *, seed: int = 0, mean: float = 0.0) -> Tensor:
    return torch.randn(count, size, generator=seeded(seed)) + mean


# KID


def test_kid_of_two_samples_of_one_distribution_is_near_nothing() -> None:
    value, spread = kernel_distance(normal(2000), normal(2000, seed=1), seeded(), subset_size=500)
    assert spread is not None
    assert abs(value) < 3 * spread
    assert kernel_distance(normal(2000), normal(2000, seed=1, mean=1), seeded()).value > 20 * spread


def test_kid_is_the_published_estimator() -> None:
    real, generated = normal(4, 3).double(), normal(4, 3, seed=1).double()

    def kernel(x: Tensor, y: Tensor) -> float:
        return float((x @ y / 3 + 1) ** 3)

    def within(points: Tensor) -> float:
        return sum(kernel(points[i], points[j]) for i in range(4) for j in range(4) if i != j) / 12

    between = sum(kernel(x, y) for x in real for y in generated) / 16
    expected = within(real) + within(generated) - 2 * between
    assert kernel_distance(real, generated, seeded()).value == pytest.approx(expected, rel=1e-6)


def test_kid_repeats_with_its_seed_and_leaves_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (
        kernel_distance(normal(50), normal(50, seed=1), seeded(seed), subsets=5, subset_size=20)
        for seed in (3, 3, 4)
    )
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), before)


# Inception Score


def test_images_that_all_say_the_same_have_inception_score_one() -> None:
    score = inception_score(torch.tensor([[3.0, 0, 0]]).repeat(40, 1), seeded())
    assert score.value == pytest.approx(1)
    assert score.spread == pytest.approx(0, abs=1e-9)


def test_certain_and_balanced_classes_have_their_number_as_inception_score() -> None:
    logits = 1000 * torch.eye(4).repeat(10, 1)
    assert inception_score(logits, seeded(), splits=1).value == pytest.approx(4)


def test_inception_score_lies_between_one_and_the_number_of_classes() -> None:
    score = inception_score(5 * normal(200, 7), seeded())
    assert 1 < score.value < 7
    assert score.spread is not None and score.spread > 0


# Precision and recall, density and coverage


def test_the_same_set_is_precise_and_recalled_dense_and_covered() -> None:
    points = normal(100)
    assert precision_recall(points, points) == (1, 1)
    density, coverage = density_coverage(points, points)
    # Every point lies in its own ball and, by counting, in k others on the average.
    assert density == pytest.approx((5 + 1) / 5)
    assert coverage == 1


def test_a_set_far_away_is_none_of_it() -> None:
    assert precision_recall(normal(50), normal(50, seed=1, mean=100)) == (0, 0)
    assert density_coverage(normal(50), normal(50, seed=1, mean=100)) == (0, 0)


def test_one_mode_of_two_is_precise_but_recalls_half() -> None:
    real = torch.cat([normal(60), normal(60, seed=1, mean=50)])
    precision, recall = precision_recall(real, normal(60, seed=2))
    assert precision > 0.5
    assert recall < 0.55
    assert density_coverage(real, normal(60, seed=2)).coverage <= 0.5


def test_precision_on_a_line_counts_the_balls_by_hand() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0]])  # radii to the nearest other: 1, 1, 2
    assert radii(real.double(), 1).tolist() == [1, 1, 2]
    generated = torch.tensor([[-0.5], [4.5], [5.5], [9.0]])
    precision, recall = precision_recall(real, generated, neighbours=1)
    assert precision == 0.5  # the first and the second
    # Radii of the generated: 5, 1, 1, 3.5, so [-5.5, 4.5] holds all three.
    assert recall == 1
    density, coverage = density_coverage(real, generated, neighbours=1)
    assert density == 2 / 4
    assert coverage == 2 / 3


def test_images_that_repeat_one_picture_do_not_break_the_metrics() -> None:
    flat = torch.ones(20, 8)
    precision, recall = precision_recall(normal(50), flat)
    assert 0 <= precision <= 1
    assert recall == 0
    assert kernel_distance(normal(50), flat, seeded()).value > 0


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_images_than_neighbours_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} are too few, this metric needs at least 4"):
        precision_recall(normal(50), normal(count))


def test_features_of_different_sizes_are_refused() -> None:
    for metric in (precision_recall, density_coverage, memorisation):
        with pytest.raises(DataError, match="differ in shape"):
            metric(normal(20, 8), normal(20, 9))


# Neighbours


def test_the_nearest_neighbour_is_found() -> None:
    references = normal(300)
    queries = references[[7, 100]] + 1e-3
    found = nearest(queries, references, neighbours=2)
    assert found.indices[:, 0].tolist() == [7, 100]
    assert (found.distances[:, 0] < found.distances[:, 1]).all()


def test_copies_are_memorised_and_fresh_images_are_not_more_than_others() -> None:
    training = normal(400)
    assert memorisation(training, training[:50] + 1e-4) == 1
    assert memorisation(training, normal(400, seed=1)) == pytest.approx(0.5, abs=0.1)
    assert memorisation(training, normal(50, seed=1, mean=30)) == 0


# Classes


def test_class_accuracy_is_the_share_that_the_classifier_agrees_with() -> None:
    logits = torch.eye(3)[[0, 1, 2, 2]]
    assert class_accuracy(logits, torch.tensor([0, 1, 2, 0])).value == 0.75
    with pytest.raises(DataError, match="3 classes"):
        class_accuracy(logits, torch.tensor([0, 1, 2, 3]))


def test_a_model_that_draws_two_of_four_classes_covers_two_modes() -> None:
    labels = torch.arange(400) % 4
    found, divergence = mode_coverage(torch.eye(4)[[0, 1] * 50], labels)
    assert found == 2
    assert divergence == pytest.approx(math.log(2))
    assert mode_coverage(torch.eye(4)[[0, 1, 2, 3] * 50], labels) == (4, 0)


def test_classes_that_the_classifier_does_not_know_are_refused() -> None:
    with pytest.raises(DataError, match="classifier of 4 classes"):
        mode_coverage(torch.eye(4), torch.tensor([10]))


def test_values_that_are_not_finite_are_refused_everywhere() -> None:
    broken = normal(20)
    broken[11] = torch.inf
    for metric in (
        lambda: precision_recall(normal(20), broken),
        lambda: density_coverage(normal(20), broken),
        lambda: kernel_distance(normal(20), broken, seeded()),
        lambda: memorisation(normal(20), broken),
        lambda: inception_score(broken, seeded()),
        lambda: class_accuracy(broken, torch.zeros(20, dtype=torch.int64)),
    ):
        with pytest.raises(DataError, match=r"1 of 20 are infinite or not a number.*number 11"):
            metric()


# Beside torch-fidelity


def test_it_agrees_with_torch_fidelity_on_the_same_features() -> None:
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    real, generated = normal(600, 32), normal(600, 32, seed=1, mean=0.2)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(real), fid_features_to_statistics(generated), verbose=False
    )["frechet_inception_distance"]
    ours = frechet_distance(moments_of(real), moments_of(generated))
    assert ours == pytest.approx(theirs, rel=1e-3)

    theirs = kid_features_to_metric(
        real, generated, kid_subsets=1, kid_subset_size=600, verbose=False
    )["kernel_inception_distance_mean"]
    ours = kernel_distance(real, generated, seeded(), subset_size=600).value
    assert ours == pytest.approx(theirs, rel=1e-3)

    theirs = isc_features_to_metric(real, splits=1, shuffle=False)["inception_score_mean"]
    assert inception_score(real, seeded(), splits=1).value == pytest.approx(theirs, rel=1e-3)


def test_it_agrees_with_torch_fidelity_on_precision_and_recall() -> None:
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, generated = normal(300), normal(300, seed=1, mean=0.5)
    theirs = prc_features_to_metric(
        generated, real, prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    ours = precision_recall(real, generated)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-3)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-3)


def test_spread_of_the_inception_score_is_the_published_deviation() -> None:
    logits = 3 * normal(100, 5)
    order = torch.randperm(100, generator=seeded())
    scores = []
    for part in logits[order].double().split(50):
        given = part.softmax(1).numpy()
        marginal = given.mean(0)
        scores.append(np.exp((given * np.log(given / marginal)).sum(1).mean()))
    score = inception_score(logits, seeded(), splits=2)
    assert score == pytest.approx((np.mean(scores), np.std(scores)))
