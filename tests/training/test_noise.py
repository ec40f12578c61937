"""Random numbers come from explicit generators alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo_core.components import ImageNoise, JointNoise, Noise, drawing_from
from ganzoo_core.nn import Dropout

DRAWS: dict[str, Callable[[Noise, int], Tensor]] = {
    "normal": lambda noise, count: noise.normal(count, 3, 2),
    "uniform": lambda noise, count: noise.uniform(count, 5),
    "integers": lambda noise, count: noise.integers(1000, count, 4),
    "scalars": lambda noise, count: noise.normal(count),
}

draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


@draws
def test_an_image_has_the_same_noise_whatever_the_batch(draw: Callable[..., Tensor]) -> None:
    whole = draw(ImageNoise(7, range(20)), 20)
    assert torch.equal(draw(ImageNoise(7, range(11)), 11), whole[:11])
    batches = [draw(ImageNoise(7, range(n, n + 4)), 4) for n in range(0, 20, 4)]
    assert torch.equal(torch.cat(batches), whole)
    assert torch.equal(draw(ImageNoise(7, [13, 2]), 2), whole[[13, 2]])


@draws
def test_images_and_seeds_differ(draw: Callable[..., Tensor]) -> None:
    whole = draw(ImageNoise(7, range(20)), 20)
    assert len({tuple(row.flatten().tolist()) for row in whole}) == 20
    assert not torch.equal(draw(ImageNoise(8, range(20)), 20), whole)


def test_a_second_draw_goes_on_where_the_first_ended() -> None:
    noise = ImageNoise(7, range(3))
    assert not torch.equal(noise.normal(3, 2), noise.normal(3, 2))
    one = ImageNoise(7, [2])
    one.normal(1, 2)
    both = ImageNoise(7, range(3))
    both.normal(3, 2)
    assert torch.equal(one.normal(1, 2), both.normal(3, 2)[2:])


def test_noise_for_some_images_is_not_stretched_to_others() -> None:
    with pytest.raises(ValueError, match="noise for 3 images was asked for 4"):
        ImageNoise(7, range(3)).normal(4, 2)


@draws
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_draw_slices_of_the_joined_batch(
    draw: Callable[..., Tensor], processes: int
) -> None:
    def joint(rank: int, count: int) -> Noise:
        return JointNoise(torch.Generator().manual_seed(5), rank, count)

    joined = draw(joint(0, 1), 8)
    shares = [draw(joint(rank, processes), 8 // processes) for rank in range(processes)]
    assert torch.equal(torch.cat(shares), joined)


@draws
def test_values_are_of_their_distribution(draw: Callable[..., Tensor]) -> None:
    values = draw(ImageNoise(0, range(4000)), 4000).double()
    if draw is DRAWS["uniform"]:
        assert (values >= 0).all()
        assert (values < 1).all()
        expected = (0.5, 12**-0.5)
    elif draw is DRAWS["integers"]:
        assert set(values.flatten().tolist()) == set(range(1000))
        expected = (499.5, 1000 * 12**-0.5)
    else:
        expected = (0.0, 1.0)
    assert values.mean().item() == pytest.approx(expected[0], abs=expected[1] / 10)
    assert values.std().item() == pytest.approx(expected[1], rel=0.05)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    for draw in DRAWS.values():
        draw(ImageNoise(1, range(4)), 4)
        draw(JointNoise(torch.Generator().manual_seed(1)), 4)
    network = Dropout()
    with drawing_from(JointNoise(torch.Generator()), network):
        network(torch.ones(4, 4))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_draws_from_what_it_is_given_and_keeps_the_mean() -> None:
    network = nn.Sequential(Dropout(0.25))
    ones = torch.ones(100, 400)

    def dropped(seed: int) -> Tensor:
        noise = JointNoise(torch.Generator().manual_seed(seed))
        with drawing_from(noise, network):
            output: Tensor = network(ones)
        return output

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))
    assert dropped(1).unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert dropped(1).mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(ones, torch.ones(100, 400))


def test_dropout_refuses_to_fall_back_on_the_global_generator() -> None:
    network = Dropout()
    with pytest.raises(RuntimeError, match="drawing_from"):
        network(torch.ones(2, 2))
    noise = JointNoise(torch.Generator())
    with drawing_from(noise, network):
        network(torch.ones(2, 2))
    with pytest.raises(RuntimeError, match="drawing_from"):
        network(torch.ones(2, 2))


@pytest.mark.parametrize("network", [Dropout(0.0), Dropout(0.5).eval()])
def test_dropout_that_drops_nothing_needs_no_noise(network: Any) -> None:
    assert torch.equal(network(torch.ones(2, 2)), torch.ones(2, 2))
