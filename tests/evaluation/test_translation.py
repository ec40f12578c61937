"""Translations held against the counterparts of paired data."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_plugins import FakePlugins, GanzooHere, entry, manifest
from PIL import Image

import ganzoo_core
from ganzoo_core import Model
from ganzoo_core.errors import GanzooError

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from pydantic import Field
    from ganzoo_core.components import Config

    class Settings(Config):
        image_size: int = Field(default=16, ge=1)
        channels: int = Field(default=1, ge=1)

    return Settings


@hookimpl
def ganzoo_generator(component, config):
    import torch
    from ganzoo_core.components import NoisyModule, Translator

    class Noise(NoisyModule):
        def forward(self, images):
            return images + 0.1 * self.drawn_from().uniform(*images.shape)

    class Toy(Translator):
        def __init__(self):
            super().__init__()
            self.image_shape = (config.channels, config.image_size, config.image_size)
            self.sign = torch.nn.Parameter(torch.tensor(1.0 if component == "same" else -1.0))
            self.noise = Noise() if component == "noisy" else torch.nn.Identity()

        def forward(self, latents, labels=None):
            return self.noise(latents * self.sign)

    return Toy()
"""


def install(plugins: FakePlugins, **roles: str) -> Model:
    networks = {role: {"kind": "generator", "component": name} for role, name in roles.items()}
    trainer = "ganzoo-plugin-gan/adversarial"
    recipe = {"networks": networks, "trainer": trainer, "inference": list(roles)}
    variant = entry(recipe=recipe, verbs=["translate"], task="image-to-image")
    names = [{"name": name, "summary": name} for name in ("same", "negative", "noisy")]
    plugins.install(content=manifest(variant, generators=names), hooks=HOOKS)
    return ganzoo_core.create("toy")


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    """Images beside their negatives."""
    (tmp_path / "pairs").mkdir()
    generator = np.random.default_rng(0)
    for number in range(70):
        left = generator.integers(0, 256, (16, 16), np.uint8)
        picture = np.concatenate([left, 255 - left], axis=1)
        Image.fromarray(picture).save(tmp_path / "pairs" / f"{number}.png")
    return f"paired:{tmp_path / 'pairs'}"


def measured(model: Model, data: str, **options: int) -> dict[str, float]:
    results = ganzoo_core.evaluate(model, data, write=False, **options).results
    return {result.metric: result.value for result in results}


def test_a_perfect_translation_has_no_error_and_the_wrong_one_the_pairs_own(
    ganzoo_here: GanzooHere, plugins: FakePlugins, pairs: str
) -> None:
    found = measured(install(plugins, ab="negative", ba="same"), pairs)
    assert found["translation L1 ab"] == pytest.approx(0, abs=1e-6)
    assert found["translation PSNR ab"] == pytest.approx(100)
    assert found["translation SSIM ab"] == pytest.approx(1)
    # The mean of |255 - 2 v| / 255 over all v is one half, of its square a third.
    assert found["translation L1 ba"] == pytest.approx(0.5, abs=0.01)
    assert found["translation PSNR ba"] == pytest.approx(4.77, abs=0.2)
    assert found["translation SSIM ba"] < 0.9


def test_noise_is_that_of_the_seed_and_not_of_the_batch_size(
    ganzoo_here: GanzooHere, plugins: FakePlugins, pairs: str
) -> None:
    model = install(plugins, ab="noisy")
    first = measured(model, pairs, batch_size=7)
    assert first == pytest.approx(measured(model, pairs, batch_size=64))
    assert first["translation L1 ab"] != measured(model, pairs, seed=1)["translation L1 ab"]
    assert not any(name.endswith("ba") for name in first)


def test_the_model_folder_keeps_the_numbers(
    ganzoo_here: GanzooHere, plugins: FakePlugins, pairs: str, tmp_path: Path
) -> None:
    install(plugins, ab="negative").save(tmp_path / "m")
    answer = ganzoo_here("evaluate", "m", "--data", pairs, "--metrics", "translation-l1")
    assert answer.code == 0, answer
    kept = json.loads((tmp_path / "m" / "evaluation.json").read_text())
    assert [result["metric"] for result in kept["results"]] == ["translation L1 ab"]


def test_unpaired_data_tell_no_truth(
    ganzoo_here: GanzooHere, plugins: FakePlugins, pairs: str
) -> None:
    model = install(plugins, ab="same")
    folder = pairs.removeprefix("paired:")
    for metrics in (None, ["translation-psnr"]):
        with pytest.raises(GanzooError, match="has no pairs, which tell how far"):
            ganzoo_core.evaluate(model, f"unpaired:{folder}:{folder}", metrics=metrics, write=False)


def test_a_model_that_does_not_translate_is_not_measured_by_translations(pairs: str) -> None:
    model = ganzoo_core.create("gan")
    with pytest.raises(GanzooError, match="translation-l1"):
        ganzoo_core.evaluate(model, pairs, metrics=["translation-l1"], write=False)
    assert torch.is_tensor(model.sample(1))
