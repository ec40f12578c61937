"""Penalties and constraints beside any loss: named, composed, removed, recorded and resumed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_plugins import FakePlugins, GanzooHere, entry, manifest
from safetensors.torch import load_file

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from pydantic import Field
    from ganzoo_core.components import Config
    from ganzoo_plugin_gan.config import MLPGeneratorConfig

    class Settings(Config):
        weight: float = Field(default=1.0, ge=0)

    return MLPGeneratorConfig if component.startswith("generator") else Settings


@hookimpl
def ganzoo_generator(component, config):
    from ganzoo_plugin_gan.networks import MLPGenerator

    return MLPGenerator(config)


@hookimpl
def ganzoo_regularizer(component, config):
    from ganzoo_core.components import Regularizer

    class Logits(Regularizer):
        passes = 3.0

        def penalty(self, judged, noise):
            return config.weight * judged.judge(judged.real).logits.square().mean()

    class Narrow(Regularizer):
        def constrain(self, discriminator):
            for weight in discriminator.parameters():
                weight.data.clamp_(-config.weight, config.weight)

    return Logits() if component == "logits" else Narrow()
"""
COMPONENTS = {
    "generators": [{"name": "toy", "summary": "a toy"}],
    "regularizers": [
        {"name": "logits", "summary": "small logits"},
        {"name": "narrow", "summary": "small weights"},
    ],
}
SMALL = (
    *("--steps", "3", "--batch-size", "8", "--image-size", "8"),
    *("--set", "generator.width=16", "--set", "discriminator.width=8"),
)


@pytest.fixture
def toy(ganzoo_here: GanzooHere, plugins: FakePlugins) -> GanzooHere:
    recipe = entry()["recipe"] | {"regularizers": ["logits"]}
    variant = entry(recipe=recipe, defaults={"logits.weight": 0.5})
    plugins.install(content=manifest(variant, **COMPONENTS), hooks=HOOKS)
    return ganzoo_here


def planned(toy: GanzooHere, *arguments: str) -> dict[str, Any]:
    answer = toy("train", "toy", "--dry-run", "--json", *arguments)
    assert answer.code == 0, answer.err
    parts: dict[str, Any] = answer.json["components"]
    return {name: its["config"] for name, its in parts.items() if its["kind"] == "regularizer"}


def test_the_recipes_regulariser_has_settings_under_its_own_name(toy: GanzooHere) -> None:
    assert planned(toy) == {"logits": {"weight": 0.5}}
    assert planned(toy, "--set", "logits.weight=2") == {"logits": {"weight": 2}}


def test_others_take_its_place_and_several_compose(toy: GanzooHere) -> None:
    assert planned(toy, "--regularizer", "narrow") == {"narrow": {"weight": 1}}
    both = planned(toy, "--regularizer", "logits,narrow", "--set", "narrow.weight=0.01")
    assert both == {"logits": {"weight": 0.5}, "narrow": {"weight": 0.01}}


def test_none_removes_it_and_what_the_recipe_set_for_it(toy: GanzooHere) -> None:
    assert planned(toy, "--regularizer", "none") == {}


def test_any_variant_takes_one(toy: GanzooHere) -> None:
    answer = toy("train", "gan", "--regularizer", "logits", "--dry-run", "--json")
    assert answer.json["components"]["logits"]["component"] == "somebodys-toy/logits"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--regularizer", "logit"), "did you mean 'logits'"),
        (("--regularizer", "logits,logits"), "two parts"),
        (("--regularizer", "none", "--set", "logits.weight=1"), "logits.weight"),
        (("--set", "logits.weight=-1"), "logits.weight cannot be -1"),
        (("--set", "logits.height=1"), "logits.height"),
    ],
)
def test_mistakes_are_one_sentence(toy: GanzooHere, arguments: tuple[str, ...], said: str) -> None:
    toy("train", "toy", "--dry-run", *arguments).is_one_sentence(said)


def test_a_run_records_them_and_goes_on_with_them(toy: GanzooHere, tmp_path: Path) -> None:
    chosen = ("--regularizer", "logits,narrow", "--set", "narrow.weight=0.001")
    answer = toy("train", "toy", *SMALL, *chosen, "--out", "run", "--json")
    assert answer.code == 0, answer.err
    answer = toy("train", "--resume", "run", "--set", "training.steps=5", "--json")
    assert answer.code == 0, answer.err
    assert "discriminator/logits" in answer.json["last"]["losses"]
    newest = tmp_path / "run" / "checkpoints" / "step-00000005"
    tensors: dict[str, torch.Tensor] = {}
    for file in newest.glob("*.safetensors"):
        tensors |= load_file(file)
    weights = {n: t for n, t in tensors.items() if n.startswith("networks/discriminator/")}
    assert weights
    assert all(float(weight.abs().max()) < 0.0010001 for weight in weights.values())


def test_without_a_loss_there_is_nothing_to_go_beside(
    ganzoo_here: GanzooHere, plugins: FakePlugins
) -> None:
    recipe = {key: its for key, its in entry()["recipe"].items() if key != "loss"}
    plugins.install(content=manifest(entry(recipe=recipe), **COMPONENTS), hooks=HOOKS)
    answer = ganzoo_here("train", "toy", "--regularizer", "narrow", "--dry-run")
    answer.is_one_sentence("unknown part 'regularizer'")
