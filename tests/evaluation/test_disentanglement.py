"""Disentanglement scores on codes that are perfect, turned, or know nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.disentanglement import (
    beta_vae_score,
    dci,
    factor_vae_score,
    mutual_information_gap,
    separated_attribute_predictability,
)

SIZES = (3, 4, 5)


def factors(count: int = 600) -> Any:
    generator = np.random.default_rng(0)
    return np.stack([generator.integers(size, size=count) for size in SIZES], 1)


def perfect() -> Any:
    """One dimension a factor, in another order and unit, with a little noise."""
    generator = np.random.default_rng(1)
    codes = factors()[:, [2, 0, 1]] * np.array([1.0, -3.0, 10.0])
    return codes + 0.01 * generator.standard_normal(codes.shape)


def mixed() -> Any:
    """Every dimension the same mixture of all factors, with noise of its own."""
    generator = np.random.default_rng(1)
    unit = factors() / np.array(SIZES)
    mixture = unit.sum(1, keepdims=True)
    return np.repeat(mixture, 3, 1) + 0.05 * generator.standard_normal((len(unit), 3))


def random() -> np.random.Generator:
    return np.random.default_rng(2)


SCORES: dict[str, Callable[[Any, Any], float]] = {
    "MIG": mutual_information_gap,
    "SAP": lambda codes, factors: separated_attribute_predictability(codes, factors, random()),
    "disentanglement": lambda codes, factors: dci(codes, factors, random()).disentanglement,
    "completeness": lambda codes, factors: dci(codes, factors, random()).completeness,
    "FactorVAE": lambda codes, factors: factor_vae_score(codes, factors, random(), votes=200),
    "β-VAE": lambda codes, factors: beta_vae_score(codes, factors, random(), points=200, pairs=16),
}


@pytest.mark.parametrize(
    ("score", "least"),
    [("MIG", 0.95), ("SAP", 0.25), ("disentanglement", 0.95), ("completeness", 0.95),
     ("FactorVAE", 1.0), ("β-VAE", 0.95)],
)  # fmt: skip
def test_a_code_with_one_dimension_a_factor_is_disentangled(score: str, least: float) -> None:
    assert least <= SCORES[score](perfect(), factors()) <= 1


@pytest.mark.parametrize(
    ("score", "most"),
    [("MIG", 0.1), ("SAP", 0.1), ("disentanglement", 0.15), ("completeness", 0.15),
     ("FactorVAE", 0.6), ("β-VAE", 0.7)],
)  # fmt: skip
def test_a_code_that_mixes_all_factors_in_every_dimension_is_not(score: str, most: float) -> None:
    assert SCORES[score](mixed(), factors()) <= most


def test_a_perfect_code_is_informative_and_one_of_noise_guesses() -> None:
    noise = np.random.default_rng(3).standard_normal((600, 3))
    assert dci(perfect(), factors(), random()).informativeness > 0.98
    assert dci(noise, factors(), random()).informativeness < 0.45


@pytest.mark.parametrize("score", SCORES)
def test_a_code_that_never_moves_tells_nothing_and_breaks_nothing(score: str) -> None:
    assert 0 <= SCORES[score](np.zeros((600, 3)), factors()) <= 0.5


def test_a_dimension_that_never_moves_does_not_win_every_vote() -> None:
    codes = np.concatenate([perfect(), np.zeros((600, 2))], 1)
    assert factor_vae_score(codes, factors(), random(), votes=200) == 1


@pytest.mark.parametrize("score", SCORES)
def test_scores_repeat_and_leave_the_global_state_alone(score: str) -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]
    assert SCORES[score](mixed(), factors()) == SCORES[score](mixed(), factors())
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("codes", "named", "sentence"),
    [
        (np.zeros((5, 2)), np.zeros((6, 2), int), "do not fit"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "too few"),
        (np.full((9, 2), np.nan), factors(9), "not a number"),
        (np.zeros((9, 2)), np.zeros((9, 2)), "whole numbers"),
        (np.zeros((9, 2)), np.zeros((9, 2), int), "same value"),
    ],
)
def test_codes_and_factors_that_cannot_be_scored_are_refused(
    score: str, codes: Any, named: Any, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        SCORES[score](codes, named)
