import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganzoo_plugin_aae import priors
from ganzoo_plugin_aae.config import DecoderConfig, EncoderConfig, LabelledDiscriminatorConfig
from ganzoo_plugin_aae.networks import AAEDecoder, AAEEncoder, AAELabelledDiscriminator
from ganzoo_plugin_aae.trainer import half_squared_error, nearness

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Batch, JointNoise, Parts, Progress, Step, drawing_from
from ganzoo_core.data import open_images
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import SmallBatches, engine_of
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

VARIANTS = (
    "aae",
    "aae-labelled",
    "aae-supervised",
    "aae-semi-supervised",
    "aae-clustering",
    "aae-dimensionality",
)
SMALL = {"image_size": 8, "channels": 1, "width": 8, "training.batch_size": 8}


@parametrize_with_checks("ganzoo-plugin-aae")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


def blueprint(variant, **settings):
    return draw_up(read_installed(), variant, SMALL | settings)


def tiny(variant, **settings):
    entry = blueprint(variant).entry
    return blueprint(variant, **entry.tiny | settings)


# The priors.


def test_the_gaussian_prior_has_the_deviation_of_the_appendix():
    latents = AAEDecoder(DecoderConfig(width=2)).latents(20_000, noise())
    assert latents.shape == (20_000, 8)
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), rtol=0, atol=0.15)
    torch.testing.assert_close(latents.std(0), torch.full((8,), 5.0), rtol=0.03, atol=0)


def test_the_mixture_has_ten_gaussians_around_the_origin_that_point_outwards():
    parts = torch.arange(10).repeat(4000)
    drawn = priors.draw("mixture", len(parts), 2, 10, noise(), parts).view(-1, 10, 2)
    for part in range(10):
        its, angle = drawn[:, part], 2 * math.pi * part / 10
        outward = torch.tensor([math.cos(angle), math.sin(angle)])
        across = torch.tensor([-math.sin(angle), math.cos(angle)])
        torch.testing.assert_close(its.mean(0), priors.RADIUS * outward, rtol=0, atol=0.03)
        assert (its @ outward).std().item() == pytest.approx(priors.ALONG, rel=0.05)
        assert (its @ across).std().item() == pytest.approx(priors.ACROSS, rel=0.05)


def test_the_swiss_roll_is_wound_from_the_origin_with_a_tenth_of_its_length_a_class():
    parts = torch.arange(10).repeat_interleave(500)
    radius = priors.draw("swiss-roll", 5000, 2, 10, noise(), parts).norm(dim=1).view(10, 500)
    means = radius.mean(1)
    assert (means.diff() > 0).all()
    # The length of a spiral grows with the square of the radius.
    torch.testing.assert_close(
        radius.square().mean(1), (torch.arange(10) + 0.5) / 10, rtol=0, atol=0.02
    )


@pytest.mark.parametrize("prior", ["mixture", "swiss-roll"])
def test_the_whole_prior_is_all_of_its_parts_alike(prior):
    decoder = AAEDecoder(DecoderConfig(prior=prior, latent_size=2, width=2, deviation=3))
    whole = decoder.latents(20_000, noise(1))
    parts = decoder.latents_of(torch.arange(20_000) % 10, noise(2))
    torch.testing.assert_close(whole.mean(0), parts.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(whole.T.cov(), parts.T.cov(), rtol=0, atol=0.2)
    assert decoder.deviation == 3
    assert whole.norm(dim=1).mean() > 1.5


@pytest.mark.parametrize("prior", ["mixture", "swiss-roll"])
def test_these_priors_are_of_the_plane(prior):
    with pytest.raises(ConfigError, match="latent_size 2"):
        zoo.create("aae", decoder={"prior": prior, "latent_size": 3})


@pytest.mark.parametrize("prior", ["gaussian", "mixture", "swiss-roll"])
def test_a_prior_of_two_numbers_is_drawn_and_decoded(prior):
    model = zoo.create("aae", image_size=8, width=8, latent_size=2, decoder={"prior": prior})
    images = model.sample(6, seed=1)
    assert images.shape == (6, 1, 8, 8)
    assert model.decode(torch.tensor([[0.0, 0.0], [5.0, -5.0]])).shape == (2, 1, 8, 8)


# Posteriors.


def test_a_posterior_is_a_point_a_gaussian_or_a_function_of_noise():
    images = torch.rand(4, 1, 8, 8) * 2 - 1
    small = {"image_size": 8, "width": 8, "latent_size": 3, "init_deviation": 0.3}
    point = AAEEncoder(EncoderConfig(**small))(images)
    assert point.log_variance is None
    gaussian = AAEEncoder(EncoderConfig(posterior="gaussian", **small))(images)
    assert gaussian.mean.shape == gaussian.log_variance.shape == (4, 3)
    universal = AAEEncoder(EncoderConfig(posterior="universal", noise_size=5, **small))
    with drawing_from(noise(), universal):
        first, second = universal(images).mean, universal(images).mean
    assert not torch.equal(first, second)
    with pytest.raises(RuntimeError, match="drawing_from"):
        universal(images)


def test_encoding_is_the_same_twice_whatever_the_posterior():
    images = torch.rand(4, 1, 8, 8) * 2 - 1
    for posterior in ("deterministic", "gaussian", "universal"):
        model = zoo.create("aae", image_size=8, width=8, encoder={"posterior": posterior})
        assert torch.equal(model.encode(images), model.encode(images))


@pytest.mark.parametrize("posterior", ["gaussian", "universal"])
def test_every_posterior_trains(posterior):
    engine = engine_of(tiny("aae", **{"encoder.posterior": posterior, "encoder.noise_size": 4}))
    engine.step()
    engine.check_finite()


# Phases and what they cost.


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("separate", [False, True])
def test_each_phase_costs_what_is_declared_and_leaves_other_networks_alone(variant, separate):
    engine = engine_of(tiny(variant, **{"trainer.separate": separate}))
    declared, counted = engine.trainer.passes(), count_passes(engine)
    for role, passes in declared.items():
        assert counted[role] == pytest.approx(passes, rel=0.02), role
    for phase in engine.stages[0].phases:
        for role, network in engine.networks.items():
            for weight in network.parameters():
                weight.requires_grad_(role in phase.networks)
        batch = engine.batches.draw(0)
        step = Step(noise(), Progress(0, 1, 0.0), "training")
        with drawing_from(step.noise, *engine.networks.values()):
            engine.trainer.loss(phase, batch, step).total.backward()
        for role, network in engine.networks.items():
            gradients = [w.grad for w in network.parameters()]
            learned = any(g is not None and bool(g.any()) for g in gradients)
            assert learned == (role in phase.networks), (phase.name, role)
            network.zero_grad(set_to_none=True)


def test_one_pass_through_the_encoder_serves_all_of_section_2():
    assert engine_of(tiny("aae")).trainer.passes() == {
        "encoder": 3,
        "decoder": 3,
        "discriminator": 8,
    }


def test_the_papers_three_turns_come_in_its_order():
    trainer = engine_of(tiny("aae", **{"trainer.separate": True})).trainer
    assert [(phase.name, phase.networks) for phase in trainer.phases()] == [
        ("reconstruction", ("encoder", "decoder")),
        ("discriminator", ("discriminator",)),
        ("generator", ("encoder",)),
    ]


def test_learning_rates_fall_after_50_and_1000_epochs():
    (phase, *_) = engine_of(tiny("aae-semi-supervised")).trainer.phases()
    factors = [phase.schedule(Progress(0, 1, epochs)) for epochs in (0, 49.9, 50, 999, 1000)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_error_is_half_the_squared_distance_of_pixels_from_0_to_1():
    white, grey = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    assert half_squared_error(white, grey).item() == pytest.approx(4 * 0.5**2 / 2)


def test_codes_of_different_lengths_are_refused():
    with pytest.raises(ConfigError, match="latent_size"):
        tiny("aae", **{"discriminator.latent_size": 5}).build_trainer(
            tiny("aae", **{"discriminator.latent_size": 5}).build_networks()
        )


def test_a_loss_that_is_no_game_is_refused():
    recipe = tiny("aae")
    networks = recipe.build_networks()
    trainer = recipe.build_trainer(networks)
    with pytest.raises(UnsupportedError, match="adversarial loss"):
        type(trainer)(trainer.config, Parts(networks))


# Labels that shape the prior (section 2.3).


def test_the_discriminator_has_one_class_more_for_images_without_a_label():
    judge = AAELabelledDiscriminator(
        LabelledDiscriminatorConfig(classes=3, width=8, init_deviation=0.5)
    )
    assert judge.layers[0].in_features == 2 + 4
    codes = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    unlabelled = judge(codes, torch.full((5,), 3)).logits
    assert torch.equal(judge(codes, None).logits, unlabelled)
    assert not torch.equal(judge(codes, torch.zeros(5, dtype=torch.int64)).logits, unlabelled)


def test_unlabelled_images_use_the_extra_class_and_labelled_ones_their_own():
    engine = engine_of(tiny("aae-labelled"))
    batch = engine.batches.draw(0)
    labels = engine.trainer.labels_of(batch)
    assert labels.tolist() == [3] * len(batch) + batch.labelled.labels.tolist()
    step = Step(noise(), Progress(0, 1, 0.0), "training")
    drawn = engine.trainer.drawn(batch, step)["discriminator"]
    codes = engine.trainer.encoded(batch, step, judged=True).codes["discriminator"]
    assert drawn.shape == codes.shape == (2 * len(batch), 2)
    # The labelled images' prior codes lie in the parts of their own classes.
    angle = torch.atan2(drawn[len(batch) :, 1], drawn[len(batch) :, 0]) % (2 * math.pi)
    off = (angle - batch.labelled.labels * 2 * math.pi / 3 + math.pi) % (2 * math.pi) - math.pi
    assert off.abs().max() < 1


def test_a_gaussian_has_no_parts_to_give_to_classes():
    settings = tiny("aae-labelled", **{"decoder.prior": "gaussian"})
    with pytest.raises(ConfigError, match="swiss-roll"):
        settings.build_trainer(settings.build_networks())


def test_a_mixture_needs_a_part_for_each_class():
    settings = tiny("aae-labelled", **{"decoder.components": 4})
    with pytest.raises(ConfigError, match=r"decoder\.components=3"):
        settings.build_trainer(settings.build_networks())


# Classes and clusters (sections 4 to 7).


def engine_on(data, recipe):
    trainer = recipe.build_trainer(recipe.build_networks())
    batches = ImageBatches(
        data, recipe.training.batch_size, 0, Processes("cpu"), labelled=trainer.labelled
    )
    return Engine(trainer, batches, recipe.training, inference=recipe.entry.recipe.inference)


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("aae-semi-supervised", {"trainer.labelled": 40}),
        ("aae-dimensionality", {"clusters": 10, "trainer.labelled": 40}),
        ("aae-labelled", {"trainer.labelled": 40}),
    ],
)
def test_no_other_labels_are_seen_than_those_of_the_labelled_images(variant, settings):
    digits = open_images("digits", image_size=8, channels=1)
    # The first four of each class come first, so that false labels do not change the choice.
    rank = np.zeros(len(digits), dtype=np.int64)
    for label in range(10):
        its = np.flatnonzero(digits.labels == label)
        rank[its] = np.arange(len(its))
    order = np.argsort(rank >= 4, kind="stable")
    true = replace(digits, images=digits.images[order], labels=digits.labels[order])
    poisoned = true.labels.copy()
    poisoned[40:] = (poisoned[40:] * 3 + 1) % 10
    ends = []
    for labels in (true.labels, poisoned):
        recipe = blueprint(variant, **{"init_deviation": 0.3, "latent_size": 2} | settings)
        engine = engine_on(replace(true, labels=labels), recipe)
        for _ in range(6):
            engine.step()
        ends.append(engine.state()[0])
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize("variant", ["aae", "aae-clustering", "aae-dimensionality"])
def test_without_labels_these_train(variant):
    digits = open_images("digits", image_size=8, channels=1)
    recipe = blueprint(variant, init_deviation=0.3)
    engine = engine_on(replace(digits, labels=None), recipe)
    engine.step()
    engine.check_finite()


def test_semi_supervised_learning_names_the_digits():
    digits = open_images("digits", image_size=8, channels=1)
    recipe = blueprint(
        "aae-semi-supervised",
        **{"width": 64, "init_deviation": 0.1, "training.batch_size": 64},
        **{"trainer.labelled": 100, "training.steps": 300},
    )
    engine = engine_on(digits, recipe)
    for _ in range(150):
        engine.step()
    encoder = engine.networks["encoder"].eval()
    images = torch.from_numpy(np.array(digits.images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        named = encoder(images).logits.argmax(1).numpy()
    assert (named != digits.labels).mean() < 0.25


def test_a_class_is_asked_for_and_the_encoder_names_it():
    model = zoo.create("aae-semi-supervised", image_size=8, width=8, latent_size=2)
    assert model.verbs == ("sample", "interpolate", "decode", "encode", "reconstruct", "classify")
    images = model.sample(3, labels=7)
    assert torch.allclose(model.classify(images).sum(1), torch.ones(3))
    assert model.encode(images).shape == (3, 2)
    supervised = zoo.create("aae-supervised", image_size=8, width=8, latent_size=2)
    same = supervised.decode(torch.zeros(2, 2), labels=[0, 1])
    assert not torch.equal(same[0], same[1])


def test_clusters_are_a_named_part_of_the_code():
    model = zoo.create("aae-clustering", image_size=8, width=8, latent_size=2, clusters=4)
    assert list(model.codes) == ["cluster", "z0", "z1"]
    assert "classify" not in model.verbs
    latents = model.networks["decoder"].latents(50, noise())
    assert latents.shape == (50, 6)
    assert torch.equal(latents[:, :4].sum(1), torch.ones(50))
    assert set(latents[:, :4].unique().tolist()) == {0.0, 1.0}
    grid = model.traverse({"cluster": [0, 1, 2, 3]}, count=2)
    assert grid.shape == (2, 4, 1, 8, 8)


def test_heads_nearer_than_eta_are_pushed_apart_and_no_others():
    heads = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], requires_grad=True)
    # Distances 5, 1 and √18: only the second is below 3.
    assert nearness(heads, 3.0).item() == pytest.approx(2.0)
    nearness(heads, 3.0).backward()
    assert heads.grad.tolist() == [[0.0, 1.0], [0.0, 0.0], [0.0, -1.0]]


def test_the_representation_is_the_head_plus_the_style():
    engine = engine_of(tiny("aae-dimensionality"))
    engine.step()
    encoder, decoder = engine.networks["encoder"].eval(), engine.networks["decoder"]
    images = engine.batches.draw(0).images
    with torch.no_grad():
        code = encoder(images)
    expected = code.logits.softmax(1) @ encoder.heads + code.style
    torch.testing.assert_close(code.mean, expected)
    # The prior follows the heads as they are learned.
    assert torch.equal(decoder.heads, encoder.heads)
    drawn = decoder.latents(4000, noise())
    torch.testing.assert_close(drawn.mean(0), encoder.heads.mean(0), rtol=0, atol=0.3)


def test_more_classes_than_clusters_are_one_sentence():
    recipe = tiny("aae-dimensionality", **{"clusters": 2, "trainer.labelled": 8})
    trainer = recipe.build_trainer(recipe.build_networks())
    batches = SmallBatches((1, 8, 8), 8, 3, labelled=True)
    engine = Engine(trainer, batches, recipe.training)
    with pytest.raises(ConfigError, match="set clusters"):
        engine.step()


def test_label_and_style_are_judged_apart():
    engine = engine_of(tiny("aae-semi-supervised"))
    batch, step = engine.batches.draw(0), Step(noise(), Progress(0, 1, 0.0), "training")
    drawn = engine.trainer.drawn(batch, step)
    assert drawn["style_discriminator"].shape == (8, 2)
    labels = drawn["label_discriminator"]
    assert labels.shape == (8, 3)
    assert torch.equal(labels.sum(1), torch.ones(8))
    with drawing_from(step.noise, *engine.networks.values()):
        codes = engine.trainer.encoded(batch, step, judged=True).codes
    torch.testing.assert_close(codes["label_discriminator"].sum(1), torch.ones(8))
    assert isinstance(batch, Batch)
