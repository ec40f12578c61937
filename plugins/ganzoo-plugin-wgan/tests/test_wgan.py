import pytest
import torch
from ganzoo_plugin_wgan.clipping import WeightClipping
from ganzoo_plugin_wgan.config import WeightClippingConfig
from ganzoo_plugin_wgan.losses import WassersteinLoss
from torch import nn

from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import DiscriminatorOutput, RMSprop
from ganzoo_core.errors import ConfigError, UnsupportedError
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


@parametrize_with_checks("ganzoo-plugin-wgan")
def test_conformance(check):
    check()


def scored(*scores: float) -> DiscriminatorOutput:
    return DiscriminatorOutput(torch.tensor(scores, requires_grad=True))


def test_the_critics_loss_is_minus_the_difference_of_the_means():
    real, fake = scored(1.0, 3.0), scored(0.0, -2.0, 5.0)
    assert WassersteinLoss().discriminator(real, fake).item() == pytest.approx(1 - 2)
    assert WassersteinLoss().generator(fake).item() == pytest.approx(-1)


def test_the_critic_raises_real_images_and_lowers_fakes_and_the_generator_raises_fakes():
    real, fake = scored(1.0, 3.0), scored(0.0, -2.0)
    WassersteinLoss().discriminator(real, fake).backward()
    assert real.logits.grad.tolist() == [-0.5, -0.5]
    assert fake.logits.grad.tolist() == [0.5, 0.5]
    fake = scored(0.0, -2.0)
    WassersteinLoss().generator(fake).backward()
    assert fake.logits.grad.tolist() == [-0.5, -0.5]


def test_a_steepest_critic_measures_how_far_mass_was_moved():
    points = torch.tensor([0.0, 1.0, 5.0])
    # W₁ of a translation is its length, and f(x) = −x is 1-Lipschitz and steepest.
    real, fake = DiscriminatorOutput(-points), DiscriminatorOutput(-(points + 2.5))
    loss = WassersteinLoss().discriminator(real, fake)
    assert -loss.item() == pytest.approx(2.5)


def test_a_discriminator_without_scores_is_refused():
    with pytest.raises(UnsupportedError, match="needs a discriminator with logits"):
        WassersteinLoss().generator(DiscriminatorOutput(None))


def test_defaults_are_those_of_algorithm_1():
    blueprint = draw_up(read_installed(), "wgan", {})
    config = blueprint.trainer.config
    assert config.discriminator_optimizer == config.generator_optimizer == RMSprop(lr=5e-5)
    assert config.discriminator_steps == 5
    assert blueprint.training.batch_size == 64
    assert blueprint.regularizers["weight-clipping"].config.bound == 0.01


def test_all_weights_are_within_the_bound_after_each_update_of_the_critic():
    engine = engine_of(draw_up(read_installed(), "wgan", SMALL))
    critic, computed = engine.networks["discriminator"], engine.trainer.loss
    largest = []

    def watched(phase, batch, step):
        largest.append(max(weight.abs().max().item() for weight in critic.parameters()))
        return computed(phase, batch, step)

    engine.trainer.loss = watched
    engine.step()
    engine.step()
    bound = torch.tensor(0.01).item()
    assert len(largest) == 2 * (5 + 1)
    assert largest[0] > bound  # gains of batch normalisation begin at 1
    assert max(largest[1:]) <= bound
    assert max(weight.abs().max() for weight in critic.parameters()) <= bound


def test_clipping_leaves_small_weights_and_running_statistics_alone():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.3, -0.7], [-0.2, 0.9]]))
        network[0].bias.copy_(torch.tensor([-2.0, 0.1]))
    network[1].running_var.fill_(7)
    WeightClipping(WeightClippingConfig(bound=0.5)).constrain(network)
    torch.testing.assert_close(network[0].weight, torch.tensor([[0.3, -0.5], [-0.2, 0.5]]))
    torch.testing.assert_close(network[0].bias, torch.tensor([-0.5, 0.1]))
    assert network[1].weight.tolist() == [0.5, 0.5]
    assert network[1].running_var.tolist() == [7, 7]


def test_clipping_costs_no_pass_and_leaves_the_generator_alone():
    engine = engine_of(draw_up(read_installed(), "wgan", SMALL))
    assert engine.trainer.passes() == {"generator": 8, "discriminator": 32}
    engine.step()
    generator = engine.networks["generator"]
    assert max(weight.abs().max() for weight in generator.parameters()) > 0.02


@pytest.mark.parametrize("bound", [0, -0.01, "wide"])
def test_a_bound_that_cannot_be_is_refused(bound):
    with pytest.raises(ConfigError, match=r"weight-clipping\.bound cannot be"):
        draw_up(read_installed(), "wgan", {"weight-clipping.bound": bound})


def test_scores_have_no_targets_that_could_be_smoothed():
    blueprint = draw_up(read_installed(), "wgan", SMALL | {"trainer.label_smoothing": 0.1})
    with pytest.raises(ConfigError, match="has no targets to smooth or flip"):
        engine_of(blueprint)


@pytest.mark.parametrize(
    ("variant", "components"),
    [
        ("gan", {"loss": "wgan", "regularizer": "weight-clipping"}),
        ("dcgan", {"loss": "wgan", "regularizer": "weight-clipping"}),
        ("dcgan", {"regularizer": "weight-clipping"}),
        ("wgan", {"generator": "mlp", "discriminator": "maxout"}),
        ("wgan", {"loss": "minimax", "regularizer": "none"}),
    ],
)
def test_loss_and_clipping_go_with_any_others(variant, components):
    engine = engine_of(draw_up(read_installed(), variant, SMALL, components=components))
    engine.step()
    engine.check_finite()
