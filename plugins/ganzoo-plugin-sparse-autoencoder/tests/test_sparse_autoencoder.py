import math

import pytest
import torch
from ganzoo_plugin_autoencoder.config import MLPConfig, MLPEncoderConfig
from ganzoo_plugin_autoencoder.networks import AutoencoderDecoder, AutoencoderEncoder
from ganzoo_plugin_sparse_autoencoder.config import SparseAutoencoderConfig
from ganzoo_plugin_sparse_autoencoder.sparsity import absolute, divergence
from ganzoo_plugin_sparse_autoencoder.trainer import SparseAutoencoderTrainer

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Batch, JointNoise, Parts, Progress, Step
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

TINY = {"image_size": 8, "channels": 1, "latent_size": 96, "training.batch_size": 32}


@parametrize_with_checks("ganzoo-plugin-sparse-autoencoder")
def test_conformance(check):
    check()


def kl(target, mean):
    return target * math.log(target / mean) + (1 - target) * math.log((1 - target) / (1 - mean))


def trainer_of(code, **settings):
    shape = {"image_size": 4, "latent_size": 6, "hidden": ()}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        networks = {
            "encoder": AutoencoderEncoder(MLPEncoderConfig(**shape, code=code)),
            "decoder": AutoencoderDecoder(MLPConfig(**shape)),
        }
    return SparseAutoencoderTrainer(SparseAutoencoderConfig(**settings), Parts(networks))


def step(number=0):
    noise = JointNoise(torch.Generator().manual_seed(0))
    return Step(noise, Progress(number, 10, 0.0), "training")


def images(count=5):
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_the_divergence_is_that_of_the_notes_by_hand():
    codes = torch.tensor([[0.1, 0.9], [0.3, 0.1]])
    assert divergence(codes, 0.05).item() == pytest.approx(kl(0.05, 0.2) + kl(0.05, 0.5))


def test_units_that_are_as_active_as_they_should_be_cost_nothing():
    codes = torch.tensor([[0.0, 0.05], [0.1, 0.05]])
    assert divergence(codes, 0.05).item() == pytest.approx(0, abs=1e-7)


def test_the_divergence_is_of_a_unit_s_mean_and_not_of_each_activation():
    spread, even = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.5], [0.5]])
    assert divergence(spread, 0.05).item() == divergence(even, 0.05).item()
    assert absolute(torch.tensor([[1.0, -2.0], [0.0, 3.0]])).item() == 3.0


@pytest.mark.parametrize("activity", [0.0, 1.0])
def test_a_unit_that_never_or_always_fires_has_a_finite_cost_and_gradient(activity):
    codes = torch.full((4, 2), activity, requires_grad=True)
    cost = divergence(codes, 0.05)
    cost.backward()
    assert cost.isfinite()
    assert codes.grad.isfinite().all()


@pytest.mark.parametrize("sparsity", ["kl", "l1"])
def test_the_loss_is_the_error_plus_beta_times_sparsity(sparsity):
    for weight in (0.0, 2.0):
        trainer = trainer_of("sigmoid", sparsity=sparsity, weight=weight)
        losses = trainer.loss(None, Batch(images()), step())
        codes = trainer.encoder(images()).mean
        cost = divergence(codes, 0.05) if sparsity == "kl" else absolute(codes)
        error = trainer.errors(images(), codes).mean()
        assert losses.total.item() == pytest.approx((error + weight * cost).item(), rel=1e-5)
        assert losses.parts["sparsity"].item() == pytest.approx((weight * cost).item(), rel=1e-5)


def activity_after(weight, **settings):
    """Return the codes of the batch after some training with a price on activity."""
    blueprint = draw_up(
        read_installed(),
        "sparse-autoencoder",
        {**TINY, "trainer.weight": weight, "trainer.optimizer.lr": 0.01, **settings},
    )
    engine = engine_of(blueprint)
    for _ in range(150):
        engine.step()
    with torch.no_grad():
        return engine.networks["encoder"](engine.batches.draw(0).images).mean


def test_the_divergence_makes_an_overcomplete_code_sparse():
    free, paid = activity_after(0.0), activity_after(3.0)
    assert free.shape[1] > 64
    assert free.mean() > 0.3
    assert paid.mean().item() == pytest.approx(0.05, abs=0.03)


def test_a_price_on_each_activation_leaves_most_at_zero():
    settings = {"encoder.code": "relu", "trainer.sparsity": "l1"}
    free, paid = activity_after(0.0, **settings), activity_after(0.02, **settings)
    assert (paid == 0).float().mean() > (free == 0).float().mean() + 0.2
    assert paid.any()


def test_the_defaults_are_those_of_the_notes_and_the_code_is_larger_than_the_image():
    model = zoo.create("sparse-autoencoder", image_size=28, channels=1)
    assert model.encode(torch.zeros(1, 1, 28, 28)).shape == (1, 1024)
    config = SparseAutoencoderConfig()
    assert (config.weight, config.target, config.optimizer.weight_decay) == (3.0, 0.05, 1e-4)


@pytest.mark.parametrize("code", ["linear", "relu"])
def test_a_code_beyond_0_and_1_has_no_divergence(code):
    trainer = trainer_of(code)
    with torch.no_grad():
        trainer.encoder.layers[1].weight.mul_(50)
    with pytest.raises(UnsupportedError, match=r"encoder\.code=sigmoid"):
        trainer.loss(None, Batch(images()), step())


def test_a_linear_code_can_be_sparse_by_absolute_values():
    losses = trainer_of("linear", sparsity="l1").loss(None, Batch(images()), step())
    assert losses.parts["sparsity"] > 0


@pytest.mark.parametrize(
    "setting",
    [
        {"trainer.sparsity": "l2"},
        {"trainer.target": 0},
        {"trainer.target": 1},
        {"trainer.weight": -1},
    ],
)
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "sparse-autoencoder", setting)
