import subprocess
import sys

import numpy as np
import pytest
import torch
from ganzoo_plugin_cgan import config, networks

import ganzoo_core as zoo
from ganzoo_core.components import drawing_from
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, inputs_for, noise_of, random_images

SMALL_MLP = {"image_size": 8, "classes": 4, "init_range": 0.05}
SMALL_DCGAN = {"image_size": 16, "channels": 1, "classes": 4, "width": 4}
CONVOLUTIONAL = {"generator": "conditional-dcgan", "discriminator": "conditional-dcgan"}


def fresh(network, settings):
    """Return a network with the same initial weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return network(settings)


GENERATORS = [
    fresh(networks.ConditionalMLPGenerator, config.ConditionalMLPConfig(**SMALL_MLP)),
    fresh(
        networks.ConditionalDCGANGenerator, config.ConditionalDCGANGeneratorConfig(**SMALL_DCGAN)
    ),
]
DISCRIMINATORS = [
    fresh(networks.ConditionalMaxoutDiscriminator, config.ConditionalMaxoutConfig(**SMALL_MLP)),
    fresh(
        networks.ConditionalDCGANDiscriminator,
        config.ConditionalDCGANDiscriminatorConfig(**SMALL_DCGAN),
    ),
]


def named(network):
    return type(network).__name__


@parametrize_with_checks("ganzoo-plugin-cgan")
def test_conformance(check):
    check()


def test_the_generator_is_that_of_section_4_1():
    generator = networks.ConditionalMLPGenerator(config.ConditionalMLPConfig())
    assert shapes_of(generator) == [(200, 100), (1000, 10), (1200, 1200), (784, 1200)]
    assert generator.image_shape == (1, 28, 28)


def test_the_discriminator_is_that_of_section_4_1():
    discriminator = networks.ConditionalMaxoutDiscriminator(config.ConditionalMaxoutConfig())
    # 240 units of 5 pieces, 50 of 5, 240 of 4, and the sigmoid's logit.
    assert shapes_of(discriminator) == [(1200, 784), (250, 10), (960, 290), (1, 240)]
    maxout = [layer.pieces for layer in discriminator.modules() if hasattr(layer, "pieces")]
    assert maxout == [5, 5, 4]


def test_both_players_train_under_dropout_of_one_half():
    for network in zoo.create("cgan").networks.values():
        dropout = [m.probability for m in network.modules() if hasattr(m, "probability")]
        assert dropout == [0.5] * 3


def test_the_training_is_that_of_section_4_1():
    blueprint = zoo.create("cgan").blueprint
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    assert blueprint.training.batch_size == 100
    for phase in trainer.phases():
        assert (phase.optimizer.name, phase.optimizer.lr) == ("sgd", 0.1)
        assert phase.optimizer.momentum == 0.5
    assert trainer.config.learning_rate_decay == pytest.approx(1 / 1.00004, abs=1e-9)


def test_latents_are_uniform_in_the_unit_hypercube():
    generator = networks.ConditionalMLPGenerator(config.ConditionalMLPConfig())
    latents = generator.latents(200, noise_of(0))
    assert 0 <= latents.min() < 0.01
    assert 0.99 < latents.max() <= 1
    assert latents.mean().item() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("generator", GENERATORS, ids=named)
def test_another_class_is_another_image(generator):
    latents, _ = inputs_for(generator.eval(), 1)
    with torch.no_grad():
        images = [generator(latents, torch.tensor([label])) for label in range(4)]
    for first in range(4):
        for second in range(first):
            difference = (images[first] - images[second]).abs().max()
            assert difference > 0.1 * images[first].abs().max()


@pytest.mark.parametrize("discriminator", DISCRIMINATORS, ids=named)
def test_another_class_is_another_judgement(discriminator):
    image = random_images(1, discriminator.eval().image_shape)
    with torch.no_grad():
        logits = [discriminator(image, torch.tensor([label])).logits for label in range(4)]
    assert len({logit.item() for logit in logits}) == 4


@pytest.mark.parametrize("generator", GENERATORS, ids=named)
def test_the_order_of_a_batch_does_not_matter(generator):
    latents, labels = inputs_for(generator.eval(), 4)
    with torch.no_grad():
        images, reverse = generator(latents, labels), generator(latents.flip(0), labels.flip(0))
    torch.testing.assert_close(images.flip(0), reverse)


@pytest.mark.parametrize("network", [*GENERATORS, *DISCRIMINATORS], ids=named)
def test_a_network_without_its_classes_refuses(network):
    inputs = inputs_for(network, 2)[0]
    with drawing_from(noise_of(0), network), pytest.raises(UnsupportedError, match="classes"):
        network(inputs)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
def test_the_convolutional_pair_takes_every_size_and_number_of_channels(image_size, channels):
    size = {"image_size": image_size, "channels": channels, "width": 2}
    generator = networks.ConditionalDCGANGenerator(config.ConditionalDCGANGeneratorConfig(**size))
    images = generator(torch.zeros(2, 100), torch.tensor([0, 9]))
    assert images.shape == (2, channels, image_size, image_size)
    discriminator = networks.ConditionalDCGANDiscriminator(
        config.ConditionalDCGANDiscriminatorConfig(**size)
    )
    assert discriminator(images, torch.tensor([0, 9])).logits.shape == (2,)


def test_the_discriminator_sees_its_class_as_channels_that_are_the_same_everywhere():
    discriminator = DISCRIMINATORS[1]
    seen = []
    hook = discriminator.dcgan.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    discriminator(torch.zeros(2, 1, 16, 16), torch.tensor([3, 1]))
    hook.remove()
    planes = seen[0][:, 1:]
    wanted = discriminator.embedding.weight[[3, 1]][:, :, None, None].expand_as(planes)
    torch.testing.assert_close(planes, wanted)


def test_the_convolutional_pair_plays_the_game():
    model = zoo.create("cgan", components=CONVOLUTIONAL, preset="convolutional", **SMALL_DCGAN)
    blueprint = model.blueprint
    engine = engine_of(blueprint)
    engine.step()
    engine.step()
    engine.check_finite()
    for phase in engine.trainer.phases():
        assert (phase.optimizer.name, phase.optimizer.lr) == ("adam", 2e-4)


def test_classes_can_be_asked_for():
    model = zoo.create("cgan", generator={"width": 16}, image_size=8)
    sevens = model.sample(3, labels=7)
    in_turn = model.sample(20)
    torch.testing.assert_close(sevens[0], model.sample(1, labels=[7])[0])
    torch.testing.assert_close(in_turn[17], model.sample(18, labels=7)[17])
    with pytest.raises(UnsupportedError, match="0 to 9"):
        model.sample(1, labels=10)


def test_unlabelled_data_are_refused_in_a_sentence_before_training(tmp_path):
    np.savez(tmp_path / "images.npz", images=np.zeros((40, 8, 8), np.uint8))
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganzoo_core", "train", "cgan", "--data", "npz:images.npz"]
    command += ["--data-root", str(tmp_path), "--out", str(out), "--steps", "1"]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert process.returncode != 0
    assert "has no labels" in process.stderr
    assert "Traceback" not in process.stderr
    assert not (out / "run.json").exists()


@pytest.mark.parametrize("setting", ["classes", "width", "latent_size"])
def test_no_classes_units_or_latents_are_refused(setting):
    with pytest.raises(ValueError, match=setting):
        config.ConditionalMLPConfig(**{setting: 0})


def shapes_of(network):
    return [tuple(m.weight.shape) for m in network.modules() if isinstance(m, torch.nn.Linear)]
