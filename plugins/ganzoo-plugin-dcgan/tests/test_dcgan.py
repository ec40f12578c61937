import pytest
import torch
from ganzoo_plugin_dcgan.config import DCGANDiscriminatorConfig, DCGANGeneratorConfig
from ganzoo_plugin_dcgan.networks import DCGANDiscriminator, DCGANGenerator

import ganzoo_core as zoo
from ganzoo_core.testing import parametrize_with_checks


@parametrize_with_checks("ganzoo-plugin-dcgan")
def test_conformance(check):
    check()


@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_size_and_number_of_channels(image_size, channels):
    size = {"image_size": image_size, "channels": channels, "width": 2}
    images = DCGANGenerator(DCGANGeneratorConfig(**size))(torch.zeros(2, 100))
    assert images.shape == (2, channels, image_size, image_size)
    logits = DCGANDiscriminator(DCGANDiscriminatorConfig(**size))(images).logits
    assert logits.shape == (2,)


def test_the_64_pixel_generator_is_that_of_figure_1():
    layers = DCGANGenerator(DCGANGeneratorConfig()).layers
    maps = [layer.out_channels for layer in layers if hasattr(layer, "out_channels")]
    assert maps == [1024, 512, 256, 128, 3]


def test_no_batch_norm_at_the_generators_output_and_the_discriminators_input():
    generator = DCGANGenerator(DCGANGeneratorConfig(width=2))
    discriminator = DCGANDiscriminator(DCGANDiscriminatorConfig(width=2))
    names = lambda layers: [type(layer).__name__ for layer in layers]  # noqa: E731
    assert names(generator.layers)[-2:] == ["ConvTranspose2d", "Tanh"]
    assert names(discriminator.features)[:3] == ["Conv2d", "LeakyReLU", "Conv2d"]


@pytest.mark.parametrize("normalization", ["layer", "none"])
def test_a_critic_of_single_images_sees_their_contrast(normalization):
    config = DCGANDiscriminatorConfig(
        image_size=32, channels=1, width=8, normalization=normalization
    )
    critic = DCGANDiscriminator(config)
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole, half = critic(images).logits, critic(images / 2).logits
    # Beyond being the same, or half: what a network without biases would say.
    assert (whole - half).abs().min() > 1e-6
    assert (whole / 2 - half).abs().min() > 1e-6


def test_weights_begin_as_section_4_says():
    generator = zoo.create("dcgan", image_size=32).networks["generator"]
    weights = generator.layers[0].weight
    assert weights.mean().abs() < 1e-3
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)
