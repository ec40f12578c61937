import copy
import itertools
import json
from pathlib import Path

import pytest
import torch
from ganzoo_plugin_progan import checkpoints
from ganzoo_plugin_progan.config import DriftConfig, ProGANGeneratorConfig
from ganzoo_plugin_progan.drift import Drift
from ganzoo_plugin_progan.growing import enlarged, seen_at, shrunk
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo_core import zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Adam, DiscriminatorOutput, JointNoise, Judged
from ganzoo_core.errors import CheckpointError, ConfigError, DataError, UnsupportedError
from ganzoo_core.hub.authors_files import AuthorsFile
from ganzoo_core.model import Model
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import engine_of, random_images
from ganzoo_core.training.engine import batch_size_of, images_per_step, stage_ends
from ganzoo_core.training.run import DataChoice
from ganzoo_core.zoo import plan

SAMPLES = Path(__file__).parents[4] / "shared" / "checkpoints"
at_hand = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample checkpoints are not at hand")

SMALL = {
    "image_size": 16,
    "channels": 1,
    "latent_size": 8,
    "width": 8,
    "training.batch_size": 4,
}
STAGES = ["4x4", "8x8 fading in", "8x8", "16x16 fading in", "16x16"]


@parametrize_with_checks("ganzoo-plugin-progan")
def test_conformance(check):
    check()


def blueprint(components=None, **settings):
    return draw_up(read_installed(), "progan", SMALL | settings, components=components)


def networks(**settings):
    built = blueprint(**settings).build_networks()
    return built["generator"], built["discriminator"]


def noise(seed: int = 0) -> JointNoise:
    return JointNoise(torch.Generator().manual_seed(seed))


def latents(count: int = 3, size: int = 8) -> torch.Tensor:
    return noise().normal(count, size)


def within(engine, stage: str, share: float = 0.5):
    """Bring an engine to a place in one of its stages, without the steps before."""
    number = [each.name for each in engine.stages].index(stage)
    ends = [0, *stage_ends(engine.stages, engine.settings)]
    engine.steps_done = round(ends[number] + share * (ends[number + 1] - ends[number]))
    return engine


# Networks


def test_the_networks_of_table_2_have_its_feature_maps_and_its_parameters():
    full = draw_up(read_installed(), "progan", {})
    assert full.networks["generator"].config.maps_at() == [512] * 4 + [256, 128, 64, 32, 16]
    for network in full.build_networks(device="meta").values():
        # The paper says 23.1M of both.
        assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(
            23.1e6, rel=2e-3
        )


def test_width_and_capacity_narrow_the_networks():
    config = ProGANGeneratorConfig(image_size=64, width=64, capacity=512)
    assert config.maps_at() == [64, 64, 32, 16, 8]
    assert ProGANGeneratorConfig(image_size=8, maps=(5, 3)).maps_at() == [5, 3]


def test_while_it_trains_the_generators_images_have_the_size_that_it_has_grown_to():
    generator, _ = networks()
    for lod, size in ((2.0, 4), (1.5, 8), (1.0, 8), (0.25, 16), (0.0, 16)):
        generator.grow_to(lod)
        assert generator(latents()).shape == (3, 1, size, size)


def test_otherwise_they_have_the_full_size_by_repeating_pixels():
    generator, _ = networks()
    generator.grow_to(2.0)
    small = generator(latents()).clamp(-1, 1)
    images = generator.eval()(latents())
    assert images.shape == (3, 1, 16, 16)
    assert torch.equal(images, small.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_fading_in_weighs_the_new_size_against_the_one_below():
    generator, _ = networks()
    by_lod = {}
    for lod in (2.0, 1.75, 1.0):
        generator.grow_to(lod)
        by_lod[lod] = generator(latents())
    blended = 0.75 * enlarged(by_lod[2.0]) + 0.25 * by_lod[1.0]
    torch.testing.assert_close(by_lod[1.75], blended)


def test_the_discriminator_fades_in_as_the_generator_does():
    _, discriminator = networks()
    images = random_images(4, (1, 8, 8))
    said = {}
    for lod in (1.999999, 1.5, 1.0):
        discriminator.grow_to(lod)
        said[lod] = discriminator(images).features
    discriminator.grow_to(2.0)
    torch.testing.assert_close(
        said[1.999999], discriminator(shrunk(images)).features, atol=1e-4, rtol=0
    )
    assert not torch.allclose(said[1.5], said[1.0])


def test_the_discriminator_takes_images_of_the_full_size_at_any_time():
    _, discriminator = networks()
    images = random_images(4, (1, 16, 16))
    discriminator.grow_to(1.0)
    torch.testing.assert_close(discriminator(images).logits, discriminator(shrunk(images)).logits)


@pytest.mark.parametrize("role", [0, 1])
def test_layers_of_sizes_to_come_are_not_trained(role):
    network = networks()[role]
    network.grow_to(1.0)
    answer = network(latents()) if role == 0 else network(random_images(3, (1, 8, 8))).logits
    answer.sum().backward()
    idle = {name for name, weight in network.named_parameters() if weight.grad is None}
    assert any(name.startswith("blocks.2.") for name in idle)
    assert all(
        name.split(".")[1] == "2" or name.split(".")[0] in ("to_image", "from_image")
        for name in idle
    )


def test_how_far_it_has_grown_is_in_the_state_dict():
    grown, fresh = networks()[0], networks()[0]
    grown.grow_to(1.25)
    fresh.load_state_dict(grown.state_dict())
    assert fresh.level() == (1, 0.25)
    assert torch.equal(fresh(latents()), grown(latents()))


@pytest.mark.parametrize("lod", [-0.5, 2.5, float("nan"), float("inf")])
def test_a_level_that_there_is_not_is_refused(lod):
    generator, _ = networks()
    spoilt = generator.state_dict() | {"lod": torch.tensor(lod)}
    with pytest.raises(CheckpointError, match="have levels of detail from 0 to 2; get the weights"):
        generator.load_state_dict(spoilt)


def test_copied_buffers_are_seen_when_the_mode_changes():
    grown, average = networks()[0], networks()[0]
    grown.grow_to(2.0)
    for theirs, its in zip(average.buffers(), grown.buffers(), strict=True):
        theirs.copy_(its)
    average.load_state_dict(average.state_dict())
    assert average.eval().level() == (2, 0.0)
    assert copy.deepcopy(average).level() == (2, 0.0)


def test_the_latents_length_does_not_matter():
    generator, _ = networks()
    torch.testing.assert_close(generator(latents()), generator(7 * latents()))


# Real images


def test_real_images_are_averaged_down_and_blended_while_a_size_is_faded_in():
    images = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    images = images.view(1, 1, 4, 4)
    assert seen_at(images, 1.0).flatten().tolist() == [1, 3, 5, 7]
    assert seen_at(images, 2.0).flatten().tolist() == [4]
    # Three quarters of 4, the mean of all, and a quarter of each.
    assert seen_at(images, 1.75).flatten().tolist() == pytest.approx([3.25, 3.75, 4.25, 4.75])
    assert torch.equal(seen_at(images, 0.0), images)


# Training


def test_stages_grow_by_doubling_and_fade_in_each_size():
    engine = engine_of(blueprint(**{"trainer.batch_sizes": {"8": 6, "16": 2}}))
    assert [stage.name for stage in engine.stages] == STAGES
    assert [stage.batch_size for stage in engine.stages] == [None, 6, 6, 2, 2]
    assert {stage.share for stage in engine.stages} == {800.0}


def test_the_papers_training_shows_800_thousand_images_in_each_stage():
    full = draw_up(read_installed(), "progan", {})
    trainer = full.build_trainer(full.build_networks(device="meta"))
    stages, settings = trainer.stages(), full.training
    assert len(stages) == 17
    ends = stage_ends(stages, settings)
    sizes = [batch_size_of(stage, settings) for stage in stages]
    assert sizes == [16] * 11 + [14, 14, 6, 6, 3, 3]
    for begin, end, size in zip([0, *ends], ends, sizes, strict=False):
        assert (end - begin) * size == pytest.approx(800_000, abs=size)


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256, 512, 1024])
def test_the_readmes_steps_are_800_thousand_images_a_stage(size):
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    sizes, steps = (
        next(line for line in readme.splitlines() if line.startswith(start)).split(" | ")[1:]
        for start in ("| size |", "| `--steps` |")
    )
    named = dict(zip((int(each.strip(" |")) for each in sizes), steps, strict=True))
    drawn_up = draw_up(read_installed(), "progan", {"image_size": size})
    stages = drawn_up.build_trainer(drawn_up.build_networks(device="meta")).stages()
    images = 800_000 * len(stages)
    wanted = images / images_per_step(stages, drawn_up.training)
    assert int(named[size].strip(" |").replace(",", "")) == pytest.approx(wanted, abs=1)


def test_epochs_are_images_over_all_stages():
    settings = {**SMALL, "trainer.batch_sizes": {"8": 8, "16": 2}}
    drawn_up = plan("progan", DataChoice("digits"), settings=settings, epochs=2)
    engine = engine_of(drawn_up)
    ends = stage_ends(engine.stages, engine.settings)
    steps = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    assert sum(n * size for n, size in zip(steps, [4, 8, 8, 2, 2], strict=True)) == pytest.approx(
        2 * 1797, abs=10
    )


def test_a_batch_larger_than_the_data_is_refused_whichever_stage_has_it(tmp_path):
    settings = {**SMALL, "trainer.batch_sizes": {"16": 1798}}
    with pytest.raises(DataError, match="a batch of 1798 is larger than the 1797 images"):
        zoo.train("progan", "digits", out=tmp_path / "run", settings=settings, device="cpu")


def test_sizes_may_have_durations_and_learning_rates_of_their_own():
    settings = {"trainer.durations": {"16": 1600}, "trainer.learning_rates": {"8": 1.5}}
    engine = engine_of(blueprint(**settings))
    assert [stage.share for stage in engine.stages] == [800, 800, 800, 1600, 1600]
    rates = [[phase.optimizer.lr for phase in stage.phases] for stage in engine.stages]
    assert rates == [[0.001] * 2, [0.0015] * 2, [0.0015] * 2, [0.001] * 2, [0.001] * 2]


def test_a_training_may_begin_at_a_larger_size_or_at_the_full_one():
    for start, names in ((8, ["8x8", "16x16 fading in", "16x16"]), (16, ["16x16"])):
        engine = engine_of(blueprint(**{"trainer.start_size": start}))
        assert [stage.name for stage in engine.stages] == names
        engine.step()
        assert engine.networks["generator"].level() == (1 if start == 8 else 0, 0.0)


def test_a_size_is_faded_in_linearly_over_its_stage():
    engine = engine_of(blueprint(**{"training.steps": 500}))
    ends = stage_ends(engine.stages, engine.settings)
    assert ends == [100, 200, 300, 400, 500]
    for step, lod in (
        (0, 2.0),
        (99, 2.0),
        (100, 2.0),
        (125, 1.75),
        (199, 1.01),
        (200, 1.0),
        (350, 0.5),
        (499, 0.0),
    ):
        engine.steps_done = step
        engine.step()
        for role in ("generator", "discriminator"):
            doublings, fraction = engine.networks[role].level()
            assert doublings + fraction == pytest.approx(lod)
            assert engine.networks[role].lod.item() == pytest.approx(lod)


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_costs_what_is_declared_in_every_stage(stage):
    engine = within(engine_of(blueprint()), stage)
    counted = count_passes(engine)
    declared = engine.trainer.passes()
    assert declared == {"generator": 4, "discriminator": 14}
    for role, passes in declared.items():
        assert counted[role] == pytest.approx(passes, rel=0.02)


@pytest.mark.parametrize("stage", STAGES)
def test_a_training_step_reads_no_tensor(stage):
    class Refusing(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            assert func._overloadpacket is not torch.ops.aten._local_scalar_dense
            return func(*args, **(kwargs or {}))

    engine = within(engine_of(blueprint(**{"training.ema": 0.9})), stage)
    engine.step()
    with Refusing():
        engine.step()


@pytest.mark.parametrize("stopped_in", STAGES)
def test_a_run_goes_on_bit_for_bit_in_each_stage(stopped_in):
    small = {"training.steps": 20, "training.ema": 0.9, "trainer.batch_sizes": {"8": 6, "16": 2}}
    straight, before, after = (engine_of(blueprint(**small)) for _ in range(3))
    ends = stage_ends(straight.stages, straight.settings)
    stop = ends[STAGES.index(stopped_in)] - 1
    for _ in range(20):
        straight.step()
    for _ in range(stop):
        before.step()
    assert before.stage.name == stopped_in
    after.load_state(*before.state())
    while after.steps_done < 20:
        after.step()
    expected, found = straight.state(), after.state()
    assert expected[1] == found[1]
    assert expected[0].keys() == found[0].keys()
    assert all(torch.equal(tensor, found[0][name]) for name, tensor in expected[0].items())


def test_previews_and_averages_draw_at_the_size_that_the_training_has_reached():
    drawn_up = blueprint(**{"training.ema": 0.9, "training.steps": 500})
    engine = within(engine_of(drawn_up), "8x8")
    engine.step()
    images = Model(drawn_up, engine.inference_networks(["generator"])).sample(2)
    assert images.shape == (2, 1, 16, 16)
    assert torch.equal(images, enlarged(shrunk(images)))
    assert engine.averages["generator"].training  # as it was
    engine.step()
    assert engine.networks["generator"].level() == (1, 0.0)


def test_the_generators_learns_from_what_the_discriminator_says_at_the_same_size():
    engine = within(engine_of(blueprint()), "8x8 fading in")
    seen = []
    hook = engine.networks["discriminator"].register_forward_pre_hook(
        lambda _, given: seen.append(given[0].shape[-1])
    )
    engine.step()
    hook.remove()
    assert seen == [8] * 4  # real, fake, between them, and the generator's


def test_defaults_are_the_papers():
    full = draw_up(read_installed(), "progan", {})
    config = full.trainer.config
    assert config.generator_optimizer == Adam(lr=0.001, betas=(0.0, 0.99), eps=1e-8)
    assert config.discriminator_optimizer == config.generator_optimizer
    assert config.discriminator_steps == 1
    assert full.training.ema == 0.999
    assert full.loss.full_name == "ganzoo-plugin-wgan/wgan"
    assert list(full.regularizers) == ["gradient-penalty", "drift"]
    assert full.regularizers["gradient-penalty"].config.weight == 10
    assert full.regularizers["drift"].config.weight == 0.001


@pytest.mark.parametrize(
    ("components", "settings"),
    [
        ({"loss": "non-saturating", "regularizer": "none"}, {}),
        ({"regularizer": "drift"}, {}),
        ({}, {"trainer.share_fake": True, "trainer.discriminator_steps": 2}),
        ({}, {"training.precision": "bf16"}),
        ({}, {"training.accumulate": 2, "training.clip": 1.0}),
    ],
)
def test_growing_goes_with_other_losses_and_terms(components, settings):
    engine = engine_of(blueprint(components, **settings))
    for stage in STAGES:
        within(engine, stage).step()
    engine.check_finite()


def test_its_networks_serve_a_trainer_that_does_not_grow_them():
    engine = engine_of(
        draw_up(
            read_installed(),
            "dcgan",
            SMALL,
            components=dict.fromkeys(("generator", "discriminator"), "ganzoo-plugin-progan/progan"),
        )
    )
    engine.step()
    engine.check_finite()
    assert engine.networks["generator"].level() == (0, 0.0)


# Drift


def test_drift_is_the_mean_of_squared_scores_of_real_images():
    def judge(images):
        raise AssertionError("what was judged already is judged again")

    real = torch.zeros(3, 1, 4, 4)
    said = DiscriminatorOutput(torch.tensor([1.0, -2.0, 4.0], requires_grad=True))
    penalty = Drift(DriftConfig()).penalty(Judged(judge, real, real, said), noise())
    assert penalty.item() == pytest.approx(0.001 * 7)
    penalty.backward()
    assert said.logits.grad.tolist() == pytest.approx([0.002 / 3, -0.004 / 3, 0.008 / 3])


def test_drift_judges_where_the_trainer_hands_nothing_over():
    penalty = Drift(DriftConfig(weight=1.0))
    judged = Judged(
        lambda images: DiscriminatorOutput(images.mean((1, 2, 3))),
        *[torch.full((2, 1, 4, 4), 3.0)] * 2,
    )
    assert penalty.penalty(judged, noise()).item() == pytest.approx(9)


def test_drift_needs_logits():
    real = torch.zeros(2, 1, 4, 4)
    said = DiscriminatorOutput(None, reconstruction=real)
    with pytest.raises(UnsupportedError, match="drift needs a discriminator with logits"):
        Drift(DriftConfig()).penalty(Judged(lambda _: said, real, real, said), noise())


# Classes


def test_labelled_data_are_learned_without_their_classes_unless_asked_for():
    def classes(**settings):
        drawn_up = plan("progan", DataChoice("digits"), settings={"image_size": 16, **settings})
        return {role: part.config.classes for role, part in drawn_up.networks.items()}

    assert classes() == {"generator": 0, "discriminator": 0}
    assert classes(classes=10) == {"generator": 10, "discriminator": 10}


def test_with_classes_the_discriminator_names_them_and_both_learn_from_that():
    engine = engine_of(blueprint(classes=3))
    for stage in STAGES:
        within(engine, stage).step()
    engine.check_finite()
    assert {"discriminator/class_real", "discriminator/class_fake", "generator/class_fake"} <= set(
        engine.losses
    )
    generator, discriminator = engine.networks["generator"], engine.networks["discriminator"]
    images = generator(latents(), torch.tensor([0, 1, 2]))
    assert not torch.equal(images, generator(latents(), torch.tensor([1, 1, 2])))
    assert discriminator(images).heads["class"].shape == (3, 3)


# Bad input


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"maps": [8, 8]}, r"maps at 3 sizes, not 2"),
        ({"image_size": 12}, "image_size cannot be 12"),
        ({"trainer.batch_sizes": {"12": 4}}, "doubling from 4 pixels and never have 12"),
        ({"trainer.batch_sizes": {"8": 0}}, r"trainer\.batch_sizes\.8 cannot be 0"),
        ({"trainer.durations": {"2": 4}}, r"trainer\.durations"),
        ({"trainer.duration": 0}, r"trainer\.duration cannot be 0"),
        ({"drift.weight": -1}, r"drift\.weight cannot be -1"),
        ({"trainer.start_size": 5}, r"trainer\.start_size cannot be 5"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        blueprint(**settings)


@pytest.mark.parametrize(
    ("components", "settings", "said"),
    [
        ({}, {"trainer.start_size": 32}, "start_size cannot be 32: the images have 16 pixels"),
        ({}, {"trainer.history": 5}, r"trainer\.history must stay 0"),
    ],
)
def test_trainings_that_cannot_be_are_refused(components, settings, said):
    with pytest.raises(ConfigError, match=said):
        engine_of(blueprint(components, **settings))


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_networks_that_do_not_grow_are_refused(role):
    with pytest.raises(UnsupportedError, match=f"the {role} does not; choose another --{role}"):
        engine_of(blueprint({role: "ganzoo-plugin-dcgan/dcgan"}))


# Published weights


def sample(folder: Path, name: str) -> torch.Tensor:
    found = torch.load(folder / name, weights_only=True)
    return next(iter(found.values()))


@at_hand
@pytest.mark.parametrize("name", ["pgan_zoo_g", "genforce_pggan"])
def test_samples_of_both_projects_answer_as_expected(tmp_path, name):
    model, _ = zoo.convert([SAMPLES / name / "checkpoint.pth"], "progan", tmp_path / "m")
    given, wanted = (sample(SAMPLES / name, each) for each in ("input.pt", "expected.pt"))
    generator = model.networks["generator"]
    with torch.no_grad():
        # In eval mode images are clamped, and the project's are not.
        assert (generator(given) - wanted.clamp(-1, 1)).abs().max() < 1e-4
        assert (generator.train()(given) - wanted).abs().max() < 1e-4
    again = zoo.load(tmp_path / "m")
    assert torch.equal(again.decode(given), generator.eval()(given))


@at_hand
@pytest.mark.parametrize(
    ("name", "size", "recognised"),
    [
        ("pgan_zoo_g", 256, "latents of 512, 256x256 pixels"),
        ("genforce_pggan", 1024, "latents of 512, 1024x1024 pixels"),
    ],
)
def test_the_published_keys_and_shapes_are_read(monkeypatch, name, size, recognised):
    keys = json.loads((SAMPLES / name / "published_keys.json").read_text())
    # A hundred megabytes that say nothing are not written and read again.
    state = {key: torch.zeros(()).expand(shape) for key, (shape, _) in keys.items()}
    content = {"avgG": state} if name == "pgan_zoo_g" else state
    file = AuthorsFile(Path("x.pth"), "torch file", content)
    monkeypatch.setattr(checkpoints, "read_authors_file", lambda _: file)
    weights = checkpoints.read(file.path)
    assert recognised in weights.recognised
    network = draw_up(read_installed(), "progan", dict(weights.settings)).build_networks(
        ["generator"], device="meta"
    )["generator"]
    ours = {key: tensor.shape for key, tensor in network.state_dict().items()}
    assert {key: tensor.shape for key, tensor in weights.networks["generator"].items()} == ours
    assert network.image_shape == (3, size, size)


class Equalized(nn.Module):
    """A layer of pytorch_GAN_zoo: the scale multiplies the bias too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        nn.init.normal_(module.weight)
        nn.init.normal_(module.bias)

    def forward(self, x):
        return self.module(x) * (2 / self.module.weight[0].numel()) ** 0.5


def conv(inputs, outputs, kernel):
    return Equalized(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))


class ZooD(nn.Module):
    """A discriminator in the layout of pytorch_GAN_zoo, 16 pixels."""

    def __init__(self, maps=(8, 6, 4), channels=2) -> None:
        super().__init__()
        self.fromRGBLayers = nn.ModuleList(conv(channels, each, 1) for each in maps)
        self.scaleLayers = nn.ModuleList(
            nn.ModuleList([conv(inputs, inputs, 3), conv(inputs, outputs, 3)])
            for outputs, inputs in itertools.pairwise(maps)
        )
        self.groupScaleZero = nn.ModuleList(
            [conv(maps[0] + 1, maps[0], 3), Equalized(nn.Linear(16 * maps[0], maps[0]))]
        )
        self.decisionLayer = Equalized(nn.Linear(maps[0], 1))

    def forward(self, x, alpha=0.0):
        act = nn.functional.leaky_relu
        y = act(self.fromRGBLayers[-2](nn.functional.avg_pool2d(x, 2)), 0.2)
        x = act(self.fromRGBLayers[-1](x), 0.2)
        for number, layers in enumerate(reversed(self.scaleLayers)):
            for layer in layers:
                x = act(layer(x), 0.2)
            x = nn.functional.avg_pool2d(x, 2)
            if not number:
                x = alpha * y + (1 - alpha) * x
        deviation = x.var(0, correction=1).add(1e-8).sqrt().mean()
        x = torch.cat([x, deviation.expand(len(x), 1, 4, 4)], 1)
        x = act(self.groupScaleZero[0](x), 0.2).flatten(1)
        return self.decisionLayer(act(self.groupScaleZero[1](x), 0.2))


class ZooG(nn.Module):
    """A generator in the layout of pytorch_GAN_zoo, 16 pixels."""

    def __init__(self, maps=(8, 6, 4), channels=2, inputs=5) -> None:
        super().__init__()
        self.formatLayer = Equalized(nn.Linear(inputs, 16 * maps[0]))
        self.groupScale0 = nn.ModuleList([conv(maps[0], maps[0], 3)])
        self.scaleLayers = nn.ModuleList(
            nn.ModuleList([conv(inputs, outputs, 3), conv(outputs, outputs, 3)])
            for inputs, outputs in itertools.pairwise(maps)
        )
        self.toRGBLayers = nn.ModuleList(conv(each, channels, 1) for each in maps)

    def forward(self, x, alpha=0.0):
        def normalized(a):
            return a * (a.square().mean(1, keepdim=True) + 1e-8).rsqrt()

        def act(a):
            return normalized(nn.functional.leaky_relu(a, 0.2))

        x = act(self.formatLayer(normalized(x)).view(len(x), -1, 4, 4))
        x = act(self.groupScale0[0](x))
        for layers in self.scaleLayers:
            below, x = x, nn.functional.interpolate(x, scale_factor=2)
            for layer in layers:
                x = act(layer(x))
        y = nn.functional.interpolate(self.toRGBLayers[-2](below), scale_factor=2)
        return alpha * y + (1 - alpha) * self.toRGBLayers[-1](x)


class Settings:
    """What stands for pytorch_GAN_zoo's pickled config."""


def zoo_file(path: Path, **about) -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = ZooG(), ZooD()
    config = Settings()
    config.__dict__ |= {"alpha": 0, "categoryVectorDim": 0, **about}
    state = {"config": config, "netG": ZooG().state_dict(), "netD": discriminator.state_dict()}
    torch.save(state | {"avgG": generator.state_dict()}, path)
    return generator, discriminator


@pytest.mark.parametrize("alpha", [0, 0.25])
def test_both_networks_of_one_file_answer_as_the_project_does_also_while_fading_in(tmp_path, alpha):
    theirs = zoo_file(tmp_path / "x.pth", alpha=alpha)
    model, said = zoo.convert([tmp_path / "x.pth"], "progan", tmp_path / "m")
    assert "generator with latents of 5 and discriminator, 16x16 pixels, 2 channels" in said[0]
    images = random_images(4, (2, 16, 16))
    given = latents(4, 5)
    generator, discriminator = model.networks["generator"].train(), model.networks["discriminator"]
    with torch.no_grad():
        torch.testing.assert_close(generator(given), theirs[0](given, alpha), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            discriminator(images).logits, theirs[1](images, alpha)[:, 0], atol=1e-4, rtol=0
        )


def test_a_generator_of_classes_is_read_and_its_discriminator_left_out(tmp_path):
    generator, _ = zoo_file(tmp_path / "x.pth", categoryVectorDim=2)
    model, said = zoo.convert([tmp_path / "x.pth"], "progan", tmp_path / "m")
    assert "latents of 3 and 2 classes" in said[0]
    assert list(model.networks) == ["generator"]
    given, labels = latents(4, 3), torch.tensor([0, 1, 1, 0])
    joined = torch.cat([given, nn.functional.one_hot(labels, 2)], 1)
    with torch.no_grad():
        found = model.networks["generator"].train()(given, labels)
        torch.testing.assert_close(found, generator(joined), atol=1e-4, rtol=0)


def genforce(network: nn.Module) -> dict[str, torch.Tensor]:
    """Write our network in genforce's layout."""
    state, theirs = network.state_dict(), {"lod": network.lod.clone()}
    top = len(network.blocks) - 1
    if hasattr(network, "to_image"):
        spread = state["blocks.0.spread.weight"]
        kernels = spread.view(-1, 4, 4, spread.shape[1]).permute(0, 3, 1, 2).flip(2, 3)
        theirs |= {"layer0.weight": kernels, "layer0.bias": state["blocks.0.spread.bias"][::16]}
        names = {"layer1": "blocks.0.convolve"}
        for level in range(top + 1):
            names[f"output{level}"] = f"to_image.{level}"
            if level:
                names |= {f"layer{2 * level}": f"blocks.{level}.first"}
                names |= {f"layer{2 * level + 1}": f"blocks.{level}.second"}
    else:
        names = {"output": "to_logits"}
        for level in range(top + 1):
            place = top - level
            first, second = ("first", "second") if level else ("convolve", "gather")
            names |= {f"input{place}": f"from_image.{level}"}
            names |= {f"layer{2 * place}": f"blocks.{level}.{first}"}
            names |= {f"layer{2 * place + 1}": f"blocks.{level}.{second}"}
    for name, ours in names.items():
        for part in ("weight", "bias"):
            theirs[f"{name}.{part}"] = state[f"{ours}.{part}"].clone()
    return theirs


@pytest.mark.parametrize("nested", [False, True])
def test_generator_and_discriminator_of_genforce_are_read_under_their_names(tmp_path, nested):
    generator, discriminator = networks(capacity=64, **{"discriminator.group": 16})
    generator.grow_to(0.5)
    content = {
        "generator": genforce(networks(capacity=64)[0]),
        "generator_smooth": genforce(generator),
        "discriminator": genforce(discriminator),
    }
    torch.save(
        {"models": content, "running_metadata": {}} if nested else content, tmp_path / "x.pth"
    )
    model, _ = zoo.convert([tmp_path / "x.pth"], "progan", tmp_path / "m")
    for role, wanted in (("generator", generator), ("discriminator", discriminator)):
        found = model.networks[role].state_dict()
        assert found.keys() == wanted.state_dict().keys()
        for key, tensor in wanted.state_dict().items():
            if key != "blocks.0.spread.bias":  # which theirs has once for all places
                assert torch.equal(found[key], tensor), key


def test_fused_enlarging_is_known_by_its_shapes(tmp_path):
    generator, _ = networks(capacity=64)
    state = genforce(generator)
    plain = zoo_of(tmp_path, "plain", state)
    for level in (1, 2):
        state[f"layer{2 * level}.weight"] = (
            state[f"layer{2 * level}.weight"].transpose(0, 1).flip(2, 3)
        )
    fused = zoo_of(tmp_path, "fused", state)
    assert torch.equal(fused.decode(latents()), plain.decode(latents()))


def zoo_of(folder: Path, name: str, state: dict[str, torch.Tensor]) -> Model:
    torch.save(state, folder / f"{name}.pth")
    return zoo.convert([folder / f"{name}.pth"], "progan", folder / name)[0]


def test_a_transposed_convolution_is_an_enlarging_one_turned_round():
    """What the reading of fused layers rests on, beside PyTorch's own operation."""
    weight, given = noise(1).normal(3, 5, 3, 3), noise(2).normal(2, 3, 4, 4)
    padded = nn.functional.pad(weight, (1, 1, 1, 1))
    fused = (
        padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]
    )
    theirs = nn.functional.conv_transpose2d(given, fused, stride=2, padding=1)
    ours = nn.functional.conv2d(enlarged(given), weight.transpose(0, 1).flip(2, 3), padding=1)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda state: state.pop("layer3.bias"), r"layer3\.bias is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "it has extra beside"),
        (lambda state: state.pop("output1.weight"), r"images at the sizes \[0, 2\]"),
        (
            lambda state: state.update(lod=torch.tensor(3.0)),
            "the buffer lod is 3, and images of 16",
        ),
    ],
)
def test_a_file_that_lacks_layers_or_has_others_is_refused(tmp_path, spoil, said):
    state = genforce(networks(capacity=64)[0])
    spoil(state)
    with pytest.raises(CheckpointError, match=said):
        zoo_of(tmp_path, "x", state)


@pytest.mark.parametrize("content", [{}, {"weight": torch.zeros(2)}, [1, 2], {"models": {}}])
def test_other_files_are_refused_in_one_sentence(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"no ProGAN in the layout of|no named tensors"):
        zoo.convert([tmp_path / "x.pth"], "progan", tmp_path / "m")


def test_a_discriminator_alone_is_not_enough_for_a_model(tmp_path):
    _, discriminator = networks(capacity=64)
    with pytest.raises(CheckpointError, match="the generator of progan is in none of these files"):
        zoo_of(tmp_path, "x", genforce(discriminator))


def test_genforces_generators_of_classes_are_refused(tmp_path):
    generator, discriminator = networks(capacity=64, classes=2)
    content = {"generator": genforce(generator), "discriminator": genforce(discriminator)}
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="takes classes"):
        zoo.convert([tmp_path / "x.pth"], "progan", tmp_path / "m")
