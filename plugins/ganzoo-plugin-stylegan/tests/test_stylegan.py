import copy
import math
import signal
from dataclasses import replace

import pytest
import torch
from ganzoo_plugin_stylegan.config import (
    R1Config,
    StyleGANDiscriminatorConfig,
    StyleGANGeneratorConfig,
)
from ganzoo_plugin_stylegan.networks import StyleDiscriminator, StyleGenerator, blur
from ganzoo_plugin_stylegan.r1 import R1

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import (
    DiscriminatorOutput,
    JointNoise,
    Judged,
    drawing_from,
)
from ganzoo_core.errors import ConfigError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of

SMALL = {
    "image_size": 16,
    "channels": 1,
    "latent_size": 6,
    "style_size": 5,
    "mapping_layers": 2,
    "mapping_width": 4,
    "width": 4,
}


@parametrize_with_checks("ganzoo-plugin-stylegan")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


def generator(seed=0, **settings):
    """A small generator whose noise and styles have begun to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = StyleGenerator(StyleGANGeneratorConfig(**SMALL | settings))
        for name, weight in network.named_parameters():
            if name.endswith(("strength", "bias")):
                torch.nn.init.normal_(weight)
    return network


def small_model(**settings):
    model = zoo.create("stylegan", **SMALL | settings)
    for name, weight in model.networks["generator"].named_parameters():
        if name.endswith("strength"):
            torch.nn.init.ones_(weight)
    model.networks["generator"].style_mean.fill_(0.3)
    return model


# Section 2 and figure 1: the generator.


def test_the_generator_is_that_of_the_paper():
    with torch.device("meta"):
        network = StyleGenerator(StyleGANGeneratorConfig())
    weights = sum(weight.numel() for weight in network.parameters())
    # Section 2: 26.2 million parameters; without the layers to colours of the smaller sizes.
    colours = sum(w.numel() for layer in network.to_image[:-1] for w in layer.parameters())
    assert round((weights - colours) / 1e6, 1) == 26.2
    assert len(network.mapping.layers) == 8
    assert network.style_layers == 18
    assert network.constant.shape == (1, 512, 4, 4)


def test_the_discriminator_is_that_of_progan():
    with torch.device("meta"):
        network = StyleDiscriminator(StyleGANDiscriminatorConfig())
    colours = sum(w.numel() for layer in network.from_image[:-1] for w in layer.parameters())
    weights = sum(weight.numel() for weight in network.parameters())
    assert round((weights - colours) / 1e6, 1) == 23.1  # table 2 of Karras et al. 2018


def test_latents_are_brought_to_one_length():
    network = generator()
    latents = torch.randn(3, 6)
    torch.testing.assert_close(network.map(latents), network.map(7 * latents))


def test_the_mapping_network_learns_a_hundred_times_slower():
    plain, slow = (generator(mapping_rate=rate).mapping.layers[0] for rate in (1.0, 0.01))
    torch.testing.assert_close(plain.weight * plain.scale, slow.weight * slow.scale)
    # Adam moves every weight by as much; what is multiplied by 0.01 moves the layer less.
    assert slow.scale == pytest.approx(0.01 * plain.scale)


def test_a_style_sets_the_mean_and_the_deviation_of_every_map():
    network = generator()
    layer = network.blocks[1].second
    maps, style = torch.randn(2, 4, 8, 8), torch.randn(2, 5)
    scale, shift = layer.style(style).chunk(2, 1)
    found = layer(maps, style, None, None)
    torch.testing.assert_close(found.mean((2, 3)), shift)
    torch.testing.assert_close(found.std((2, 3), correction=0), (scale + 1).abs())


def test_upscaling_is_nearest_then_a_convolution_then_a_blur():
    layer = generator().blocks[1].up
    maps = torch.randn(2, 4, 4, 4)
    large = torch.nn.functional.interpolate(maps, scale_factor=2)
    torch.testing.assert_close(layer(maps, None), blur(layer.convolution(large)))


def test_a_blur_spreads_a_pixel_as_1_2_1_both_ways():
    pixel = torch.zeros(1, 1, 3, 3)
    pixel[..., 1, 1] = 16
    assert blur(pixel)[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


# Section 3: mixing, noise, truncation.


def test_a_share_of_training_images_has_two_styles():
    network = generator(mixing=0.5).train()
    with drawing_from(noise(), network):
        latents = network.latents(400, noise(1))
        styles = network.map(latents)
        mixed = network.mixing(network, styles, None)
    same = (mixed == styles[:, None]).all(2)
    assert same[:, 0].all()  # the first layer keeps its style
    assert (~same).any(1).float().mean().item() == pytest.approx(0.5, abs=0.08)
    # Once it has changed, it stays the other one, up to the last layer.
    assert (same.int().diff(dim=1) <= 0).all()
    assert set((~same).int().argmax(1)[(~same).any(1)].tolist()) == set(range(1, 6))


def test_nothing_is_mixed_and_no_mean_is_taken_at_rest():
    network = generator().eval()
    before = network.style_mean.clone()
    with drawing_from(noise(), network):
        latents = network.latents(2, noise(1))
        images = network(latents)
    with drawing_from(noise(), network):
        torch.testing.assert_close(images, network.synthesize(network.map(latents)))
    assert torch.equal(network.style_mean, before)


def test_while_it_grows_only_layers_in_use_are_mixed():
    network = generator(mixing=1.0).train()
    network.grow_to(1.0)
    with drawing_from(noise(), network):
        styles = network.map(network.latents(200, noise(1)))
        mixed = network.mixing(network, styles, None)
    assert (mixed[:, 5] != styles).any(1).all()


def test_the_mean_style_follows_the_styles_of_training():
    network = generator(style_decay=0.9).train()
    with drawing_from(noise(), network):
        latents = network.latents(8, noise(1))
        network(latents)
    torch.testing.assert_close(network.style_mean, 0.1 * network.map(latents).mean(0))


def test_truncation_moves_the_first_layers_towards_the_mean():
    network = generator(truncation_cutoff=3)
    network.style_mean.fill_(2.0)
    style = torch.arange(5.0).expand(1, 5)
    moved = network.truncated(style, 0.5)
    assert moved[0, 2].tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert torch.equal(moved[0, 3], style[0])
    assert torch.equal(network.truncated(style, 0.0, 6)[0, 5], network.style_mean)
    assert torch.equal(network.truncated(style, 1.0), network.broadcast(style))


@pytest.mark.parametrize(
    ("mode", "noisy"),
    [("drawn", {0, 1, 2}), ("none", set()), ("coarse", {0}), ("fine", {1, 2})],
)
def test_noise_is_drawn_in_the_layers_that_are_asked_for(mode, noisy):
    network = generator().eval()
    styles = network.map(torch.randn(1, 6))
    used = set()
    for level, block in enumerate(network.blocks):
        block.noises[0].register_forward_hook(
            lambda *given, level=level: used.add(level) if given[2] is not None else None
        )
    with drawing_from(noise(), network):
        network.synthesize(styles, mode)
    assert used == noisy


def test_coarse_noise_reaches_32_pixels_of_1024_as_in_figure_5():
    with torch.device("meta"):
        network = StyleGenerator(StyleGANGeneratorConfig())
    coarse = [4 << level for level in range(9) if network._noise_of(level, "coarse") == "drawn"]
    assert coarse == [4, 8, 16, 32]


def test_fixed_noise_is_the_same_for_all_images_and_needs_no_draws():
    network = generator().eval()
    styles = network.map(torch.randn(1, 6)).expand(2, -1)
    first, second = network.synthesize(styles, "fixed")
    torch.testing.assert_close(first, second)
    with drawing_from(noise(), network):
        first, second = network.synthesize(styles)
    assert (first - second).abs().max() > 1e-3


def test_labels_choose_the_style_and_the_score():
    network = generator(classes=3)
    styles = network.map(torch.ones(3, 6), torch.arange(3))
    assert len(styles.unique(dim=0)) == 3
    config = StyleGANDiscriminatorConfig(image_size=16, channels=1, width=4, classes=3)
    judge = StyleDiscriminator(config)
    images = torch.randn(1, 1, 16, 16).expand(3, -1, -1, -1)
    scores = judge.to_logits(judge.features(images))
    torch.testing.assert_close(judge(images, torch.arange(3)).logits, scores.diagonal())


# R1 and lazy regularisation.


class Linear(torch.nn.Module):
    """D(x) = w·x, whose gradient is w everywhere."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, images):
        return DiscriminatorOutput(images.flatten(1) @ self.weight)


def test_r1_is_half_gamma_times_the_squared_gradient():
    judge = Linear()
    real = torch.randn(5, 2, 1, 1)
    penalty = R1(R1Config(weight=10.0)).penalty(Judged(judge, real, real), noise())
    assert penalty.item() == pytest.approx(10 / 2 * (3**2 + 4**2))
    (gradient,) = torch.autograd.grad(penalty, judge.weight)
    torch.testing.assert_close(gradient, 10 * judge.weight.detach())


def test_r1_needs_logits():
    def judge(images):
        return DiscriminatorOutput(None, reconstruction=images)

    real = torch.randn(2, 1, 4, 4)
    with pytest.raises(UnsupportedError, match="--regularizer"):
        R1(R1Config()).penalty(Judged(judge, real, real), noise())


def blueprint(**settings):
    entry = read_installed().variant("stylegan")
    tiny = {
        **SMALL,
        "training.batch_size": 4,
        "trainer.batch_sizes.16": 4,
        "trainer.start_size": 16,
    }
    return draw_up(read_installed(), entry.full_name, tiny | settings)


def phases(**settings):
    return {phase.name: phase for phase in engine_of(blueprint(**settings)).stages[0].phases}


def test_lazy_r1_is_an_update_of_its_own_by_the_discriminators_slowed_optimiser():
    its = phases(**{"r1.every": 16})
    assert list(its) == ["discriminator", "discriminator-r1", "generator"]
    lazy, main = its["discriminator-r1"], its["discriminator"]
    assert (lazy.every, lazy.optimizer_of, lazy.optimizer) == (16, "discriminator", main.optimizer)
    # Karras et al. 2020, appendix B: λ' = cλ, β' = β^c with c = k / (k + 1).
    share = 16 / 17
    assert main.optimizer.lr == pytest.approx(0.001 * share)
    assert main.optimizer.betas == (0.0, pytest.approx(0.99**share))
    assert its["generator"].optimizer.lr == 0.001


def test_r1_at_every_update_is_part_of_the_discriminators_loss():
    assert list(phases(**{"r1.every": 1})) == ["discriminator", "generator"]


def test_a_lazy_penalty_weighs_as_often_as_it_is_left_out():
    engine = engine_of(blueprint(**{"r1.every": 4}))
    engine.step()
    assert engine.losses["discriminator-r1"] == pytest.approx(
        4 * engine.losses["discriminator-r1/penalty"].item()
    )
    engine.step()
    assert "discriminator-r1" not in engine.losses


def test_main_and_lazy_updates_share_their_moments():
    engine = engine_of(blueprint(**{"r1.every": 2}))
    engine.step()
    steps = {
        int(value)
        for name, value in engine.state()[0].items()
        if name.startswith("optimizers/") and "/discriminator/" in name and name.endswith("/step")
    }
    assert max(steps) == 2  # one of each kind
    assert not any("discriminator-r1" in name for name in engine.state()[0])


# Truncation, mixing and the rest through the model.


def test_a_seed_range_gives_the_first_image_of_each_seed():
    model = small_model()
    drawn = model.sample(3, seed=[5, 6, 7])
    alone = torch.cat([model.sample(1, seed=seed) for seed in (5, 6, 7)])
    torch.testing.assert_close(drawn, alone)
    with pytest.raises(UnsupportedError, match="3 seeds were given for 2 images"):
        model.sample(2, seed=[5, 6, 7])


def test_map_and_synthesize_make_what_sample_makes():
    model = small_model()
    latents = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    styles = model.map(latents)
    images = model.synthesize(styles, noise="fixed")
    wide = model.synthesize(styles[:, None].expand(-1, 6, -1), noise="fixed")
    torch.testing.assert_close(images, wide)
    torch.testing.assert_close(model.synthesize(styles, noise="fixed", batch_size=1), images)


def test_fully_truncated_images_differ_by_their_noise_alone():
    model = small_model()

    def spread(**asked):
        return model.sample(4, truncation=0.0, **asked).std(0).max()

    assert spread(noise="fixed") < 1e-4
    assert spread() > 1e-2
    assert spread(cutoff=2, noise="fixed") > 1e-2


def test_the_mixing_grid_has_its_sources_at_its_borders():
    model = small_model()
    grid = model.mix([1, 2], [3, 4, 5], [0, 1])
    assert grid.shape == (3, 4, 1, 16, 16)
    assert (grid[0, 0] == 1).all()
    torch.testing.assert_close(grid[1:, 0], model.sample(2, seed=[1, 2]))
    torch.testing.assert_close(grid[0, 1:], model.sample(3, seed=[3, 4, 5]))
    # With all layers taken and no noise, what is left is the source along the top.
    whole = model.mix([1, 2], [3, 4, 5], range(6), noise="none")
    torch.testing.assert_close(whole[1, 1:], whole[0, 1:])
    torch.testing.assert_close(whole[2, 1:], whole[0, 1:])


def test_a_walk_in_w_goes_from_image_to_image_and_straight():
    model = small_model()
    walk = model.interpolate(1, 3, seed=2, space="w", noise="fixed")[0]
    ends = model.sample(2, seed=2, noise="fixed")
    torch.testing.assert_close(walk[[0, 2]], ends)
    latents = torch.stack([model.networks["generator"].latents(1, n)[0] for n in _noises(2)])
    middle = model.synthesize(model.map(latents).mean(0, keepdim=True), noise="fixed")
    torch.testing.assert_close(walk[1:2], middle)


def _noises(seed):
    from ganzoo_core.components import ImageNoise

    return [ImageNoise(seed, [number]) for number in range(2)]


def test_projection_finds_an_image_that_the_generator_drew():
    model = small_model()
    target = model.sample(1, seed=9, noise="fixed")[0]
    heard = []

    def observe(done, steps, distance, standing):
        heard.append((done, distance))

    found = model.project(target, steps=60, observe=observe)
    assert found.distance < 0.5 * heard[0][1]
    assert found.styles.shape == (5,)
    assert found.measure == "pixels"
    assert found.steps == len(heard) == 60
    assert all(each.mean().abs() < 1e-4 and abs(each.std() - 1) < 0.2 for each in found.noise)
    wide = model.project(target, space="w+", steps=60)
    assert wide.styles.shape == (6, 5)


def test_projection_leaves_the_model_as_it_was_and_repeats_itself():
    model = small_model()
    network = model.networks["generator"].train()
    before = copy.deepcopy(network.state_dict())
    target = model.sample(1, seed=9)[0]
    first, again = (model.project(target, steps=3, seed=4) for _ in range(2))
    assert torch.equal(first.styles, again.styles)
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


def test_an_interrupted_projection_leaves_what_it_has():
    model = small_model()

    def observe(done, steps, distance, standing):
        if done == 2:
            signal.raise_signal(signal.SIGINT)

    found = model.project(torch.zeros(1, 16, 16), steps=50, observe=observe)
    assert found.steps == 2


def test_a_conditional_model_is_asked_for_classes():
    model = small_model(classes=3)
    assert model.map(torch.zeros(2, 6), labels=[0, 2]).shape == (2, 5)
    assert model.mix([1], [2], label=2).shape == (2, 2, 1, 16, 16)
    assert model.project(torch.zeros(1, 16, 16), steps=1, label=1).steps == 1
    with pytest.raises(UnsupportedError, match="classes 0 to 2"):
        model.map(torch.zeros(1, 6), labels=3)


# What cannot be.


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"truncation": math.nan}, "must be a number"),
        ({"truncation": 0.5, "cutoff": 7}, "cutoff cannot be 7"),
        ({"truncation": 0.5, "cutoff": -1}, "cutoff cannot be -1"),
        ({"noise": "loud"}, "no noise 'loud'"),
    ],
)
def test_renderings_that_cannot_be_are_refused(asked, said):
    with pytest.raises(UnsupportedError, match=said):
        small_model().sample(1, **asked)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.synthesize(torch.zeros(1, 4)),
        lambda model: model.synthesize(torch.zeros(1, 5, 5)),
        lambda model: model.synthesize(torch.zeros(5)),
        lambda model: model.map(torch.zeros(1, 5)),
        lambda model: model.mix([1], [2], [6]),
        lambda model: model.mix([], [2]),
        lambda model: model.mix([1], [2], []),
        lambda model: model.interpolate(space="x"),
        lambda model: model.project(torch.zeros(1, 8, 8)),
        lambda model: model.project(torch.zeros(1, 16, 16), steps=0),
        lambda model: model.project(torch.zeros(1, 16, 16), space="z"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call):
    with pytest.raises(UnsupportedError) as refusal:
        call(small_model())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.sample(1, truncation=0.7),
        lambda model: model.sample(1, noise="none"),
        lambda model: model.map(torch.zeros(1, 8)),
        lambda model: model.synthesize(torch.zeros(1, 8)),
        lambda model: model.mix([1], [2]),
        lambda model: model.interpolate(space="w"),
        lambda model: model.project(torch.zeros(1, 16, 16)),
    ],
)
def test_models_without_styles_say_so(call):
    model = zoo.create("dcgan", image_size=16, channels=1, width=2, latent_size=8)
    with pytest.raises(UnsupportedError, match="no intermediate latent space"):
        call(model)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_size": 48},
        {"generator": {"maps": [4, 4]}},
        {"mixing": 1.5},
        {"style_decay": 1.0},
        {"mapping_layers": 0},
        {"r1": {"weight": -1.0}},
        {"r1": {"every": 0}},
    ],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError):
        zoo.create("stylegan", **SMALL | settings)


def test_lazy_regularisers_need_a_penalty():
    its = blueprint(**{"r1.every": 2})
    trainer = its.build_trainer(its.build_networks())
    (r1,) = trainer.regularizers
    r1.penalty = lambda judged, noise: None
    engine = engine_of(replace(its))
    engine.trainer.regularizers[0].penalty = r1.penalty
    with pytest.raises(UnsupportedError, match="every at 1"):
        engine.step()
