import math

import pytest
import torch
from ganzoo_plugin_gan.config import MaxoutDiscriminatorConfig, MLPGeneratorConfig
from ganzoo_plugin_gan.losses import MinimaxLoss, NonSaturatingLoss
from ganzoo_plugin_gan.networks import MaxoutDiscriminator, MLPGenerator

from ganzoo_core.components import DiscriminatorOutput
from ganzoo_core.testing import parametrize_with_checks


@parametrize_with_checks("ganzoo-plugin-gan")
def test_conformance(check):
    check()


def judged(probability: float) -> DiscriminatorOutput:
    return DiscriminatorOutput(torch.tensor([math.log(probability / (1 - probability))] * 4))


@pytest.mark.parametrize(("d_real", "d_fake"), [(0.9, 0.2), (0.5, 0.5), (0.1, 0.99)])
def test_losses_are_the_papers_equations(d_real, d_fake):
    real, fake = judged(d_real), judged(d_fake)
    value = math.log(d_real) + math.log(1 - d_fake)  # V(D, G) of equation 1
    for loss in (MinimaxLoss(), NonSaturatingLoss()):
        assert loss.discriminator(real, fake).item() == pytest.approx(-value, rel=1e-5)
    assert MinimaxLoss().generator(fake).item() == pytest.approx(math.log(1 - d_fake), rel=1e-5)
    assert NonSaturatingLoss().generator(fake).item() == pytest.approx(-math.log(d_fake), rel=1e-5)


def test_minimax_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not():
    gradients = []
    for loss in (MinimaxLoss(), NonSaturatingLoss()):
        logits = torch.tensor([-12.0], requires_grad=True)  # "surely a fake"
        loss.generator(DiscriminatorOutput(logits)).backward()
        gradients.append(logits.grad.abs().item())
    minimax, non_saturating = gradients
    assert minimax < 1e-4
    assert non_saturating == pytest.approx(1, abs=1e-3)


def test_losses_stay_finite_on_extreme_logits():
    extreme = DiscriminatorOutput(torch.tensor([-1e4, 1e4]))
    for loss in (MinimaxLoss(), NonSaturatingLoss()):
        assert loss.discriminator(extreme, extreme).isfinite()
        assert loss.generator(extreme).isfinite()


def test_networks_have_the_sizes_of_the_authors_mnist_experiment():
    generator = MLPGenerator(MLPGeneratorConfig())
    widths = [layer.out_features for layer in generator.layers if hasattr(layer, "out_features")]
    assert widths == [1200, 1200, 784]
    discriminator = MaxoutDiscriminator(MaxoutDiscriminatorConfig())
    maxout = [layer for layer in discriminator.features if hasattr(layer, "pieces")]
    assert [(layer.linear.out_features, layer.pieces) for layer in maxout] == [(1200, 5), (1200, 5)]


def test_maxout_takes_the_largest_piece():
    discriminator = MaxoutDiscriminator(MaxoutDiscriminatorConfig(image_size=4, width=3, pieces=2))
    layer = discriminator.features[1]
    inputs = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    pieces = inputs @ layer.linear.weight.T + layer.linear.bias
    expected = torch.stack(
        [pieces[:, 2 * unit : 2 * unit + 2].max(1).values for unit in range(3)], 1
    )
    torch.testing.assert_close(layer(inputs), expected)
