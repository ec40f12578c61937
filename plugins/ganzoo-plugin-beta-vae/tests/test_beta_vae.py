import os
from pathlib import Path

import pytest
import torch
from ganzoo_plugin_beta_vae.config import BetaVAEConfig
from ganzoo_plugin_beta_vae.trainer import BetaVAETrainer
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.components import JointNoise, Parts, Progress, Step
from ganzoo_core.errors import CheckpointError
from ganzoo_core.testing import parametrize_with_checks

CHECKPOINTS = (
    Path(os.environ.get("GANZOO_SHARED", Path(__file__).parents[3] / "../shared")) / "checkpoints"
)


@parametrize_with_checks("ganzoo-plugin-beta-vae")
def test_conformance(check):
    check()


def trainer(**settings):
    networks = zoo.create("beta-vae", image_size=16, channels=1, width=2, hidden=[4]).networks
    return BetaVAETrainer(BetaVAEConfig(**settings), Parts(networks))


def at(steps_done):
    return Step(JointNoise(torch.Generator()), Progress(steps_done, 10**6, 0.0), "training")


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_without_a_capacity_the_divergence_costs_beta_times_itself(beta):
    assert trainer(beta=beta).weighed(torch.tensor(7.0), at(500)).item() == 7 * beta


def test_the_capacity_grows_in_a_straight_line_and_stays():
    its = trainer(capacity=25, capacity_steps=100_000)
    assert [its.capacity(n) for n in (0, 1000, 50_000, 100_000, 150_000)] == [0, 0.25, 12.5, 25, 25]


def test_a_divergence_costs_as_much_below_the_capacity_as_above():
    its = trainer(beta=1000, capacity=25, capacity_steps=100_000)
    for kl, cost in ((12.5, 0.0), (13.5, 1000.0), (11.5, 1000.0)):
        assert its.weighed(torch.tensor(kl), at(50_000)).item() == pytest.approx(cost)


def test_a_divergence_below_the_capacity_is_driven_up():
    kl = torch.tensor(5.0, requires_grad=True)
    trainer(beta=10, capacity=25, capacity_steps=1).weighed(kl, at(100)).backward()
    assert kl.grad.item() == -10


def test_the_networks_of_higgins_and_of_burgess():
    def widths(preset):
        layers = zoo.create("beta-vae", preset=preset).networks["encoder"].layers
        maps = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
        return maps, [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]

    assert widths(None) == ([32, 32, 64, 64], [256, 64])
    assert widths("capacity") == ([32, 32, 32, 32], [256, 256, 20])
    assert widths("dsprites") == ([32, 32, 64, 64], [128, 20])


def test_a_published_model_of_disentangling_vae_answers_as_its_authors(tmp_path):
    folder = real("disvae_real_factor_dsprites")
    given, expected = (
        torch.load(folder / name, weights_only=True) for name in ("input.pt", "expected.pt")
    )
    model, sentences = zoo.convert([folder / "checkpoint.pth"], "beta-vae", tmp_path / "model")
    assert "disentangling-vae, 64x64 pixels, 1 channels, 10 latents" in sentences[0]
    shown = given["x"] * 2 - 1
    with torch.no_grad():
        code = model.networks["encoder"](shown)
    close(code.mean, expected["mu"])
    close(code.log_variance, expected["logvar"])
    close((model.decode(given["z"]) + 1) / 2, expected["sample"])
    close((model.reconstruct(shown) + 1) / 2, expected["recon"])


def test_a_published_model_of_32_pixels_reconstructs_digits(tmp_path):
    file = real("wild") / "YannDubs__disentangling-vae/results--VAE_mnist--model.pt"
    model, sentences = zoo.convert([file], "beta-vae", tmp_path / "model")
    assert "32x32 pixels" in sentences[0]
    assert model.sample(3).shape == (3, 1, 32, 32)


def test_vae_says_which_variant_a_convolutional_model_is_of(tmp_path):
    file = real("disvae_real_factor_dsprites") / "checkpoint.pth"
    with pytest.raises(CheckpointError, match="--variant beta-vae"):
        zoo.convert([file], "vae", tmp_path / "model")


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, {"encode.0.weight": 3}, [1, 2]])
def test_anything_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError):
        zoo.convert([tmp_path / "model.pt"], "beta-vae", tmp_path / "model")


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def real(name):
    folder = CHECKPOINTS / name
    if not folder.exists():
        pytest.skip(f"no real checkpoints in {CHECKPOINTS}; set GANZOO_SHARED to their folder")
    return folder
