import math

import pytest
import torch
from ganzoo_plugin_vae.config import (
    ConvolutionalConfig,
    ConvolutionalDecoderConfig,
    MLPConfig,
    MLPDecoderConfig,
    VAEConfig,
)
from ganzoo_plugin_vae.likelihoods import (
    bernoulli_log_likelihood,
    divergence,
    gaussian_log_likelihood,
)
from ganzoo_plugin_vae.networks import LEAST_LOG_VARIANCE, VAEDecoder, VAEEncoder
from ganzoo_plugin_vae.trainer import VAETrainer
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import (
    Batch,
    Code,
    Decoder,
    Encoder,
    Generator,
    JointNoise,
    Parts,
    Progress,
    Step,
)
from ganzoo_core.errors import CheckpointError, ConfigError, UnsupportedError
from ganzoo_core.evaluation.metrics.likelihood import importance_weighted_nll
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import engine_of

TINY = {"image_size": 4, "width": 16, "latent_size": 1}


@parametrize_with_checks("ganzoo-plugin-vae")
def test_conformance(check):
    check()


def step(seed=0):
    noise = JointNoise(torch.Generator().manual_seed(seed))
    return Step(noise, Progress(0, 1, 0.0), "training")


def trained_on(networks, **settings):
    return VAETrainer(VAEConfig(**settings), Parts(networks))


def small_pair(**decoder):
    """Return an encoder and a decoder of one latent, with weights large enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = VAEEncoder(MLPConfig(**TINY, init_deviation=0.5))
        return encoder, VAEDecoder(MLPDecoderConfig(**TINY, init_deviation=1.0, **decoder))


def images(count):
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_the_divergence_is_that_of_appendix_b_by_hand():
    code = Code(torch.tensor([[0.5, -1.0]]), torch.tensor([[math.log(4), 0.0]]))
    by_hand = 0.5 * (0.25 + 4 - 1 - math.log(4)) + 0.5 * (1 + 1 - 1 - 0)
    assert divergence(code).tolist() == pytest.approx([by_hand])


def test_a_code_that_equals_the_prior_costs_nothing():
    assert divergence(Code(torch.zeros(3, 5), torch.zeros(3, 5))).tolist() == [0, 0, 0]


def test_the_bernoulli_likelihood_is_that_of_appendix_c_by_hand():
    pixels = torch.tensor([[1.0, 0.0, 0.25]])
    logits = torch.logit(torch.tensor([[0.9, 0.2, 0.5]]))
    by_hand = math.log(0.9) + math.log(0.8) + 0.25 * math.log(0.5) + 0.75 * math.log(0.5)
    assert bernoulli_log_likelihood(pixels, logits).tolist() == pytest.approx([by_hand])


def test_the_gaussian_likelihood_is_that_of_appendix_c_by_hand():
    pixels, mean = torch.tensor([[0.5, 1.0]]), torch.tensor([[0.25, 0.9]])
    deviations = (0.5, 0.1)
    log_variance = torch.tensor([[2 * math.log(deviation) for deviation in deviations]])
    by_hand = sum(
        -0.5 * (away / deviation) ** 2 - math.log(deviation) - 0.5 * math.log(2 * math.pi)
        for away, deviation in zip((0.25, 0.1), deviations, strict=True)
    )
    found = gaussian_log_likelihood(pixels, mean, log_variance).tolist()
    assert found == pytest.approx([by_hand])


def test_a_decoder_takes_images_from_minus_1_to_1_and_pixels_from_0_to_1():
    _, decoder = small_pair()
    latents = torch.tensor([[0.3]])
    white = decoder.log_likelihood(torch.ones(1, 1, 4, 4), latents)
    probability_of_white = (decoder(latents) + 1) / 2
    assert white.item() == pytest.approx(probability_of_white.log().sum().item(), rel=1e-5)


def test_a_gaussian_decoder_has_the_deviation_that_it_is_given():
    _, decoder = small_pair(likelihood="gaussian", deviation=0.1)
    latents, shown = torch.tensor([[0.3]]), images(1)
    expected = torch.distributions.Normal((decoder(latents) + 1) / 2, 0.1)
    found = decoder.log_likelihood(shown, latents).item()
    assert found == pytest.approx(expected.log_prob((shown + 1) / 2).sum().item(), rel=1e-4)


def test_a_gaussian_decoder_says_its_own_deviations_where_it_is_given_none():
    _, decoder = small_pair(likelihood="gaussian")
    latents, shown = torch.tensor([[0.3]]), images(1)
    mean, log_variance = decoder.layers(latents).chunk(2, dim=1)
    deviation = (log_variance.clamp(min=LEAST_LOG_VARIANCE) / 2).exp()
    expected = torch.distributions.Normal(mean.sigmoid(), deviation)
    found = decoder.log_likelihood(shown, latents).item()
    assert found == pytest.approx(expected.log_prob((shown + 1) / 2).sum().item(), rel=1e-4)
    assert decoder(latents).shape == (1, 1, 4, 4)


@pytest.mark.parametrize("image_size", [4, 8])
def test_the_loss_is_summed_over_pixels_and_averaged_over_images(image_size):
    # A decoder that knows nothing pays log 2 for each pixel, whatever the batch.
    settings = {**TINY, "image_size": image_size}
    networks = {
        "encoder": VAEEncoder(MLPConfig(**settings)),
        "decoder": VAEDecoder(MLPDecoderConfig(**settings)),
    }
    nn.init.zeros_(networks["decoder"].layers[-2].weight)
    nn.init.zeros_(networks["decoder"].layers[-2].bias)
    for count in (1, 5):
        shown = torch.ones(count, 1, image_size, image_size)
        parts = trained_on(networks).loss(None, Batch(shown), step()).parts
        assert parts["reconstruction"].item() == pytest.approx(image_size**2 * math.log(2))


def test_the_loss_is_reconstruction_plus_beta_times_divergence():
    networks = dict(zip(("encoder", "decoder"), small_pair(), strict=True))
    for beta in (0.0, 1.0, 4.0):
        losses = trained_on(networks, beta=beta).loss(None, Batch(images(3)), step())
        parts = losses.parts
        expected = parts["reconstruction"] + beta * parts["kl"]
        assert losses.total.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_bound_is_the_integral_s_less_the_distance_of_the_posterior():
    # log p(x) = bound + KL(q(z|x) ‖ p(z|x)), all by summing over a fine grid of one latent.
    encoder, decoder = small_pair()
    shown = images(1)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    with torch.no_grad():
        code = encoder(shown)
        said = decoder.log_likelihood(shown.expand(len(grid), -1, -1, -1), grid[:, None].float())
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(grid)
    mean, deviation = code.mean.double().item(), (code.log_variance / 2).exp().double().item()
    q = torch.distributions.Normal(mean, deviation).log_prob(grid)
    width = float(grid[1] - grid[0])
    joint = said.double() + prior
    evidence = (joint.logsumexp(0) + math.log(width)).item()
    distance = (q.exp() * (q - (joint - evidence))).sum().item() * width
    networks = {"encoder": encoder, "decoder": decoder}
    bound = -trained_on(networks, samples=1000).loss(None, Batch(shown), step()).total.item()
    assert bound == pytest.approx(evidence - distance, abs=0.15)
    assert bound < evidence
    nll = importance_weighted_nll(
        _Pair(encoder, decoder), shown, torch.Generator().manual_seed(3), samples=4000
    )
    assert -nll.value == pytest.approx(evidence, abs=0.1)


def test_each_sample_of_a_code_is_a_draw_of_its_own():
    networks = dict(zip(("encoder", "decoder"), small_pair(), strict=True))
    trainer = trained_on(networks, samples=3)
    draws = trainer.draws(networks["encoder"](images(2)), step().noise)
    assert len({draw[0].item() for draw in draws}) == 3


def test_more_samples_cost_the_decoder_alone():
    tiny = {**dict(_entry().tiny), "trainer.samples": 3}
    engine = engine_of(draw_up(read_installed(), "vae", tiny))
    assert engine.trainer.passes() == {"encoder": 3, "decoder": 9}
    assert count_passes(engine) == pytest.approx({"encoder": 3, "decoder": 9}, rel=0.02)


def test_the_paper_s_mnist_networks():
    networks = zoo.create("vae").networks
    units = [
        [layer.out_features for layer in networks[role].layers if isinstance(layer, nn.Linear)]
        for role in ("encoder", "decoder")
    ]
    assert units == [[500, 2 * 20], [500, 784]]
    assert networks["encoder"].layers[1].weight.std().item() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_convolutional_networks_of_every_size(image_size, channels):
    settings = {"image_size": image_size, "channels": channels, "width": 2, "deep_width": 2}
    encoder = VAEEncoder(ConvolutionalConfig(**settings))
    decoder = VAEDecoder(ConvolutionalDecoderConfig(**settings))
    shown = torch.zeros(2, channels, image_size, image_size)
    code = encoder(shown)
    assert code.mean.shape == code.log_variance.shape == (2, 10)
    assert decoder(code.mean).shape == shown.shape
    assert decoder.log_likelihood(shown, code.mean).shape == (2,)


def test_convolutional_networks_can_do_without_hidden_units():
    settings = {"image_size": 16, "channels": 1, "width": 2, "deep_width": 2, "hidden": ()}
    code = VAEEncoder(ConvolutionalConfig(**settings))(torch.zeros(2, 1, 16, 16))
    assert VAEDecoder(ConvolutionalDecoderConfig(**settings))(code.mean).shape == (2, 1, 16, 16)


def test_a_vae_borrows_convolutional_networks():
    parts = {"encoder": "vae-convolutional", "decoder": "vae-convolutional"}
    model = zoo.create("vae", components=parts, image_size=16, channels=1, latent_size=3)
    assert model.encode(model.sample(2)).shape == (2, 3)


def test_codes_that_are_points_are_refused():
    class PointEncoder(Encoder):
        image_shape, latent_shape = (1, 4, 4), (1,)

        def forward(self, images):
            return Code(images.flatten(1)[:, :1])

    trainer = trained_on({"encoder": PointEncoder(), "decoder": small_pair()[1]})
    with pytest.raises(UnsupportedError, match="Gaussian code"):
        trainer.loss(None, Batch(images(2)), step())


def test_a_decoder_without_a_likelihood_is_refused():
    class Plain(Generator):
        latent_shape = (1,)

    with pytest.raises(UnsupportedError, match="how likely images are"):
        trained_on({"encoder": small_pair()[0], "decoder": Plain()})


def test_codes_of_another_size_than_the_decoder_s_are_refused():
    tiny = {**dict(_entry().tiny), "encoder.latent_size": 3, "decoder.latent_size": 4}
    blueprint = draw_up(read_installed(), "vae", tiny)
    with pytest.raises(ConfigError, match="latent_size"):
        blueprint.build_trainer(blueprint.build_networks())


@pytest.mark.parametrize(
    "setting",
    [
        {"decoder.likelihood": "poisson"},
        {"decoder.deviation": 0},
        {"trainer.samples": 0},
        {"trainer.optimizer": {"name": "adagrad", "lr": -1}},
        {"encoder.activation": "sine"},
    ],
)
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "vae", setting)


class _Examples(nn.Module):
    """The layers of the PyTorch examples' VAE, under their names."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.fc3, self.fc4 = nn.Linear(3, 6), nn.Linear(6, 784)


def test_the_pytorch_examples_vae_is_read(tmp_path):
    theirs = _Examples()
    torch.save(theirs.state_dict(), tmp_path / "vae.pth")
    ours, sentences = zoo.convert([tmp_path / "vae.pth"], "vae", tmp_path / "model")
    assert "PyTorch examples" in sentences[0]
    shown = torch.rand(2, 1, 28, 28) * 2 - 1
    with torch.no_grad():
        hidden = theirs.fc1((shown.flatten(1) + 1) / 2).relu()
        code = ours.networks["encoder"](shown)
        torch.testing.assert_close(code.mean, theirs.fc21(hidden))
        torch.testing.assert_close(code.log_variance, theirs.fc22(hidden))
        pixels = theirs.fc4(theirs.fc3(code.mean).relu()).sigmoid().view(2, 1, 28, 28)
        torch.testing.assert_close((ours.decode(code.mean) + 1) / 2, pixels)


@pytest.mark.parametrize("change", ["another layout", "a missing layer"])
def test_another_layout_is_refused(tmp_path, change):
    state = _Examples().state_dict()
    state = {"layer.weight": torch.zeros(2)} if change == "another layout" else state
    state.pop("fc3.bias", None)
    torch.save(state, tmp_path / "vae.pth")
    with pytest.raises(CheckpointError, match=r"vae\.pth is not a|fc3\.bias"):
        zoo.convert([tmp_path / "vae.pth"], "vae", tmp_path / "model")


class _Pair:
    def __init__(self, encoder, decoder):
        self.encode = encoder
        self.decoder: Decoder = decoder

    def log_likelihood(self, images, latents):
        return self.decoder.log_likelihood(images, latents)


def _entry():
    from ganzoo_core.plugins import load_plugin

    return load_plugin(read_installed().variant("vae").plugin).manifest.variants[0]
