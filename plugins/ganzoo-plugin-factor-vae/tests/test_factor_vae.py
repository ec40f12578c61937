import math

import pytest
import torch
from ganzoo_plugin_factor_vae.config import FactorVAEConfig, FactorVAEDiscriminatorConfig
from ganzoo_plugin_factor_vae.networks import FactorVAEDiscriminator
from ganzoo_plugin_factor_vae.trainer import FactorVAETrainer, permute_dims
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import (
    Batch,
    Code,
    CodeDiscriminator,
    DiscriminatorOutput,
    JointNoise,
    Parts,
    Phase,
    Progress,
    Step,
)
from ganzoo_core.errors import ConfigError
from ganzoo_core.plugins import load_plugin, read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import engine_of, random_images


@parametrize_with_checks("ganzoo-plugin-factor-vae")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


def step():
    return Step(noise(), Progress(0, 1, 0.0), "training")


def tiny(**settings):
    entry = load_plugin(read_installed().variant("factor-vae").plugin).manifest.variants[0]
    return draw_up(read_installed(), "factor-vae", entry.tiny | settings)


def trainer(networks=None, **settings):
    networks = networks or tiny().build_networks()
    return FactorVAETrainer(FactorVAEConfig(**settings), Parts(networks))


def phases(its) -> dict[str, Phase]:
    return {phase.name: phase for phase in its.phases()}


def batch(count=8):
    return Batch(random_images(count, (1, 16, 16)))


def test_permuted_codes_keep_each_dimension_and_break_their_rows():
    codes = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    codes[:, 1] = codes[:, 0]
    before = codes.clone()
    permuted = permute_dims(codes, noise())
    assert torch.equal(codes, before)
    assert torch.equal(permuted.sort(0).values, codes.sort(0).values)
    assert abs(torch.corrcoef(permuted[:, :2].T)[0, 1].item()) < 0.2
    moved = (permuted != codes).float().mean(0)
    assert (moved > 0.9).all()


def test_permuted_codes_follow_from_the_noise_alone():
    codes = torch.randn(20, 3)
    assert torch.equal(permute_dims(codes, noise(1)), permute_dims(codes, noise(1)))
    assert not torch.equal(permute_dims(codes, noise(1)), permute_dims(codes, noise(2)))


def test_the_discriminator_s_loss_gives_the_encoder_no_gradient_even_if_it_is_not_frozen():
    its = trainer()
    now = step()
    its.loss(phases(its)["bound"], batch(), now)
    for network in its.networks.values():
        network.zero_grad(set_to_none=True)
        network.requires_grad_(True)
    its.loss(phases(its)["discriminator"], batch(), now).total.backward()
    for role in ("encoder", "decoder"):
        assert all(weight.grad is None for weight in its.networks[role].parameters())
    assert all(weight.grad is not None for weight in its.networks["discriminator"].parameters())


def test_the_encoder_learns_from_the_total_correlation():
    gradients = []
    for gamma in (0.0, 35.0):
        its = trainer(gamma=gamma)
        its.loss(phases(its)["bound"], batch(), step()).total.backward()
        gradients.append(its.networks["encoder"].layers[0].weight.grad)
    assert not torch.equal(*gradients)


def test_the_decoder_does_not_learn_from_the_total_correlation():
    gradients = []
    for gamma in (0.0, 35.0):
        its = trainer(gamma=gamma)
        its.loss(phases(its)["bound"], batch(), step()).total.backward()
        gradients.append(its.networks["decoder"].layers[0].weight.grad)
    torch.testing.assert_close(*gradients)


class Known(CodeDiscriminator):
    """The best discriminator of two codes that correlate by ρ: the logarithm of the densities."""

    def __init__(self, rho):
        super().__init__()
        self.latent_shape = (2,)
        own = torch.tensor([[1.0, rho], [rho, 1.0]])
        self.own = torch.distributions.MultivariateNormal(torch.zeros(2), own)
        self.permuted = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))

    def forward(self, codes, labels=None):
        return DiscriminatorOutput(self.own.log_prob(codes) - self.permuted.log_prob(codes))


def test_the_best_discriminator_s_estimate_is_the_total_correlation():
    # Of two Gaussian numbers that correlate by ρ it is -½ log(1 - ρ²).
    rho, count = 0.8, 40_000
    networks = {**tiny(latent_size=2).build_networks(), "discriminator": Known(rho)}
    its = trainer(networks)
    first = torch.randn(count, 2, generator=torch.Generator().manual_seed(1))
    codes = torch.stack([first[:, 0], rho * first[:, 0] + (1 - rho**2) ** 0.5 * first[:, 1]], 1)
    its.encoder = lambda images: Code(codes[: len(images)], torch.full_like(codes, -60.0))
    its.decoder.log_likelihood = lambda images, latents: torch.zeros(len(images))
    shown = torch.zeros(2 * count, 1, 1, 1)
    found = its.loss(phases(its)["bound"], Batch(shown), step()).parts["total_correlation"].item()
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), rel=0.02)


def test_gamma_weighs_the_total_correlation():
    losses = {
        gamma: trainer(gamma=gamma).loss(Phase("bound", (), None), batch(), step())
        for gamma in (0.0, 10.0)
    }
    parts = losses[10.0].parts
    assert losses[0.0].total.item() == pytest.approx(
        (parts["reconstruction"] + parts["kl"]).item(), rel=1e-6
    )
    difference = (losses[10.0].total - losses[0.0].total).item()
    assert difference == pytest.approx(10 * parts["total_correlation"].item(), rel=1e-2, abs=1e-4)


def test_a_discriminator_that_knows_nothing_loses_log_2():
    its = trainer()
    nn.init.zeros_(its.discriminator.layers[-1].weight)
    nn.init.zeros_(its.discriminator.layers[-1].bias)
    now = step()
    its.loss(phases(its)["bound"], batch(), now)
    loss = its.loss(phases(its)["discriminator"], batch(), now).total
    assert loss.item() == pytest.approx(math.log(2))


def test_the_autoencoder_learns_from_the_first_half_and_the_discriminator_from_both():
    its = trainer()
    one, other = batch(8).images, random_images(8, (1, 16, 16), seed=5)
    totals = {}
    for name, second in (("same", one[4:]), ("other", other[4:])):
        now, shown = step(), Batch(torch.cat([one[:4], second]))
        totals[name] = [
            its.loss(phases(its)[phase], shown, now).total.item()
            for phase in ("bound", "discriminator")
        ]
    assert totals["same"][0] == totals["other"][0]
    assert totals["same"][1] != totals["other"][1]


def test_a_step_costs_4_encodings_3_decodings_and_8_judgements_of_half_a_batch():
    engine = engine_of(tiny())
    assert {role: 2 * passes for role, passes in engine.trainer.passes().items()} == {
        "encoder": 4,
        "decoder": 3,
        "discriminator": 8,
    }
    counted = {role: 2 * passes for role, passes in count_passes(engine).items()}
    assert counted == pytest.approx({"encoder": 4, "decoder": 3, "discriminator": 8}, rel=0.02)


@pytest.mark.parametrize("count", [1, 7])
def test_a_batch_that_cannot_be_halved_is_refused(count):
    its = trainer()
    with pytest.raises(ConfigError, match="even --batch-size"):
        its.loss(phases(its)["bound"], batch(count), step())


def test_a_discriminator_of_other_codes_is_refused():
    settings = {"encoder.latent_size": 3, "decoder.latent_size": 3, "discriminator.latent_size": 4}
    blueprint = tiny(**settings)
    with pytest.raises(ConfigError, match="latent_size"):
        blueprint.build_trainer(blueprint.build_networks())


def test_the_paper_s_networks_and_optimisers():
    discriminator = FactorVAEDiscriminator(FactorVAEDiscriminatorConfig())
    linear = [layer for layer in discriminator.layers if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [1000] * 6 + [2]
    encoder = zoo.create("factor-vae", channels=1).networks["encoder"].layers
    maps = [layer.out_channels for layer in encoder if isinstance(layer, nn.Conv2d)]
    assert maps == [32, 32, 64, 64]
    assert [layer.out_features for layer in encoder if isinstance(layer, nn.Linear)] == [128, 20]
    both = phases(trainer())
    assert both["bound"].optimizer.betas == (0.9, 0.999)
    assert both["discriminator"].optimizer.betas == (0.5, 0.9)


def in_the_layout_of_1konny():
    """Return encoder, decoder and discriminator as their layers follow one another there."""
    conv, transposed, rectified = nn.Conv2d, nn.ConvTranspose2d, nn.ReLU
    encode = nn.Sequential(
        *(conv(1, 4, 4, 2, 1), rectified(), conv(4, 4, 4, 2, 1), rectified()),
        *(conv(4, 6, 4, 2, 1), rectified(), conv(6, 6, 4, 2, 1), rectified()),
        *(conv(6, 9, 4, 1), rectified(), conv(9, 2 * 5, 1)),
    )
    decode = nn.Sequential(
        *(conv(5, 9, 1), rectified(), transposed(9, 6, 4), rectified()),
        *(transposed(6, 6, 4, 2, 1), rectified(), transposed(6, 4, 4, 2, 1), rectified()),
        *(transposed(4, 4, 4, 2, 1), rectified(), transposed(4, 1, 4, 2, 1)),
    )
    net = nn.Sequential(
        *(nn.Linear(5, 7), nn.LeakyReLU(0.2), nn.Linear(7, 7), nn.LeakyReLU(0.2), nn.Linear(7, 2))
    )
    return encode, decode, net


def test_a_checkpoint_in_the_layout_of_1konny_answers_as_its_networks(tmp_path):
    encode, decode, net = in_the_layout_of_1konny()
    autoencoder = nn.ModuleDict({"encode": encode, "decode": decode}).state_dict()
    judge = nn.ModuleDict({"net": net}).state_dict()
    saved = {"iter": 5, "model_states": {"D": judge, "VAE": autoencoder}, "optim_states": {}}
    torch.save(saved, tmp_path / "last")
    model, sentences = zoo.convert([tmp_path / "last"], "factor-vae", tmp_path / "model")
    assert "1Konny/FactorVAE, 64x64 pixels" in sentences[0]
    pixels = torch.rand(3, 1, 64, 64)
    with torch.no_grad():
        code = model.networks["encoder"](pixels * 2 - 1)
        mean, log_variance = encode(pixels).flatten(1).chunk(2, dim=1)
        close(code.mean, mean)
        close(code.log_variance, log_variance)
        close((model.decode(mean) + 1) / 2, decode(mean[:, :, None, None]).sigmoid())
        both = net(mean)
        judged = model.networks["discriminator"](mean).logits
        close(judged, both[:, 0] - both[:, 1])


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
