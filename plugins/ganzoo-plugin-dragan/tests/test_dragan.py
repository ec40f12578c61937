import re

import pytest
import torch
from ganzoo_plugin_dragan.config import DraganConfig
from ganzoo_plugin_dragan.penalty import Dragan

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Adam, DiscriminatorOutput, JointNoise, Judged
from ganzoo_core.errors import ConfigError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

SMALL = {
    "image_size": 16,
    "channels": 1,
    "latent_size": 8,
    "width": 8,
    "training.batch_size": 8,
}


@parametrize_with_checks("ganzoo-plugin-dragan")
def test_conformance(check):
    check()


def noise(seed: int = 0) -> JointNoise:
    return JointNoise(torch.Generator().manual_seed(seed))


def images(count: int, seed: int = 0, side: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, side, side, generator=generator) * 2 - 1


def perturbed(x: torch.Tensor, seed: int = 0, **settings) -> torch.Tensor:
    return Dragan(DraganConfig(**settings)).perturbed(x, noise(seed))


def quadratic(x: torch.Tensor) -> DiscriminatorOutput:
    """D(x) = ½‖x‖², whose gradient at x is x."""
    return DiscriminatorOutput(0.5 * x.flatten(1).square().sum(1))


def test_pixels_move_up_by_less_than_half_a_deviation_of_the_batch():
    half_black = torch.cat([torch.ones(4, 1, 8, 8), -torch.ones(4, 1, 8, 8)])  # deviation 1
    moved = perturbed(half_black) - half_black
    assert moved.min() >= 0
    assert moved.max() <= 0.5
    largest = moved.flatten(1).amax(1)
    assert largest.max() - largest.min() > 0.1  # each image goes a share of the way of its own
    assert moved[0].unique().numel() > 32  # and each of its pixels another distance
    torch.testing.assert_close(
        perturbed(half_black, reach=2.0) - half_black, 4 * moved, atol=1e-6, rtol=1e-5
    )


def test_the_perturbation_follows_from_the_seed_and_leaves_the_global_random_state():
    x = images(4)
    before = torch.get_rng_state()
    first = perturbed(x, seed=3)
    torch.rand(5, generator=torch.Generator().manual_seed(9))
    assert torch.equal(first, perturbed(x, seed=3))
    assert not torch.equal(first, perturbed(x, seed=4))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(x, images(4))


def test_of_a_linear_discriminator_it_has_a_closed_form():
    weights = torch.ones(64) / 4  # ‖w‖ = 2
    judged = Judged(lambda x: DiscriminatorOutput(x.flatten(1) @ weights), images(5), images(5, 1))
    for settings, expected in (({}, 10), ({"norm": 0.5, "weight": 2}, 4.5), ({"norm": 2}, 0)):
        penalty = Dragan(DraganConfig(**settings)).penalty(judged, noise())
        assert penalty.item() == pytest.approx(expected, abs=1e-5)


def test_it_is_taken_at_each_perturbed_real_image():
    real = images(5)
    penalty = Dragan(DraganConfig()).penalty(Judged(quadratic, real, images(5, 1)), noise())
    norms = perturbed(real).flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty, 10 * (norms - 1).square().mean())


def test_fakes_play_no_part_in_it():
    penalties = [
        Dragan(DraganConfig()).penalty(Judged(quadratic, images(4), images(4, seed)), noise())
        for seed in (1, 2)
    ]
    assert penalties[0] == penalties[1]


def test_defaults_are_those_of_the_authors_code():
    blueprint = draw_up(read_installed(), "dragan", {})
    config = blueprint.trainer.config
    assert config.discriminator_optimizer == Adam(lr=1e-4, betas=(0.5, 0.9))
    assert config.generator_optimizer == config.discriminator_optimizer
    assert config.discriminator_steps == 1
    assert blueprint.training.batch_size == 128
    assert blueprint.loss.full_name == "ganzoo-plugin-gan/non-saturating"
    penalty = blueprint.regularizers["dragan"].config
    assert penalty.model_dump() == {"weight": 10.0, "norm": 1.0, "reach": 0.5}


def test_a_step_costs_4_passes_of_the_generator_and_14_of_the_discriminator():
    trainer = engine_of(draw_up(read_installed(), "dragan", SMALL)).trainer
    assert trainer.passes() == {"generator": 4, "discriminator": 14}


@pytest.mark.parametrize(
    "settings", [{"dragan.weight": -1}, {"dragan.norm": -1}, {"dragan.reach": 0}]
)
def test_settings_that_cannot_be_are_refused(settings):
    (path,) = settings
    with pytest.raises(ConfigError, match=f"{re.escape(path)} cannot be"):
        draw_up(read_installed(), "dragan", settings)


@pytest.mark.parametrize(
    ("variant", "components"),
    [
        ("gan", {"regularizer": "dragan"}),
        ("dcgan", {"regularizer": "dragan"}),
        ("dragan", {"loss": "minimax"}),
        ("dragan", {"loss": "wgan", "regularizer": "dragan,gradient-penalty,weight-clipping"}),
        ("dragan", {"generator": "mlp", "discriminator": "maxout"}),
    ],
)
def test_it_goes_with_any_loss_any_networks_and_other_regularisers(variant, components):
    engine = engine_of(draw_up(read_installed(), variant, SMALL, components=components))
    engine.step()
    engine.check_finite()
    assert engine.losses["discriminator/dragan"] >= 0
