import math

import pytest
import torch
from ganzoo_plugin_autoencoder.config import (
    AutoencoderConfig,
    ConvolutionalConfig,
    ConvolutionalEncoderConfig,
    MLPConfig,
    MLPEncoderConfig,
)
from ganzoo_plugin_autoencoder.networks import AutoencoderDecoder, AutoencoderEncoder
from ganzoo_plugin_autoencoder.trainer import AutoencoderTrainer
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import (
    Batch,
    Code,
    Encoder,
    Generator,
    ImageNoise,
    JointNoise,
    Parts,
    Progress,
    Step,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

TINY = {"image_size": 4, "latent_size": 2, "hidden": (8,)}


@parametrize_with_checks("ganzoo-plugin-autoencoder")
def test_conformance(check):
    check()


def step():
    noise = JointNoise(torch.Generator().manual_seed(0))
    return Step(noise, Progress(0, 1, 0.0), "training")


def pair(**encoder):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return {
            "encoder": AutoencoderEncoder(MLPEncoderConfig(**TINY, **encoder)),
            "decoder": AutoencoderDecoder(MLPConfig(**TINY)),
        }


def trained_on(networks, **settings):
    return AutoencoderTrainer(AutoencoderConfig(**settings), Parts(networks))


def images(count):
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1


def units(network):
    return [layer.out_features for layer in network.layers if isinstance(layer, nn.Linear)]


def test_the_paper_s_mnist_networks():
    networks = zoo.create("autoencoder").networks
    assert units(networks["encoder"]) == [1000, 500, 250, 30]
    assert units(networks["decoder"]) == [250, 500, 1000, 784]
    kinds = [type(layer) for layer in networks["encoder"].layers]
    assert kinds.count(nn.Sigmoid) == 3
    # The code's units are linear.
    assert kinds[-1] is nn.Linear


def test_the_error_is_the_paper_s_cross_entropy_summed_over_pixels():
    networks = pair()
    shown = images(3)
    p, made = (shown + 1) / 2, (networks["decoder"](networks["encoder"](shown).mean) + 1) / 2
    by_hand = -(p * made.log() + (1 - p) * (1 - made).log()).sum((1, 2, 3)).mean()
    total = trained_on(networks).loss(None, Batch(shown), step()).total
    assert total.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_decoder_that_knows_nothing_pays_log_2_for_each_pixel():
    networks = pair()
    nn.init.zeros_(networks["decoder"].layers[-2].weight)
    for count in (1, 5):
        total = trained_on(networks).loss(None, Batch(images(count)), step()).total
        assert total.item() == pytest.approx(16 * math.log(2), rel=1e-6)


def test_the_squared_error_is_half_of_that_of_pixels_from_0_to_1():
    networks = pair()
    shown = images(3)
    away = (networks["decoder"](networks["encoder"](shown).mean) - shown) / 2
    total = trained_on(networks, error="squared").loss(None, Batch(shown), step()).total
    assert total.item() == pytest.approx((away**2).sum().item() / 3 / 2, rel=1e-5)


def test_a_pixel_that_is_surely_wrong_still_has_a_gradient():
    decoder = pair()["decoder"]
    nn.init.zeros_(decoder.layers[-2].weight)
    nn.init.constant_(decoder.layers[-2].bias, 60.0)
    (-decoder.log_likelihood(-torch.ones(1, 1, 4, 4), torch.zeros(1, 2))).sum().backward()
    assert decoder.layers[-2].bias.grad.tolist() == [1.0] * 16


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_convolutional_networks_of_every_size(image_size, channels):
    settings = {"image_size": image_size, "channels": channels, "width": 2, "latent_size": 5}
    encoder = AutoencoderEncoder(ConvolutionalEncoderConfig(**settings))
    decoder = AutoencoderDecoder(ConvolutionalConfig(**settings))
    shown = torch.zeros(2, channels, image_size, image_size)
    code = encoder(shown).mean
    assert code.shape == (2, 5)
    assert decoder(code).shape == shown.shape


def test_an_autoencoder_of_convolutions():
    parts = {"encoder": "autoencoder-convolutional", "decoder": "autoencoder-convolutional"}
    settings = {"image_size": 16, "channels": 3, "latent_size": 6, "width": 4}
    model = zoo.create("autoencoder", components=parts, **settings)
    assert model.reconstruct(torch.zeros(2, 3, 16, 16)).shape == (2, 3, 16, 16)


def test_deep_logistic_layers_learn_without_rbms():
    # From small weights such a network only ever answers with the mean image (the paper, page 506).
    blueprint = draw_up(
        read_installed(),
        "autoencoder",
        {"image_size": 8, "channels": 1, "hidden": [64, 32, 16], "latent_size": 8}
        | {"trainer.optimizer.lr": 3e-3},
    )
    engine = engine_of(blueprint)
    shown = engine.batches.draw(0).images
    for _ in range(150):
        engine.step()
    with torch.no_grad():
        made = engine.networks["decoder"](engine.networks["encoder"](shown).mean)
    of_mean = (shown - shown.mean(0)).square().mean()
    assert (made - shown).square().mean() < 0.5 * of_mean


def test_what_is_drawn_is_spread_like_the_codes_of_training():
    networks = pair()
    trainer = trained_on(networks)
    with torch.no_grad():
        networks["encoder"].layers[-1].bias.add_(torch.tensor([5.0, -3.0]))
    shown = images(64)
    for _ in range(800):
        with torch.no_grad():
            trainer.loss(None, Batch(shown), step())
    codes = networks["encoder"](shown).mean
    drawn = networks["decoder"].latents(4000, ImageNoise(0, range(4000)))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.1, rtol=0.02)
    torch.testing.assert_close(drawn.std(0), codes.std(0), atol=0.02, rtol=0.1)


def test_what_is_drawn_survives_saving(tmp_path):
    model = zoo.create("autoencoder", image_size=4, channels=1, latent_size=2, hidden=[8])
    model.networks["decoder"].observe(torch.tensor([[7.0, 7.0], [9.0, 9.0]]))
    before = model.sample(3, seed=1)
    loaded = zoo.load(str(model.save(tmp_path / "model")))
    assert torch.equal(loaded.sample(3, seed=1), before)


def test_a_variational_autoencoder_that_borrows_the_decoder_keeps_its_prior():
    pytest.importorskip("ganzoo_plugin_vae")
    parts = {"decoder": "autoencoder-mlp"}
    settings = {"image_size": 8, "channels": 1, "latent_size": 3, "width": 8, "hidden": [8]}
    engine = engine_of(draw_up(read_installed(), "vae", settings, components=parts))
    engine.step()
    drawn = engine.networks["decoder"].latents(5, ImageNoise(0, range(5)))
    assert torch.equal(drawn, ImageNoise(0, range(5)).normal(5, 3))


class Spoiling(Encoder):
    """An encoder that denoises, and keeps what it was shown."""

    image_shape, latent_shape, denoises = (1, 4, 4), (2,), True

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.shown = None

    def corrupt(self, images, noise):
        return images + noise.normal(*images.shape)

    def forward(self, images):
        self.shown = images
        return Code(images.flatten(1)[:, :2] * self.weight)


def test_an_encoder_that_denoises_sees_spoilt_images_and_the_error_is_of_clean_ones():
    networks = {**pair(), "encoder": Spoiling()}
    trainer, shown = trained_on(networks), images(3)
    losses = trainer.loss(None, Batch(shown), step())
    seen = networks["encoder"].shown
    assert not torch.equal(seen, shown)
    code = seen.flatten(1)[:, :2]
    assert losses.total.item() == pytest.approx(trainer.errors(shown, code).mean().item())


def test_any_encoder_of_points_or_gaussians_can_be_borrowed():
    pytest.importorskip("ganzoo_plugin_vae")
    parts = {"encoder": "ganzoo-plugin-vae/vae-mlp"}
    settings = {"image_size": 8, "channels": 1, "latent_size": 3, "width": 8, "hidden": [8]}
    blueprint = draw_up(read_installed(), "autoencoder", settings, components=parts)
    engine = engine_of(blueprint)
    engine.step()
    assert engine.losses["reconstruction"].isfinite()


def test_a_backbone_of_timm_is_an_encoder():
    pytest.importorskip("timm")
    parts = {"encoder": "timm:resnet10t"}
    settings = {"image_size": 32, "channels": 1, "hidden": [8], "training.batch_size": 4}
    engine = engine_of(draw_up(read_installed(), "autoencoder", settings, components=parts))
    engine.step()
    assert engine.losses["reconstruction"].isfinite()


def test_a_decoder_without_a_likelihood_is_for_squared_errors_only():
    class Plain(Generator):
        image_shape, latent_shape = (1, 4, 4), (2,)

        def forward(self, latents, labels=None):
            return latents.tanh()[:, :1].view(-1, 1, 1, 1).expand(-1, 1, 4, 4)

    networks = {**pair(), "decoder": Plain()}
    with pytest.raises(UnsupportedError, match=r"trainer\.error=squared"):
        trained_on(networks)
    trainer = trained_on(networks, error="squared")
    assert trainer.loss(None, Batch(images(2)), step()).total > 0


def test_codes_of_another_size_than_the_decoder_s_are_refused():
    settings = {**TINY, "channels": 1, "encoder.latent_size": 3, "decoder.latent_size": 4}
    blueprint = draw_up(read_installed(), "autoencoder", settings)
    with pytest.raises(ConfigError, match="latent_size"):
        blueprint.build_trainer(blueprint.build_networks())


@pytest.mark.parametrize(
    "setting",
    [
        {"encoder.code": "softmax"},
        {"encoder.hidden": [0]},
        {"trainer.error": "absolute"},
        {"activation": "sine"},
        {"latent_size": 0},
    ],
)
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "autoencoder", setting)
