import pytest
import torch
from ganzoo_plugin_denoising_autoencoder.config import CorruptionConfig
from ganzoo_plugin_denoising_autoencoder.corruption import corrupted
from ganzoo_plugin_denoising_autoencoder.networks import StackedEncoder
from ganzoo_plugin_denoising_autoencoder.trainer import StackedTrainer
from pydantic import ValidationError
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import Batch, ImageNoise, JointNoise, Progress, Step
from ganzoo_core.errors import ConfigError, DataError, UnsupportedError
from ganzoo_core.evaluation.latent import draw_latent
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.passes import count_passes
from ganzoo_core.testing.subjects import engine_of

KINDS = ("masking", "gaussian", "salt-and-pepper")
STACK = {"image_size": 8, "channels": 1, "classes": 3, "width": 24, "layers": 3} | {
    "training.batch_size": 16,
    "trainer.pretraining": {"name": "adam", "lr": 3e-3},
    "trainer.finetuning": {"name": "adam", "lr": 3e-3},
}


@parametrize_with_checks("ganzoo-plugin-denoising-autoencoder")
def test_conformance(check):
    check()


def noise(seed=0):
    return JointNoise(torch.Generator().manual_seed(seed))


def grey(count=50, *shape):
    """Return numbers of which none is 0 or 1."""
    generator = torch.Generator().manual_seed(7)
    return torch.rand(count, *(shape or (1, 10, 10)), generator=generator) * 0.8 + 0.1


@pytest.mark.parametrize(
    ("level", "expected"), [(0, 0), (0.1, 10), (0.25, 25), (0.333, 33), (1, 100)]
)
def test_masking_spoils_exactly_its_share_of_each_image_and_no_more(level, expected):
    clean = grey()
    spoilt = corrupted(clean, CorruptionConfig(level=level), noise())
    changed = (spoilt != clean).flatten(1)
    assert changed.sum(1).tolist() == [expected] * 50
    assert (spoilt.flatten(1)[changed] == 0).all()


def test_every_pixel_is_masked_as_often_as_another():
    spoilt = corrupted(grey(4000, 10), CorruptionConfig(level=0.3), noise())
    assert (spoilt == 0).float().mean(0).tolist() == pytest.approx([0.3] * 10, abs=0.03)


def test_salt_and_pepper_are_black_or_white_as_a_coin_falls():
    clean = grey(500)
    spoilt = corrupted(clean, CorruptionConfig(corruption="salt-and-pepper", level=0.4), noise())
    changed = (spoilt != clean).flatten(1)
    assert changed.sum(1).tolist() == [40] * 500
    new = spoilt.flatten(1)[changed]
    assert set(new.tolist()) == {0.0, 1.0}
    assert new.mean().item() == pytest.approx(0.5, abs=0.02)


def test_gaussian_noise_has_the_deviation_that_it_is_given():
    clean = grey(500)
    away = corrupted(clean, CorruptionConfig(corruption="gaussian", level=0.3), noise()) - clean
    assert away.mean().item() == pytest.approx(0, abs=0.01)
    assert away.std().item() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_spoiling_follows_from_the_noise_and_leaves_the_clean_images(kind):
    clean = grey()
    before = clean.clone()
    config = CorruptionConfig(corruption=kind)
    first, again, other = (corrupted(clean, config, noise(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(clean, before)
    assert first.shape == clean.shape


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_spoilt_the_same_in_any_batch(kind):
    clean, config = grey(6), CorruptionConfig(corruption=kind)
    whole = corrupted(clean, config, ImageNoise(3, range(6)))
    part = corrupted(clean[2:4], config, ImageNoise(3, range(2, 4)))
    assert torch.equal(whole[2:4], part)


def test_images_that_lie_channels_last_are_spoilt_the_same():
    clean = grey(4, 3, 6, 6)
    beside = clean.to(memory_format=torch.channels_last)
    config = CorruptionConfig()
    assert torch.equal(corrupted(clean, config, noise()), corrupted(beside, config, noise()))
    assert torch.equal(clean, beside)


@pytest.mark.parametrize("kind", ["masking", "salt-and-pepper"])
def test_a_share_above_1_is_refused(kind):
    with pytest.raises(ValidationError, match="at most 1"):
        CorruptionConfig(corruption=kind, level=1.5)
    assert CorruptionConfig(corruption="gaussian", level=1.5).level == 1.5


def test_masked_pixels_are_black_on_the_zoo_s_scale():
    model = zoo.create("denoising-autoencoder", image_size=10, channels=1, latent_size=8)
    white = torch.ones(3, 1, 10, 10)
    spoilt = model.encoder().corrupt(white, noise())
    assert sorted(set(spoilt.flatten().tolist())) == [-1.0, 1.0]
    assert (spoilt == -1).flatten(1).sum(1).tolist() == [25] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_training_mends_what_is_spoilt(kind):
    settings = {"image_size": 8, "channels": 1, "latent_size": 64, "training.batch_size": 32}
    settings |= {"trainer.optimizer.lr": 1e-2, "encoder.corruption": kind}
    engine = engine_of(draw_up(read_installed(), "denoising-autoencoder", settings))
    for _ in range(150):
        engine.step()
    encoder, decoder = engine.networks["encoder"], engine.networks["decoder"]
    clean = engine.batches.draw(0).images
    spoilt = encoder.corrupt(clean, noise(5))
    with torch.no_grad():
        mended = decoder(encoder(spoilt).mean)
    assert (mended - clean).square().mean() < 0.5 * (spoilt - clean).square().mean()


def test_convolutions_can_denoise():
    parts = {"encoder": "denoising-convolutional", "decoder": "autoencoder-convolutional"}
    settings = {"image_size": 16, "channels": 3, "latent_size": 6, "width": 4}
    settings |= {"training.batch_size": 4}
    engine = engine_of(
        draw_up(read_installed(), "denoising-autoencoder", settings, components=parts)
    )
    engine.step()
    assert engine.networks["encoder"].denoises
    assert engine.losses["reconstruction"].isfinite()


def test_spoilt_mended_and_clean_images_are_drawn(tmp_path):
    model = zoo.create("denoising-autoencoder", image_size=8, channels=1, latent_size=8)
    drawn = draw_latent(model, tmp_path, pictures=["denoised"], data="digits")
    assert drawn["denoised"].stat().st_size > 100


def stack_engine(steps=60, **settings):
    return engine_of(
        draw_up(
            read_installed(),
            "stacked-denoising-autoencoder",
            {**STACK, "training.steps": steps, **settings},
        )
    )


def weights(engine):
    return {
        f"{role}.{name}": weight.detach().clone()
        for role, network in engine.networks.items()
        for name, weight in network.named_parameters()
    }


def test_a_stage_for_each_layer_and_the_fine_tuning_last():
    names = [stage.name for stage in stack_engine().stages]
    assert names == ["layer-1", "layer-2", "layer-3", "fine-tuning"]


def test_each_stage_moves_its_layer_and_leaves_all_others_bit_for_bit():
    engine = stack_engine()
    for number in range(3):
        assert engine.stage.name == f"layer-{number + 1}"
        before = weights(engine)
        for _ in range(10):
            engine.step()
        after = weights(engine)
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        assert moved == {
            f"encoder.layers.{number}.0.weight",
            f"encoder.layers.{number}.0.bias",
            f"decoder.layers.{number}.weight",
            f"decoder.layers.{number}.bias",
        }
    before = weights(engine)
    engine.step()
    engine.step()
    after = weights(engine)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("encoder.")}


def test_a_layer_learns_from_spoilt_codes_of_clean_images():
    engine = stack_engine()
    encoder, decoder = engine.networks["encoder"], engine.networks["decoder"]
    shown = engine.batches.draw(0)
    phase = engine.stages[1].phases[0]
    found = engine.trainer.loss(phase, shown, Step(noise(4), Progress(0, 1, 0.0), "layer-2"))
    clean = encoder.layers[0]((shown.images.flatten(1) + 1) / 2)
    spoilt = corrupted(clean, encoder.config, noise(4))
    assert (spoilt == 0).sum(1).tolist() == [6] * 16
    z = decoder.layers[1](encoder.layers[1](spoilt)).sigmoid()
    by_hand = -(clean * z.log() + (1 - clean) * (1 - z).log()).sum(1).mean()
    assert found.total.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_each_stage_lowers_its_own_error():
    engine = stack_engine(steps=240)
    seen = {}
    for _ in range(240):
        name = engine.stage.name
        engine.step()
        seen.setdefault(name, []).append(engine.losses[name].item())
    for name, losses in seen.items():
        assert sum(losses[-5:]) < 0.95 * sum(losses[:5]), name


def test_the_classifier_s_stage_lowers_the_error_and_names_the_classes():
    engine = stack_engine(steps=240, **{"width": 64, "trainer.finetuning.lr": 0.01})
    batch = engine.batches.draw(0)

    def error():
        with torch.no_grad():
            logits = engine.networks["encoder"](batch.images).logits
        return (logits.argmax(1) != batch.labels).float().mean().item()

    while engine.stage.name != "fine-tuning":
        engine.step()
    before = error()
    for _ in range(120):
        engine.step()
    assert before > 0.5
    assert error() < 0.2


def test_a_step_costs_the_layer_that_learns_and_passes_once_through_those_below():
    engine = stack_engine()
    assert count_passes(engine) == pytest.approx({"encoder": 2, "decoder": 3}, rel=0.02)
    while engine.stage.name != "layer-3":
        engine.step()
    # Forward and the gradient of its own weights, which is all that the third layer costs either.
    assert count_passes(engine) == pytest.approx({"encoder": 2, "decoder": 3}, rel=0.02)


def test_the_paper_s_network():
    networks = draw_up(
        read_installed(), "stacked-denoising-autoencoder", {"classes": 10}
    ).build_networks(device="meta")
    units = [w.shape[0] for w in networks["encoder"].parameters() if w.dim() > 1]
    assert units == [1000, 1000, 1000, 10]
    kinds = [type(layer) for layer in networks["encoder"].layers[0]]
    assert kinds == [nn.Linear, nn.Sigmoid]


def test_a_trained_stack_is_kept_and_classifies(tmp_path):
    settings = {"image_size": 8, "channels": 1, "classes": 10, "width": 8}
    model = zoo.create("stacked-denoising-autoencoder", **settings)
    assert set(model.verbs) == {"encode", "classify"}
    loaded = zoo.load(str(model.save(tmp_path / "model")))
    shown = torch.rand(4, 1, 8, 8) * 2 - 1
    probable = loaded.classify(shown)
    assert probable.shape == (4, 10)
    assert probable.sum(1).tolist() == pytest.approx([1.0] * 4)
    assert torch.equal(loaded.encode(shown), model.encode(shown))


def test_without_classes_the_training_ends_with_the_last_layer():
    engine = stack_engine(classes=0)
    assert [stage.name for stage in engine.stages] == ["layer-1", "layer-2", "layer-3"]
    encoder = engine.networks["encoder"]
    assert isinstance(encoder, StackedEncoder)
    assert encoder(engine.batches.draw(0).images).logits is None


def test_fine_tuning_without_labels_is_one_sentence():
    engine = stack_engine()
    phase = engine.stages[-1].phases[0]
    batch = Batch(engine.batches.draw(0).images)
    with pytest.raises(DataError, match=r"encoder\.classes=0"):
        engine.trainer.loss(phase, batch, Step(noise(), Progress(0, 1, 0.0), "fine-tuning"))


def test_a_stack_is_trained_with_decoders_of_its_own():
    parts = {"decoder": "autoencoder-mlp"}
    blueprint = draw_up(
        read_installed(), "stacked-denoising-autoencoder", {"image_size": 8}, components=parts
    )
    with pytest.raises(UnsupportedError, match="denoising-autoencoder"):
        blueprint.build_trainer(blueprint.build_networks())
    sizes = {**STACK, "decoder.width": 12}
    blueprint = draw_up(read_installed(), "stacked-denoising-autoencoder", sizes)
    with pytest.raises(ConfigError, match="width and layers"):
        blueprint.build_trainer(blueprint.build_networks())


def test_the_trainer_of_the_stack_is_the_plugin_s():
    assert isinstance(stack_engine().trainer, StackedTrainer)


@pytest.mark.parametrize(
    "setting",
    [
        {"encoder.corruption": "blur"},
        {"encoder.level": -0.1},
        {"encoder.level": 1.1},
        {"layers": 0},
        {"trainer.layer_share": 0},
    ],
)
def test_nonsense_is_refused(setting):
    with pytest.raises(ConfigError):
        draw_up(read_installed(), "stacked-denoising-autoencoder", setting)


def test_the_card_of_a_classifier_shows_how_to_classify(tmp_path):
    model = zoo.create("stacked-denoising-autoencoder", image_size=8, classes=3)
    card = (model.save(tmp_path / "m") / "README.md").read_text()
    assert "model.classify(images)" in card
    assert "ganzoo sample" not in card
