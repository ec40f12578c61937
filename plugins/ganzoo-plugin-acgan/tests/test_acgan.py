import math

import pytest
import torch
from ganzoo_plugin_acgan.config import ACGANDiscriminatorConfig, ACGANGeneratorConfig
from ganzoo_plugin_acgan.networks import ACGANDiscriminator, ACGANGenerator
from ganzoo_plugin_acgan.trainer import class_loss
from ganzoo_plugin_gan.trainer import Fakes

import ganzoo_core as zoo
from ganzoo_core.components import (
    Batch,
    DiscriminatorOutput,
    Progress,
    Step,
    drawing_from,
)
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, noise_of, random_images

TINY = {
    "image_size": 16,
    "channels": 1,
    "classes": 3,
    "latent_size": 8,
    "generator": {"width": 4},
    "discriminator": {"width": 2},
    "training": {"batch_size": 8},
}


@parametrize_with_checks("ganzoo-plugin-acgan")
def test_conformance(check):
    check()


def trainer_of(**settings):
    blueprint = zoo.create("acgan", **{**TINY, **settings}).blueprint
    return engine_of(blueprint).trainer


def named(probabilities):
    """Return what a discriminator says that is sure of its classes to this degree."""
    return DiscriminatorOutput(
        torch.zeros(len(probabilities)), heads={"class": torch.tensor(probabilities).log()}
    )


def test_the_loss_of_classes_is_the_mean_log_probability_of_the_true_one():
    judged = named([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]])
    loss = class_loss(judged, torch.tensor([0, 2]))
    assert loss.item() == pytest.approx(-(math.log(0.7) + math.log(0.25)) / 2, rel=1e-5)


def test_the_discriminator_learns_classes_of_real_images_and_of_fakes():
    real, fake = named([[0.5, 0.25, 0.25]]), named([[0.125, 0.125, 0.75]])
    batch = Batch(torch.zeros(1, 1, 16, 16), torch.tensor([0]))
    fakes = Fakes(torch.zeros(1, 1, 16, 16), torch.zeros(1, 8), torch.tensor([1]))
    terms = trainer_of().discriminator_terms(real, fake, batch, fakes)
    assert terms["class_real"].item() == pytest.approx(math.log(2), rel=1e-5)
    assert terms["class_fake"].item() == pytest.approx(math.log(8), rel=1e-5)


def test_the_discriminator_may_learn_classes_of_real_images_alone():
    real, fake = named([[0.5, 0.25, 0.25]]), named([[0.125, 0.125, 0.75]])
    batch = Batch(torch.zeros(1, 1, 16, 16), torch.tensor([0]))
    fakes = Fakes(torch.zeros(1, 1, 16, 16), torch.zeros(1, 8), torch.tensor([1]))
    trainer = trainer_of(trainer={"classify_fakes": False})
    assert trainer.discriminator_terms(real, fake, batch, fakes).keys() == {"class_real"}
    assert trainer.generator_terms(fake, fakes).keys() == {"class_fake"}


def test_the_generator_learns_the_class_that_it_was_asked_for():
    fakes = Fakes(torch.zeros(1, 1, 16, 16), torch.zeros(1, 8), torch.tensor([2]))
    terms = trainer_of().generator_terms(named([[0.5, 0.25, 0.25]]), fakes)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"class_fake": math.log(4)}, rel=1e-5
    )


@pytest.mark.parametrize("phase", [0, 1], ids=["discriminator", "generator"])
def test_a_players_loss_is_the_game_and_its_terms_with_equal_weight(phase):
    trainer = trainer_of()
    losses = turn(trainer, trainer.phases()[phase])
    parts = {name: value for name, value in losses.parts.items() if not name.endswith("_logit")}
    assert set(parts) == {"game", "class_fake"} | (set() if phase else {"class_real"})
    assert losses.total.item() == pytest.approx(sum(map(float, parts.values())), rel=1e-5)


def test_the_generator_is_pushed_to_its_class_even_where_the_game_is_silent():
    trainer = trainer_of()
    with torch.no_grad():
        trainer.discriminator.to_logits.weight[0].zero_()  # no gradient of "real or fake"
    losses = turn(trainer, trainer.phases()[1])
    gradients = torch.autograd.grad(losses.total, list(trainer.generator.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_the_discriminators_turn_gives_the_generator_no_gradient():
    trainer = trainer_of()
    losses = turn(trainer, trainer.phases()[0])
    gradients = torch.autograd.grad(
        losses.total, list(trainer.generator.parameters()), allow_unused=True
    )
    assert gradients == (None,) * len(gradients)


def test_fakes_from_the_history_keep_the_classes_that_they_were_drawn_as():
    trainer = trainer_of(trainer={"history": 8})
    seen = []
    terms = trainer.discriminator_terms

    def watched(real, fake, batch, fakes):
        seen.append(fakes)
        return terms(real, fake, batch, fakes)

    trainer.discriminator_terms = watched
    trainer.generator.forward = lambda latents, labels: (
        labels.float().view(-1, 1, 1, 1).expand(-1, 1, 16, 16) / 2 - 1
    )
    for position in range(4):
        turn(trainer, trainer.phases()[0], labels=torch.arange(position, position + 8) % 3)
    for fakes in seen:
        torch.testing.assert_close((fakes.images[:, 0, 0, 0] + 1) * 2, fakes.labels.float())


def test_the_networks_are_those_of_table_2():
    generator = ACGANGenerator(ACGANGeneratorConfig())
    assert generator.first.weight.shape == (384 * 4 * 4, 110)
    upwards = [m for m in generator.layers if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [m.out_channels for m in upwards] == [192, 96, 3]
    assert {(m.kernel_size, m.stride) for m in upwards} == {((5, 5), (2, 2))}
    features = ACGANDiscriminator(ACGANDiscriminatorConfig()).features
    convolutions = [m for m in features if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [16, 32, 64, 128, 256, 512]
    assert [m.stride[0] for m in convolutions] == [2, 1, 2, 1, 2, 1]
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert [m.probability for m in features if hasattr(m, "probability")] == [0.5] * 6
    assert [m.negative_slope for m in features if hasattr(m, "negative_slope")] == [0.2] * 6
    assert not isinstance(features[1], torch.nn.BatchNorm2d)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_size", [16, 32, 64])
def test_every_size_and_number_of_channels(image_size, channels):
    size = {"image_size": image_size, "channels": channels, "width": 2, "classes": 5}
    labels = torch.tensor([0, 4])
    images = ACGANGenerator(ACGANGeneratorConfig(**size))(torch.zeros(2, 100), labels)
    assert images.shape == (2, channels, image_size, image_size)
    judged = ACGANDiscriminator(ACGANDiscriminatorConfig(**size)).eval()(images)
    assert judged.logits.shape == (2,)
    assert judged.heads["class"].shape == (2, 5)


def test_another_class_is_another_image():
    generator = zoo.create("acgan", **TINY).networks["generator"].eval()
    latents = generator.latents(1, noise_of(0))
    images = [generator(latents, torch.tensor([label])) for label in range(3)]
    for image in images[1:]:
        assert (images[0] - image).abs().max() > 0.01 * image.abs().max()


def test_the_discriminator_names_classes_and_does_not_look_at_labels():
    discriminator = ACGANDiscriminator(ACGANDiscriminatorConfig(**ONE_CHANNEL)).eval()
    images = random_images(2, (1, 16, 16))
    told, untold = discriminator(images, torch.tensor([0, 1])), discriminator(images)
    torch.testing.assert_close(told.logits, untold.logits)
    torch.testing.assert_close(told.heads["class"], untold.heads["class"])


def test_a_generator_without_classes_is_refused_in_a_sentence():
    unconditional = {**TINY, "latent_size": 8}
    with pytest.raises(UnsupportedError, match="takes classes"):
        model = zoo.create("acgan", components={"generator": "mlp"}, **unconditional)
        engine_of(model.blueprint)


def test_a_discriminator_that_names_no_class_is_refused_in_a_sentence():
    settings = {**TINY, "discriminator": {"width": 4}}
    model = zoo.create("acgan", components={"discriminator": "maxout"}, **settings)
    engine = engine_of(model.blueprint)
    with pytest.raises(UnsupportedError, match="names the class"):
        engine.step()


def test_it_takes_the_convolutional_generator_of_the_cgan_plugin():
    pytest.importorskip("ganzoo_plugin_cgan")
    model = zoo.create("acgan", components={"generator": "conditional-dcgan"}, **TINY)
    engine = engine_of(model.blueprint)
    engine.step()
    engine.check_finite()


ONE_CHANNEL = {"image_size": 16, "channels": 1, "classes": 3, "width": 2}


def turn(trainer, phase, labels=None):
    """Return a phase's losses on a small batch, where every network could learn."""
    labels = torch.arange(8) % 3 if labels is None else labels
    batch = Batch(random_images(8, (1, 16, 16)), labels)
    step = Step(noise_of(1), Progress(0, 10, 0.0), "training")
    with drawing_from(step.noise, *trainer.networks.values()):
        return trainer.loss(phase, batch, step)
