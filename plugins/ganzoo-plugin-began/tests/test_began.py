import pytest
import torch
from ganzoo_plugin_began.config import (
    BEGANAutoencoderConfig,
    BEGANGeneratorConfig,
    EquilibriumLossConfig,
    EquilibriumTrainerConfig,
)
from ganzoo_plugin_began.losses import EquilibriumLoss
from ganzoo_plugin_began.networks import BEGANAutoencoder, BEGANGenerator, Layer
from ganzoo_plugin_began.trainer import EquilibriumTrainer

import ganzoo_core as zoo
from ganzoo_core.components import Batch, DiscriminatorOutput, JointNoise, Parts, Progress, Step
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.testing import parametrize_with_checks


@parametrize_with_checks("ganzoo-plugin-began")
def test_conformance(check):
    check()


def judged(*errors: float) -> DiscriminatorOutput:
    """What an autoencoder says of images of 2×2 pixels that it misses by these errors a pixel."""
    reconstruction = torch.tensor(errors).view(-1, 1, 1, 1).repeat(1, 1, 2, 2).requires_grad_()
    return DiscriminatorOutput(
        None, reconstruction=reconstruction, images=torch.zeros_like(reconstruction)
    )


def loss_of(**settings: float) -> EquilibriumLoss:
    return EquilibriumLoss(EquilibriumLossConfig(**settings))


def turns(loss: EquilibriumLoss, real: float, fake: float, times: int = 1) -> None:
    for _ in range(times):
        loss.discriminator(judged(real), judged(fake))
        loss.generator(judged(fake))


def test_the_error_is_the_l1_mean_over_pixels_and_images():
    loss = loss_of()
    assert loss.generator(judged(0.2, -0.6)).item() == pytest.approx(0.4)


def test_losses_are_those_of_section_3_4():
    loss = loss_of(initial_k=0.25)
    assert loss.discriminator(judged(0.5), judged(0.2)).item() == pytest.approx(0.5 - 0.25 * 0.2)
    assert loss.generator(judged(0.3)).item() == pytest.approx(0.3)


def test_k_follows_the_balance_of_the_real_images_and_the_generators_own_fakes():
    loss = loss_of(gamma=0.5, lambda_k=0.001, initial_k=0.25)
    loss.discriminator(judged(0.8), judged(0.9))
    assert loss.k.item() == 0.25
    loss.generator(judged(0.1))
    assert loss.k.item() == pytest.approx(0.25 + 0.001 * (0.5 * 0.8 - 0.1))
    turns(loss, real=0.8, fake=0.6)
    assert loss.k.item() == pytest.approx(0.25 + 0.001 * (0.5 * 0.8 - 0.1 + 0.5 * 0.8 - 0.6))


def test_k_begins_at_0_and_stays_within_0_and_1():
    loss = loss_of(lambda_k=1)
    assert loss.k.item() == 0
    turns(loss, real=0.1, fake=0.9)
    assert loss.k.item() == 0
    turns(loss, real=1.0, fake=0.0, times=5)
    assert loss.k.item() == 1
    turns(loss, real=0.2, fake=0.2)
    assert loss.k.item() == pytest.approx(0.9)


def test_at_the_equilibrium_k_rests():
    loss = loss_of(gamma=0.5, lambda_k=1, initial_k=0.3)
    turns(loss, real=0.4, fake=0.2, times=3)
    assert loss.k.item() == pytest.approx(0.3)


@pytest.mark.parametrize(("fake", "measure"), [(0.1, 0.4 + 0.1), (0.2, 0.4), (0.5, 0.4 + 0.3)])
def test_convergence_measure_of_section_3_4_1(fake, measure):
    loss = loss_of(gamma=0.5)
    turns(loss, real=0.4, fake=fake)
    assert loss.measured()["convergence"].item() == pytest.approx(measure)


def test_the_discriminator_improves_real_images_and_worsens_fakes_by_k():
    real, fake = judged(0.5), judged(0.5)
    loss_of(initial_k=0.25).discriminator(real, fake).backward()
    assert (real.reconstruction.grad > 0).all()
    torch.testing.assert_close(fake.reconstruction.grad, -0.25 * real.reconstruction.grad)


def test_the_generator_improves_its_fakes_with_full_weight_whatever_k():
    fake = judged(0.5)
    loss_of(initial_k=0.25).generator(fake).backward()
    assert (fake.reconstruction.grad == 0.25).all()  # 1 / 4 pixels


def test_neither_k_nor_the_measure_holds_on_to_a_graph():
    loss = loss_of(initial_k=0.25)
    turns(loss, real=0.5, fake=0.2)
    assert not any(buffer.requires_grad for buffer in loss.buffers())


def test_a_discriminators_graph_survives_the_generators_turn():
    loss = loss_of(initial_k=0.25)
    fake = judged(0.5)
    total = loss.discriminator(judged(0.5), fake)
    loss.generator(judged(0.1))
    total.backward()
    assert fake.reconstruction.grad.flatten()[0].item() == pytest.approx(-0.25 / 4)


def test_a_resumed_loss_goes_on_with_the_same_k():
    straight = loss_of(lambda_k=0.5)
    turns(straight, real=0.9, fake=0.1, times=2)
    resumed = loss_of(lambda_k=0.5)
    resumed.load_state_dict(straight.state_dict())
    for loss in (straight, resumed):
        # The generator's turn may come first, and then needs the last error of real images.
        loss.generator(judged(0.2))
        turns(loss, real=0.7, fake=0.3)
    assert 0 < straight.k.item() < 1
    for name, buffer in straight.named_buffers():
        assert torch.equal(buffer, resumed.get_buffer(name))


def test_a_discriminator_that_is_no_autoencoder_is_refused_in_one_sentence():
    with pytest.raises(UnsupportedError, match="needs a discriminator that is an autoencoder"):
        loss_of().generator(DiscriminatorOutput(torch.zeros(4)))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("loss.gamma", -0.1),
        ("loss.gamma", 1.1),
        ("loss.lambda_k", -1),
        ("loss.initial_k", 2),
        ("trainer.residual_steps", 0),
        ("generator.repeats", 0),
        ("discriminator.hidden_size", 0),
    ],
)
def test_settings_without_a_meaning_are_refused(setting, value):
    with pytest.raises(ConfigError, match=rf"{setting} cannot be"):
        zoo.create("began", **{setting: value})


@pytest.mark.parametrize("skip_connections", [False, True])
@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_and_number_of_channels(image_size, channels, skip_connections):
    size = {
        "image_size": image_size,
        "channels": channels,
        "width": 2,
        "skip_connections": skip_connections,
    }
    generator = BEGANGenerator(BEGANGeneratorConfig(**size))
    images = generator(torch.zeros(2, 64))
    assert images.shape == (2, channels, image_size, image_size)
    output = BEGANAutoencoder(BEGANAutoencoderConfig(**size, hidden_size=5))(images)
    assert output.logits is None
    assert output.images is images
    assert output.features.shape == (2, 5)
    assert output.reconstruction.shape == images.shape


def maps_of(network: torch.nn.Module) -> list[tuple[int, tuple[int, int]]]:
    return [
        (layer.convolution.out_channels, layer.convolution.stride)
        for layer in network.modules()
        if isinstance(layer, Layer)
    ]


def test_the_encoder_grows_linearly_as_it_goes_down_and_the_decoder_keeps_its_width():
    network = BEGANAutoencoder(BEGANAutoencoderConfig(image_size=64, width=3))
    one, two = (1, 1), (2, 2)
    assert maps_of(network.encoder) == [
        (3, one), (3, one), (3, two), (6, one), (6, two), (9, one), (9, two), (12, one), (12, one)
    ]  # fmt: skip
    assert maps_of(network.decoder) == [(3, one)] * 8


def test_the_generator_has_the_decoders_architecture():
    generator = BEGANGenerator(BEGANGeneratorConfig(width=3, latent_size=5))
    autoencoder = BEGANAutoencoder(BEGANAutoencoderConfig(width=3, hidden_size=5))
    shapes = [
        {name: weight.shape for name, weight in network.decoder.state_dict().items()}
        for network in (generator, autoencoder)
    ]
    assert shapes[0] == shapes[1]


def test_the_code_is_a_linear_map_of_the_cube():
    network = BEGANAutoencoder(BEGANAutoencoderConfig(image_size=16, width=2, hidden_size=3))
    cubes = []
    network.encoder.register_forward_hook(lambda *call: cubes.append(call[-1].flatten(1)))
    code = network(torch.rand(4, 3, 16, 16)).features
    expected = cubes[0] @ network.to_code.weight.T + network.to_code.bias
    torch.testing.assert_close(code, expected)
    assert (code < 0).any()


def test_latents_are_uniform_between_minus_1_and_1():
    generator = BEGANGenerator(BEGANGeneratorConfig(image_size=16, width=1))
    latents = generator.latents(2000, JointNoise(torch.Generator().manual_seed(0)))
    assert latents.min() >= -1
    assert latents.max() <= 1
    assert latents.mean().item() == pytest.approx(0, abs=0.01)
    assert latents.square().mean().item() == pytest.approx(1 / 3, abs=0.01)


def shortcut_trainer(residual_steps: int) -> EquilibriumTrainer:
    size = {"image_size": 16, "channels": 1, "width": 2, "vanishing_residuals": True}
    networks = {
        "generator": BEGANGenerator(BEGANGeneratorConfig(**size)),
        "discriminator": BEGANAutoencoder(BEGANAutoencoderConfig(**size)),
    }
    config = EquilibriumTrainerConfig(residual_steps=residual_steps)
    return EquilibriumTrainer(config, Parts(networks, loss_of()))


@pytest.mark.parametrize(("step", "carry"), [(0, 1.0), (25, 0.75), (100, 0.0), (250, 0.0)])
def test_shortcuts_vanish_over_their_steps(step, carry):
    trainer = shortcut_trainer(residual_steps=100)
    noise = JointNoise(torch.Generator().manual_seed(0))
    batch = Batch(torch.zeros(2, 1, 16, 16))
    trainer.loss(trainer.phases()[0], batch, Step(noise, Progress(step, 1000, 0.0), "training"))
    carries = [
        layer.carry.item()
        for network in trainer.networks.values()
        for layer in network.modules()
        if isinstance(layer, Layer) and layer.carry is not None
    ]
    assert carries == [carry] * len(carries)
    assert len(carries) > 8


def test_a_shortcut_mixes_input_and_output_and_none_leads_around_a_change_of_size():
    layer = Layer(3, 3, residual=True)
    activations = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    transformed = layer(activations)  # networks begin without shortcuts
    layer.carry.fill_(0.25)
    torch.testing.assert_close(layer(activations), 0.25 * activations + 0.75 * transformed)
    assert Layer(3, 4, residual=True).carry is None
    assert Layer(3, 3, stride=2, residual=True).carry is None


@pytest.mark.parametrize(
    "components",
    [{"generator": "dcgan"}, {"generator": "mlp"}, {"trainer": "adversarial"}],
    ids=lambda components: next(iter(components.values())),
)
def test_it_trains_with_other_generators_and_trainers(components, tmp_path):
    settings = {
        "image_size": 16,
        "channels": 1,
        "width": 4,
        "training.steps": 2,
        "training.batch_size": 4,
    }
    model = zoo.train("began", components=components, settings=settings, out=tmp_path / "run")
    assert model.sample(2, seed=0).shape == (2, 1, 16, 16)
