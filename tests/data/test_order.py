import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo_core.data import indices


@given(
    count=st.integers(1, 40),
    sizes=st.lists(st.integers(0, 90), max_size=6),
    seed=st.integers(0, 2**64),
)
def test_batches_are_cut_from_one_sequence_wherever_the_cuts_fall(
    count: int, sizes: list[int], seed: int
) -> None:
    whole = indices(count, sum(sizes), 0, seed)
    positions = np.cumsum([0, *sizes])
    parts = [indices(count, size, int(positions[i]), seed) for i, size in enumerate(sizes)]
    np.testing.assert_array_equal(whole, np.concatenate([*parts, np.empty(0, np.int64)]))


@given(count=st.integers(1, 60), epoch=st.integers(0, 10**12), seed=st.integers(0, 1000))
def test_every_epoch_shows_every_image_once(count: int, epoch: int, seed: int) -> None:
    assert sorted(indices(count, count, epoch * count, seed)) == list(range(count))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {
        tuple(indices(100, 100, epoch * 100, seed)) for epoch in range(5) for seed in range(5)
    }
    assert len(orders) == 25


def test_a_batch_larger_than_the_data_goes_on_into_further_epochs() -> None:
    batch = indices(3, 10, 2, 0)
    assert batch.dtype == np.int64
    assert sorted(batch[1:4]) == sorted(batch[4:7]) == [0, 1, 2]


def test_the_order_is_the_same_in_another_process() -> None:
    program = "from ganzoo_core.data import indices; print(list(map(int, indices(50, 70, 33, 7))))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert seen.stdout.strip() == str(indices(50, 70, 33, 7).tolist())


def test_the_order_of_a_seed_never_changes_between_versions() -> None:
    assert indices(8, 12, 6, 3).tolist() == EXPECTED


# What a run of seed 3 read when this was first released; resuming older runs depends on it.
EXPECTED = [3, 2, 0, 6, 2, 1, 3, 7, 4, 5, 4, 0]


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    indices(11, 30, 4, 123)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[union-attr]


def test_changing_a_batch_does_not_change_the_next_ones() -> None:
    first = indices(9, 9, 0, 0)
    kept = first.copy()
    first[:] = -1
    np.testing.assert_array_equal(indices(9, 9, 0, 0), kept)


@pytest.mark.parametrize("wrong", [(0, 1, 0, 0), (5, -1, 0, 0), (5, 1, -1, 0), (5, 1, 0, -1)])
def test_arguments_below_their_least_value_are_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        indices(*wrong)
