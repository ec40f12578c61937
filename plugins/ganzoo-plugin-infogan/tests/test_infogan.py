import math

import pytest
import torch
from ganzoo_plugin_infogan.codes import codes_of, information
from ganzoo_plugin_infogan.config import (
    CodesConfig,
    InfoGANDiscriminatorConfig,
    InfoGANGeneratorConfig,
    InfoGANTrainerConfig,
)
from ganzoo_plugin_infogan.networks import InfoGANDiscriminator, InfoGANGenerator

import ganzoo_core as zoo
from ganzoo_core.components import Batch, LatentCode, Progress, Step, drawing_from
from ganzoo_core.errors import ConfigError, GanzooError, UnsupportedError
from ganzoo_core.evaluation.categories import categories_of
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, noise_of, random_images

TINY = {
    "image_size": 16,
    "noise_size": 4,
    "categorical": [3],
    "continuous": 2,
    "width": 4,
    "hidden": 16,
    "recognition_width": 8,
    "training": {"batch_size": 8},
}


@parametrize_with_checks("ganzoo-plugin-infogan")
def test_conformance(check):
    check()


def trainer_of(**settings):
    return engine_of(zoo.create("infogan", **{**TINY, **settings}).blueprint).trainer


def test_the_latent_of_the_mnist_experiment_has_74_numbers():
    generator = InfoGANGenerator(InfoGANGeneratorConfig())
    assert generator.latent_shape == (74,)
    assert generator.codes == {
        "c1": LatentCode(62, 10, categorical=True),
        "c2": LatentCode(72),
        "c3": LatentCode(73),
    }


def test_any_number_of_codes_of_either_kind():
    codes = codes_of(CodesConfig(categorical=(2, 5), continuous=3), start=4)
    assert [(c.start, c.size, c.categorical) for c in codes.values()] == [
        (4, 2, True),
        (6, 5, True),
        (11, 1, False),
        (12, 1, False),
        (13, 1, False),
    ]
    assert list(codes) == ["c1", "c2", "c3", "c4", "c5"]
    assert list(codes_of(CodesConfig(categorical=(), continuous=1))) == ["c1"]


def test_the_prior_is_even_over_categories_and_uniform_in_plus_minus_one():
    generator = InfoGANGenerator(InfoGANGeneratorConfig(width=2, hidden=4))
    latents = generator.latents(5000, noise_of(0))
    one_hot, real = latents[:, 62:72], torch.cat([latents[:, :62], latents[:, 72:]], 1)
    assert torch.equal(one_hot.sum(1), torch.ones(5000))
    assert set(one_hot.unique().tolist()) == {0.0, 1.0}
    assert one_hot.mean(0).tolist() == pytest.approx([0.1] * 10, abs=0.02)
    assert real.abs().max() <= 1
    assert real.var().item() == pytest.approx(1 / 3, abs=0.01)


def test_networks_are_those_of_table_1():
    generator = InfoGANGenerator(InfoGANGeneratorConfig())
    linear = [m.out_features for m in generator.layers if isinstance(m, torch.nn.Linear)]
    assert linear == [1024, 7 * 7 * 128]
    upwards = [m for m in generator.layers if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [(m.out_channels, m.kernel_size, m.stride) for m in upwards] == [
        (64, (4, 4), (2, 2)),
        (1, (4, 4), (2, 2)),
    ]
    discriminator = InfoGANDiscriminator(InfoGANDiscriminatorConfig())
    convolutions = [m for m in discriminator.trunk if isinstance(m, torch.nn.Conv2d)]
    assert [(m.out_channels, m.kernel_size, m.stride) for m in convolutions] == [
        (64, (4, 4), (2, 2)),
        (128, (4, 4), (2, 2)),
    ]
    assert discriminator.trunk[6].out_features == 1024
    assert discriminator.of_both.out_features == 1 + 128  # D's logit, and Q's own layer
    assert discriminator.recognition[-1].out_features == 12
    slopes = [m.negative_slope for m in discriminator.modules() if hasattr(m, "negative_slope")]
    assert slopes == [0.1] * 4


@pytest.mark.parametrize("image_size", [16, 28, 32, 64])
def test_every_size_and_number_of_channels(image_size):
    size = {"image_size": image_size, "channels": 3, "width": 2, "hidden": 4}
    generator = InfoGANGenerator(InfoGANGeneratorConfig(**size))
    images = generator(generator.latents(2, noise_of(0)))
    assert images.shape == (2, 3, image_size, image_size)
    judged = InfoGANDiscriminator(InfoGANDiscriminatorConfig(**size))(images)
    assert judged.logits.shape == (2,)
    assert {name: tuple(head.shape) for name, head in judged.heads.items()} == {
        "c1": (2, 10),
        "c2": (2, 1),
        "c3": (2, 1),
    }


def test_where_the_deviation_is_learned_a_continuous_code_has_two_numbers():
    settings = InfoGANDiscriminatorConfig(width=2, hidden=4, learned_deviation=True)
    judged = InfoGANDiscriminator(settings)(torch.zeros(2, 1, 28, 28))
    assert [head.shape[1] for head in judged.heads.values()] == [10, 2, 2]


def test_the_information_of_a_category_is_equation_5():
    code = LatentCode(1, 4, categorical=True)
    latents = torch.tensor([[9.0, 0, 1, 0, 0], [9, 0, 0, 0, 1]])
    probabilities = torch.tensor([[0.1, 0.6, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    found = information(code, probabilities.log(), latents)
    by_hand = (math.log(0.6) + math.log(0.25)) / 2 + math.log(4)  # E[log Q] + H(c)
    assert found.item() == pytest.approx(by_hand, rel=1e-5)


def test_all_that_can_be_known_of_a_category_is_its_entropy():
    code = LatentCode(0, 10, categorical=True)
    certain = information(code, torch.eye(10) * 1e4, torch.eye(10))
    assert certain.item() == pytest.approx(math.log(10), rel=1e-5)
    guessed = information(code, torch.zeros(10, 10), torch.eye(10))
    assert guessed.item() == pytest.approx(0, abs=1e-6)


def test_the_information_of_a_continuous_code_is_equation_5():
    code = LatentCode(0)
    latents, means = torch.tensor([[0.5], [-1.0]]), torch.tensor([[0.0], [-0.8]])
    squares = (0.5**2 + 0.2**2) / 2
    by_hand = -squares / 2 - math.log(2 * math.pi) / 2 + math.log(2)
    assert information(code, means, latents).item() == pytest.approx(by_hand, rel=1e-5)
    log_deviation = torch.full((2, 1), math.log(0.5))
    found = information(code, torch.cat([means, log_deviation], 1), latents)
    by_hand = -squares / 2 / 0.25 - math.log(2 * math.pi) / 2 - math.log(0.5) + math.log(2)
    assert found.item() == pytest.approx(by_hand, rel=1e-5)


def test_each_player_pays_lambda_times_the_missing_information():
    trainer = trainer_of(trainer={"categorical_weight": 2.0, "continuous_weight": 0.5})
    for phase in trainer.phases():
        seen, information_of = [], trainer._terms

        def watched(fake, fakes, seen=seen, information_of=information_of):
            seen.append((fake, fakes))
            return information_of(fake, fakes)

        trainer._terms = watched
        losses = turn(trainer, phase)
        trainer._terms = information_of
        fake, fakes = seen[0]
        for name, weight in (("c1", 2.0), ("c2", 0.5), ("c3", 0.5)):
            code = trainer.generator.codes[name]
            wanted = -weight * information(code, fake.heads[name], fakes.latents)
            assert losses.parts[f"information_{name}"].item() == pytest.approx(wanted.item())
        parts = [value for name, value in losses.parts.items() if not name.endswith("_logit")]
        assert losses.total.item() == pytest.approx(sum(map(float, parts)), rel=1e-5)


def test_the_information_teaches_q_and_its_trunk_and_no_part_of_the_generator():
    trainer = trainer_of()
    weights = {role: list(network.parameters()) for role, network in trainer.networks.items()}
    loss = only_information(trainer, trainer.phases()[0])
    gradients = torch.autograd.grad(loss, weights["discriminator"], retain_graph=True)
    assert all(gradient.any() for gradient in gradients)
    gradients = torch.autograd.grad(loss, weights["generator"], allow_unused=True)
    assert gradients == (None,) * len(gradients)


def test_the_information_teaches_the_generator():
    trainer = trainer_of()
    losses = only_information(trainer, trainer.phases()[1])
    gradients = torch.autograd.grad(losses, list(trainer.networks["generator"].parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_the_two_learning_rates_are_the_papers():
    blueprint = zoo.create("infogan").blueprint
    phases = blueprint.build_trainer(blueprint.build_networks(device="meta")).phases()
    assert {phase.name: phase.optimizer.lr for phase in phases} == {
        "discriminator": 2e-4,
        "generator": 1e-3,
    }


def test_a_history_of_fakes_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"trainer\.history cannot be 50: the codes of older"):
        zoo.create("infogan", trainer={"history": 50})
    assert InfoGANTrainerConfig(history=0).history == 0


@pytest.mark.parametrize(
    "codes", [{"categorical": [], "continuous": 0}, {"categorical": [1]}, {"continuous": -1}]
)
def test_impossible_codes_are_refused(codes):
    with pytest.raises(ConfigError):
        zoo.create("infogan", **codes)


def test_players_that_know_different_codes_are_refused_in_a_sentence():
    model = zoo.create("infogan", **TINY, discriminator={"continuous": 1})
    with pytest.raises(ConfigError, match="the very codes"):
        engine_of(model.blueprint)


@pytest.mark.parametrize(
    ("part", "sentence"), [("generator", "has codes"), ("discriminator", "the very codes")]
)
def test_a_network_without_codes_is_refused_in_a_sentence(part, sentence):
    name = {"generator": "mlp", "discriminator": "maxout"}[part]
    model = zoo.create("infogan", components={part: name}, image_size=16)
    with pytest.raises(GanzooError, match=sentence):
        engine_of(model.blueprint)


def test_codes_can_be_set_and_moved():
    model = zoo.create("infogan", **TINY)
    grid = model.traverse({"c1": [0, 1, 2], "c2": [-2, 0, 2, 1]})
    assert grid.shape[:2] == (3, 4)
    # Untrained images are nearly grey, so what counts is the change against what they show.
    assert (grid[0, 0] - grid[2, 0]).abs().max() > 0.1 * grid.abs().max()
    with pytest.raises(UnsupportedError, match="c1"):
        model.sample(1, codes={"c1": 3})
    with pytest.raises(GanzooError, match="c4"):
        model.sample(1, codes={"c4": 0})


def test_a_trained_model_sorts_images_into_the_categories_of_its_code():
    model = zoo.create("infogan", **TINY)
    judge = model.networks["discriminator"]
    images = random_images(10, (1, 16, 16))
    pixels = ((images + 1) * 127.5).round().byte()
    found = categories_of(model, Pixels(pixels), batch_size=4)
    judge.eval()
    with torch.no_grad():
        wanted = judge(pixels.float() / 127.5 - 1).heads["c1"].argmax(1)
    assert list(found) == ["c1"]
    torch.testing.assert_close(found["c1"], wanted)


def test_a_model_without_categories_has_no_code_error():
    model = zoo.create("infogan", **{**TINY, "categorical": []})
    with pytest.raises(UnsupportedError, match="code-error"):
        categories_of(model, Pixels(torch.zeros(2, 1, 16, 16, dtype=torch.uint8)))


class Pixels:
    """Images as a data set has them: [N, H, W, C] of 0 to 255."""

    def __init__(self, pixels):
        self.images = pixels.permute(0, 2, 3, 1).numpy()

    def __len__(self):
        return len(self.images)


def turn(trainer, phase):
    """Return a phase's losses on a small batch, where every network could learn."""
    step = Step(noise_of(1), Progress(0, 10, 0.0), "training")
    with drawing_from(step.noise, *trainer.networks.values()):
        return trainer.loss(phase, Batch(random_images(8, (1, 16, 16))), step)


def only_information(trainer, phase):
    """Return −λ L_I alone, as the phase computes it."""
    found, terms = [], trainer._terms

    def watched(fake, fakes):
        found.append(terms(fake, fakes))
        return found[-1]

    trainer._terms = watched
    turn(trainer, phase)
    trainer._terms = terms
    return sum(found[0].values())
