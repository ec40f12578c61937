"""Asking a model for classes, and setting named parts of its latent."""

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
        image_size: int = Field(default=4, ge=1)
        channels: int = Field(default=1, ge=1)
        classes: int = Field(default=CLASSES, ge=0)

    return Settings


@hookimpl
def ganzoo_generator(component, config):
    import torch
    from ganzoo_core.components import Generator, LatentCode

    class Shades(Generator):
        # An image's first row shows its label, the second its category, the third its slant.
        def __init__(self):
            super().__init__()
            self.latent_shape = (5,)
            self.image_shape = (1, config.image_size, config.image_size)
            self.classes = config.classes
            self.codes = CODES
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, latents, labels=None):
            images = torch.zeros(len(latents), *self.image_shape) * self.weight
            if labels is not None:
                images[:, 0, 0] = (labels / 10)[:, None]
            images[:, 0, 1] = (latents[:, :3].argmax(1) / 10)[:, None]
            images[:, 0, 2] = (latents[:, 3] / 10).clamp(-1, 1)[:, None]
            images[:, 0, 3] = latents[:, 4:].tanh()
            return images

    return Shades()
"""
CODES = "{'c1': LatentCode(0, 3, categorical=True), 'c2': LatentCode(3)}"


@pytest.fixture
def model(ganzoo_here: GanzooHere, plugins: FakePlugins, request: pytest.FixtureRequest) -> Model:
    classes, codes = getattr(request, "param", (4, CODES))
    hooks = HOOKS.replace("CLASSES", str(classes)).replace("CODES", codes)
    recipe = {
        "networks": {"generator": {"kind": "generator", "component": "toy"}},
        "trainer": "ganzoo-plugin-gan/adversarial",
        "inference": ["generator"],
    }
    plugins.install(content=manifest(entry(recipe=recipe)), hooks=hooks)
    return ganzoo_core.create("toy")


UNCONDITIONAL = pytest.mark.parametrize("model", [(0, "{}")], indirect=True)


def labels_of(images: torch.Tensor) -> list[int]:
    return [round(float(image[0, 0, 0]) * 10) for image in images]


def categories_of(images: torch.Tensor) -> list[int]:
    return [round(float(image[0, 1, 0]) * 10) for image in images]


def slants_of(images: torch.Tensor) -> list[float]:
    return [round(float(image[0, 2, 0]) * 10, 3) for image in images]


def test_the_classes_come_in_turn_unless_asked(model: Model) -> None:
    assert labels_of(model.sample(6, batch_size=4)) == [0, 1, 2, 3, 0, 1]


def test_one_class_for_all_or_one_for_each(model: Model) -> None:
    assert labels_of(model.sample(3, labels=2)) == [2, 2, 2]
    assert labels_of(model.sample(3, labels=[3, 0, 1], batch_size=2)) == [3, 0, 1]
    assert labels_of(model.decode(torch.zeros(2, 5), labels=[1, 3])) == [1, 3]


def test_the_class_does_not_change_the_latent(model: Model) -> None:
    one, other = model.sample(5, labels=1), model.sample(5, labels=2)
    assert torch.equal(one[:, :, 1:], other[:, :, 1:])


def test_batches_say_what_was_asked_for(model: Model) -> None:
    batches = list(model.batches(5, labels=[3, 2, 1, 0, 3], batch_size=2))
    assert [labels.tolist() for _, labels in batches] == [[3, 2], [1, 0], [3]]
    assert torch.equal(
        torch.cat([images for images, _ in batches]), model.sample(5, labels=[3, 2, 1, 0, 3])
    )


def test_walks_keep_their_class(model: Model) -> None:
    walks = model.interpolate(3, 4, labels=[2, 0, 1])
    assert [labels_of(walk) for walk in walks] == [[2] * 4, [0] * 4, [1] * 4]


@pytest.mark.parametrize("labels", [4, -1, [0, 1, 9], [0, 1]])
def test_classes_that_there_are_not_are_refused(model: Model, labels: object) -> None:
    with pytest.raises(GanzooError, match=r"classes 0 to 3|labels were given"):
        model.sample(3, labels=labels)  # type: ignore[arg-type]


@UNCONDITIONAL
def test_a_model_without_classes_takes_none(model: Model) -> None:
    assert model.classes == 0
    with pytest.raises(GanzooError, match="takes none"):
        model.sample(3, labels=1)
    with pytest.raises(GanzooError, match="takes none"):
        model.decode(torch.zeros(2, 5), labels=1)


def test_a_code_is_set_in_all_images(model: Model) -> None:
    images = model.sample(5, codes={"c1": 2, "c2": -1.5})
    assert categories_of(images) == [2] * 5
    assert slants_of(images) == [-1.5] * 5


def test_a_grid_of_two_codes(model: Model) -> None:
    grid = model.traverse({"c1": [0, 1, 2], "c2": [-2, -1, 1, 2]}, labels=3)
    assert grid.shape[:2] == (3, 4)
    for row, images in enumerate(grid):
        assert categories_of(images) == [row] * 4
        assert slants_of(images) == [-2, -1, 1, 2]
        assert labels_of(images) == [3] * 4
    assert len(grid[:, :, 0, 3].unique()) == 1, "all else stays"


def test_one_code_moves_along_rows_of_different_latents(model: Model) -> None:
    rows = model.traverse({"c2": [0.0, 0.5, 1.0], "c1": [1]}, count=4)
    assert rows.shape[:2] == (4, 3)
    assert categories_of(rows.flatten(0, 1)) == [1] * 12
    assert [slants_of(row) for row in rows] == [[0, 0.5, 1]] * 4
    assert len(rows[:, 0, 0, 3].unique()) == 4


@UNCONDITIONAL
def test_numbers_of_a_plain_latent_are_codes(model: Model) -> None:
    assert list(model.codes) == ["z0", "z1", "z2", "z3", "z4"]
    assert slants_of(model.sample(2, codes={"z3": 0.7})) == [0.7, 0.7]


@pytest.mark.parametrize("value", [3, -1, 0.5])
def test_a_category_that_there_is_not_is_refused(model: Model, value: float) -> None:
    with pytest.raises(GanzooError, match="one of 0 to 2"):
        model.sample(2, codes={"c1": value})


def test_a_grid_of_no_code_or_of_three_is_refused(model: Model) -> None:
    with pytest.raises(GanzooError, match="one or two codes"):
        model.traverse({"c1": [1]})
    with pytest.raises(GanzooError, match="unknown code 'c9'"):
        model.traverse({"c9": [1, 2]})


def test_the_command_draws_classes_side_by_side(
    model: Model, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    model.save(tmp_path / "m")
    assert ganzoo_here("sample", "m", "--class", "1-3", "-n", "6", "--out", "a.png").code == 0
    gap = 2
    width, height = Image.open(tmp_path / "a.png").size
    assert (width, height) == (3 * (4 + gap) + gap, 2 * (4 + gap) + gap)
    answer = ganzoo_here("sample", "m", "--class", "3,0", "-n", "4", "--out", "a.npz")
    assert answer.code == 0
    shades = np.load(tmp_path / "a.npz")["images"][:, 0, 0, 0]
    assert shades.tolist() == [166, 128, 166, 128]


def test_the_command_moves_codes(model: Model, ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    answer = ganzoo_here(
        "sample", "m", "--code", "c1=0:2", "--code", "c2=-1:1:5", "--out", "c.npz", "--json"
    )
    assert answer.json["count"] == 15
    answer = ganzoo_here("sample", "m", "--code", "c2=-1:1", "-n", "3", "--out", "d.npz", "--json")
    assert answer.json["count"] == 30


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--class", "9"), "classes 0 to 3"),
        (("--class", "3-1"), "no range of numbers"),
        (("--class", "zero"), "whole number"),
        (("--code", "c1"), "NAME=VALUE"),
        (("--code", "c1=0:2:1"), "NAME=VALUE"),
        (("--code", "c2=nan"), "NAME=VALUE"),
        (("--code", "c1=0.5:2"), "whole numbers"),
        (("--code", "c3=1"), "did you mean"),
        (("--code", "c1=0:2", "--class", "0-2"), "a single one"),
    ],
)
def test_bad_requests_are_one_sentence(
    model: Model, ganzoo_here: GanzooHere, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    model.save(tmp_path / "m")
    answer = ganzoo_here("sample", "m", *arguments, "--out", "x.png")
    answer.is_one_sentence(said)
    assert not (tmp_path / "x.png").exists()
