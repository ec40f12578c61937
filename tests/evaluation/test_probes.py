"""Probes of codes whose answer is known."""

import numpy as np
import pytest

from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.probes import chance, halves, linear_probe, same_group

CLIPS, FRAMES = 40, 12
GROUPS = np.repeat(np.arange(CLIPS), FRAMES)
MOVES = np.tile(np.arange(FRAMES) % 3, CLIPS)
PEOPLE = GROUPS % 4


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def codes_of(classes: np.ndarray, noise: float = 0.1) -> np.ndarray:
    """Return codes [N, 5] that hold the classes as directions, and noise."""
    directions = generator(1).normal(size=(classes.max() + 1, 5))
    return directions[classes] + noise * generator(2).normal(size=(len(classes), 5))


def test_whole_clips_are_kept_back_where_every_class_is_in_several() -> None:
    split = halves(PEOPLE, GROUPS, generator())
    assert not set(GROUPS[split.learned]) & set(GROUPS[split.tried])
    assert len(split.learned) == len(split.tried) == CLIPS * FRAMES // 2
    assert set(PEOPLE[split.learned]) == set(PEOPLE[split.tried]) == {0, 1, 2, 3}


def test_half_of_each_clip_is_kept_back_where_the_clip_is_the_class() -> None:
    split = halves(GROUPS, GROUPS, generator())
    for part in split:
        assert np.bincount(GROUPS[part]).tolist() == [FRAMES // 2] * CLIPS
    assert not set(split.learned) & set(split.tried)


@pytest.mark.parametrize("classes", [PEOPLE, MOVES, GROUPS], ids=["people", "moves", "groups"])
def test_what_codes_hold_is_read_off_them_and_what_they_lack_is_not(classes: np.ndarray) -> None:
    split = halves(classes, GROUPS, generator())
    held = linear_probe(codes_of(classes, 0.01), classes, split)
    assert held.value > 99 and held.spread is not None and held.spread < 1
    lacking = linear_probe(generator(3).normal(size=(len(classes), 5)), classes, split)
    at_random = 100 / (classes.max() + 1)
    assert lacking.spread is not None
    assert abs(lacking.value - at_random) < 4 * lacking.spread + 1


def test_chance_is_the_share_of_the_most_frequent_class() -> None:
    classes = np.array([0, 0, 0, 1] * 50)
    split = halves(classes, np.arange(200) // 4, generator())
    assert chance(classes, split).value == pytest.approx(75)
    # A classifier of codes that say nothing does no better.
    assert linear_probe(np.zeros((200, 2)), classes, split).value == pytest.approx(75)


def test_clips_are_told_apart_by_what_stays_and_not_by_what_moves() -> None:
    assert same_group(codes_of(GROUPS, 0.01), GROUPS, 0).value > 75
    moving = same_group(codes_of(MOVES, 0.01), GROUPS, 0)
    assert moving.value == pytest.approx(50, abs=6)
    assert moving == same_group(codes_of(MOVES, 0.01), GROUPS, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(value: float) -> None:
    codes = codes_of(PEOPLE)
    codes[7, 2] = value
    with pytest.raises(DataError, match="infinite or not a number"):
        linear_probe(codes, PEOPLE, halves(PEOPLE, GROUPS, generator()))
    with pytest.raises(DataError, match="infinite or not a number"):
        same_group(codes, GROUPS, 0)


def test_too_few_clips_or_codes_are_refused() -> None:
    with pytest.raises(DataError, match="3 videos are too few"):
        same_group(np.zeros((6, 2)), np.array([0, 0, 1, 1, 2, 2]), 0)
    classes = np.array([0, 1, 0])
    with pytest.raises(DataError, match="3 codes are too few"):
        linear_probe(np.zeros((3, 2)), classes, halves(classes, classes, generator()))
