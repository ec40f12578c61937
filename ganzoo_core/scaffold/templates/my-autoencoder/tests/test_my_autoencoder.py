from collections.abc import Callable

import ganzoo_core as zoo
import pytest
import torch
from ganzoo_core.components import Code
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.testing import parametrize_with_checks

from ganzoo_plugin_my_autoencoder.trainer import divergence

VARIANT = "my-autoencoder"


@parametrize_with_checks("ganzoo-plugin-my-autoencoder")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_and_number_of_channels(image_size: int, channels: int) -> None:
    model = zoo.create(VARIANT, image_size=image_size, channels=channels, width=2)
    images = model.sample(2)
    assert images.shape == (2, channels, image_size, image_size)
    assert model.reconstruct(images).shape == images.shape


def test_divergence_is_that_of_two_gaussians() -> None:
    mean, deviation = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.7, 1.3]])
    ours = torch.distributions.Normal(mean, deviation)
    prior = torch.distributions.Normal(torch.zeros(1, 2), torch.ones(1, 2))
    expected = torch.distributions.kl_divergence(ours, prior).sum()
    torch.testing.assert_close(divergence(Code(mean, 2 * deviation.log())), expected)


def test_a_code_that_is_a_point_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="Gaussian"):
        divergence(Code(torch.zeros(1, 2)))
