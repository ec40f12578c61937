"""Comparisons of tiny networks on real digits, with a plugin whose trainings are in trouble."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import FakePlugins, entry, manifest

HOOKS = """
import os
import signal
from pathlib import Path

from ganzoo_core.components import Config, Generator
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.plugins import hookimpl
from ganzoo_plugin_gan.config import AdversarialConfig, MLPGeneratorConfig
from ganzoo_plugin_gan.networks import MLPGenerator
from ganzoo_plugin_gan.trainer import AdversarialTrainer


class TroubledConfig(AdversarialConfig):
    trouble: str = ""
    at: int = 2
    who: str = "trouble"
    times: int = 1


class TroubledTrainer(AdversarialTrainer):
    '''At step `at`, for the first `times` times, as files named after `who` count them.'''

    def loss(self, phase, batch, step):
        losses = super().loss(phase, batch, step)
        if phase.name == "generator" and step.progress.step + 1 == self.config.at:
            before = len(list(Path().glob(f"{self.config.who}-*")))
            if self.config.trouble and before < self.config.times:
                Path(f"{self.config.who}-{before}").touch()
                return self.in_trouble(losses)
        return losses

    def in_trouble(self, losses):
        match self.config.trouble:
            case "nan":
                return type(losses)(losses.total * float("nan"), losses.parts)
            case "raise":
                raise ZeroDivisionError("there is nothing to divide by")
            case "interrupt":
                os.kill(os.getpid(), signal.SIGINT)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        return losses


class PickyTrainer(AdversarialTrainer):
    def __init__(self, config, parts):
        super().__init__(config, parts)
        if type(self.discriminator).__name__ != "MaxoutDiscriminator":
            raise UnsupportedError("the picky trainer takes maxout discriminators only")


class BrokenGenerator(MLPGenerator):
    '''Draws what is no number, as long as it does not learn.'''

    def forward(self, latents, labels=None):
        images = super().forward(latents, labels)
        moved = bool((self.layers[0].bias != 0).any())  # fresh ones, on which metrics are tried
        return images if self.training or not moved else images * float("nan")


@hookimpl
def ganzoo_config(component):
    return {
        "generator/toy": MLPGeneratorConfig,
        "generator/broken": MLPGeneratorConfig,
        "trainer/troubled": TroubledConfig,
        "trainer/picky": AdversarialConfig,
    }[component]


@hookimpl
def ganzoo_generator(component, config):
    return BrokenGenerator(config) if component == "broken" else MLPGenerator(config)


@hookimpl
def ganzoo_trainer(component, config, parts):
    trainer = TroubledTrainer if component == "troubled" else PickyTrainer
    return trainer(config, parts)
"""

TINY: dict[str, Any] = {
    "generator.width": 16,
    "discriminator.width": 8,
    "latent_size": 4,
    "training.batch_size": 8,
}
"""Settings that every variant here has."""


def variant(name: str, **recipe: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(entry()["recipe"])) | recipe
    return entry(name=name, recipe=changed)


@pytest.fixture
def troubled(plugins: FakePlugins) -> FakePlugins:
    """Install variants `troubled`, `unlucky` (killed once), `doomed`, `picky` and `broken`."""
    killed = {"trainer.trouble": "kill", "trainer.at": 3}
    broken = {
        **entry()["recipe"]["networks"],
        "generator": {"kind": "generator", "component": "broken"},
    }
    named = [{"name": name, "summary": "a toy"} for name in ("troubled", "picky")]
    content = manifest(
        variant("troubled", trainer="troubled"),
        variant("unlucky", trainer="troubled") | {"defaults": {**killed, "trainer.who": "unlucky"}},
        variant("doomed", trainer="troubled")
        | {"defaults": {**killed, "trainer.who": "doomed", "trainer.times": 9}},
        variant("picky", trainer="picky"),
        variant("broken", networks=broken),
        generators=[{"name": "toy", "summary": "a toy"}, {"name": "broken", "summary": "a toy"}],
        trainers=named,
    )
    plugins.install("somebodys-toys", content, hooks=HOOKS)
    return plugins


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Arguments of `compare` for networks of a few units and a few steps."""

    def arguments(**changes: Any) -> dict[str, Any]:
        settings = TINY | changes.pop("settings", {})
        return {
            "budget": "4steps",
            "seeds": 2,
            "out": tmp_path / "out",
            "settings": settings,
            "metrics": ["fid"],
            "count": 8,
            "evaluations": 2,
            "device": "cpu",
            **changes,
        }

    return arguments
