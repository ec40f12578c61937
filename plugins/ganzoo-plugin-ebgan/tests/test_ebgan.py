import math

import pytest
import torch
from ganzoo_plugin_ebgan.config import AutoencoderConfig, EnergyLossConfig
from ganzoo_plugin_ebgan.losses import EnergyLoss, energy, pulling_away_term
from ganzoo_plugin_ebgan.networks import AutoencodingDiscriminator

import ganzoo_core as zoo
from ganzoo_core.components import DiscriminatorOutput
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.testing import parametrize_with_checks


@parametrize_with_checks("ganzoo-plugin-ebgan")
def test_conformance(check):
    check()


def judged(*energies: float, codes: torch.Tensor | None = None) -> DiscriminatorOutput:
    """What an autoencoder says of images of 2×2 pixels that it misses by these energies."""
    each_pixel = torch.tensor(energies).view(-1, 1, 1, 1) / 2
    reconstruction = each_pixel.expand(-1, 1, 2, 2).clone().requires_grad_()
    images = torch.zeros_like(reconstruction)
    if codes is None:
        codes = torch.eye(len(energies))
    return DiscriminatorOutput(None, codes, reconstruction=reconstruction, images=images)


def loss_of(margin: float, pulling_away: float = 0.0) -> EnergyLoss:
    return EnergyLoss(EnergyLossConfig(margin=margin, pulling_away=pulling_away))


def test_energy_is_the_l2_norm_over_an_image_and_neither_squared_nor_a_mean():
    errors = torch.zeros(2, 1, 2, 2)
    errors[0, 0, 0] = torch.tensor([3.0, 4.0])
    errors[1] = -1
    assert energy(errors).tolist() == [5.0, 2.0]


def test_losses_are_equations_1_and_2():
    real, fake = judged(1.0, 3.0), judged(4.0, 9.0, 11.0)
    loss = loss_of(margin=10)
    # [10 - 4]⁺ = 6, [10 - 9]⁺ = 1, [10 - 11]⁺ = 0
    assert loss.discriminator(real, fake).item() == pytest.approx(2 + 7 / 3)
    assert loss.generator(fake).item() == pytest.approx(8)


def test_fakes_beyond_the_margin_are_left_alone_and_the_others_pushed_up():
    fake = judged(4.0, 11.0)
    loss_of(margin=10).discriminator(judged(1.0, 1.0), fake).backward()
    # Reconstructions stand above the images, so that less loss lies above.
    assert (fake.reconstruction.grad[0] < 0).all()
    assert (fake.reconstruction.grad[1] == 0).all()


def test_real_energies_and_the_generators_are_pulled_down_beyond_the_margin_too():
    real, fake = judged(11.0), judged(11.0)
    loss = loss_of(margin=10)
    loss.discriminator(real, judged(20.0)).backward()
    loss.generator(fake).backward()
    assert (real.reconstruction.grad > 0).all()
    assert (fake.reconstruction.grad > 0).all()


@pytest.mark.parametrize(
    ("codes", "term"),
    [
        ([[1, 0, 0], [0, 2, 0], [0, 0, 3]], 0.0),
        ([[1, 2, 3], [1, 2, 3], [1, 2, 3]], 1.0),
        ([[1, 2], [-1, -2]], 1.0),  # cos² knows no sign
        ([[1, 0], [1, 1]], 0.5),
        ([[1, 0], [1, 0], [0, 1]], 2 / 6),  # one of three pairs, each counted twice
        ([[5, 5]], 0.0),
    ],
)
def test_pulling_away_term_of_section_2_4(codes, term):
    assert pulling_away_term(torch.tensor(codes).float()).item() == pytest.approx(term, abs=1e-6)


def test_pulling_away_term_does_not_depend_on_the_scale_of_the_codes():
    codes = torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    scaled = codes * torch.tensor([1e-3, 1.0, 7.0, 50.0, 1e3, 2.0])[:, None]
    assert pulling_away_term(scaled) == pytest.approx(pulling_away_term(codes).item(), rel=1e-5)


def test_codes_of_nothing_but_zeros_give_a_finite_term_and_gradient():
    codes = torch.zeros(3, 4, requires_grad=True)
    pulling_away_term(codes).backward()
    assert codes.grad.isfinite().all()


def test_following_the_pulling_away_terms_gradient_turns_codes_apart():
    codes = torch.tensor([[1.0, 0.2], [1.0, -0.1]], requires_grad=True)
    term = pulling_away_term(codes)
    term.backward()
    assert pulling_away_term(codes - 0.1 * codes.grad) < term


def test_the_pulling_away_term_is_the_generators_alone():
    codes = torch.ones(2, 3, requires_grad=True)
    fake = judged(4.0, 4.0, codes=codes)
    loss = loss_of(margin=10, pulling_away=0.1)
    assert loss.generator(fake).item() == pytest.approx(4 + 0.1)
    assert loss.discriminator(judged(1.0, 1.0), fake).item() == pytest.approx(1 + 6)


def test_a_perfect_reconstruction_has_a_finite_gradient():
    fake = judged(0.0, 0.0)
    loss_of(margin=10).discriminator(judged(0.0, 0.0), fake).backward()
    assert fake.reconstruction.grad.isfinite().all()


def test_a_discriminator_that_is_no_autoencoder_is_refused_in_one_sentence():
    logits = DiscriminatorOutput(torch.zeros(4))
    with pytest.raises(UnsupportedError, match="needs a discriminator that is an autoencoder"):
        loss_of(margin=10).generator(logits)


def test_a_discriminator_that_hides_its_code_is_refused_only_where_codes_are_needed():
    images = torch.zeros(2, 1, 2, 2)
    hiding = DiscriminatorOutput(None, reconstruction=images, images=images)
    assert loss_of(margin=10).generator(hiding) == 0
    with pytest.raises(UnsupportedError, match=r"set loss\.pulling_away=0"):
        loss_of(margin=10, pulling_away=0.1).generator(hiding)


@pytest.mark.parametrize("setting", [{"margin": 0}, {"margin": -1}, {"pulling_away": -0.1}])
def test_settings_without_a_meaning_are_refused(setting):
    path = next(iter(setting))
    with pytest.raises(ConfigError, match=rf"loss\.{path} cannot be"):
        zoo.create("ebgan", **{f"loss.{path}": setting[path]})


@pytest.mark.parametrize(("image_size", "code_side"), [(16, 2), (32, 4), (64, 8), (128, 8)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_size_and_number_of_channels(image_size, code_side, channels):
    config = AutoencoderConfig(image_size=image_size, channels=channels, width=2)
    images = torch.zeros(2, channels, image_size, image_size)
    output = AutoencodingDiscriminator(config)(images)
    assert output.logits is None
    assert output.images is images
    assert output.reconstruction.shape == images.shape
    assert output.features.shape[2:] == (code_side, code_side)


def test_the_64_pixel_autoencoder_has_the_papers_feature_maps():
    network = AutoencodingDiscriminator(AutoencoderConfig())
    maps = [layer.out_channels for layer in network.modules() if hasattr(layer, "out_channels")]
    assert maps == [64, 128, 256, 128, 64, 3]


def test_weights_begin_with_the_papers_deviation_and_biases_at_0():
    encoder = AutoencodingDiscriminator(AutoencoderConfig()).encoder
    assert encoder[2].weight.std().item() == pytest.approx(0.002, rel=0.05)
    assert encoder[0].bias.abs().max() == 0


def test_fresh_images_have_an_energy_of_the_size_that_margins_are_set_in():
    # A mean over pixels, as in several zoos, would never come near the paper's margins.
    grey = torch.zeros(2, 3, 64, 64)
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    network = AutoencodingDiscriminator(AutoencoderConfig(width=4))
    loss = loss_of(margin=20)
    assert loss.as_real(network(noise)).min() > 20
    assert loss.as_real(network(noise)).max() < math.sqrt(grey[0].numel()) * 2
    assert loss.as_real(network(grey)).max() < 1


@pytest.mark.parametrize("generator", ["dcgan", "mlp"])
def test_it_trains_any_generator_and_its_loss_softens_targets(generator, tmp_path):
    settings = {
        "image_size": 16,
        "channels": 1,
        "width": 4,
        "training.steps": 2,
        "training.batch_size": 4,
        "trainer.label_smoothing": 0.1,
        "trainer.share_fake": True,
    }
    components = {"generator": generator}
    model = zoo.train("ebgan", components=components, settings=settings, out=tmp_path / "run")
    assert model.sample(2, seed=0).shape == (2, 1, 16, 16)
