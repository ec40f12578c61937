"""Translating images of any size, whole folders, and what goes wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fake_plugins import FakePlugins, GanzooHere, entry, manifest
from PIL import Image

import ganzoo_core
from ganzoo_core import Model
from ganzoo_core.components import Translator
from ganzoo_core.errors import GanzooError
from ganzoo_core.translating import translated

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from pydantic import Field
    from ganzoo_core.components import Config

    class Settings(Config):
        image_size: int = Field(default=8, ge=1)
        channels: int = Field(default=3, ge=1)

    return Settings


@hookimpl
def ganzoo_generator(component, config):
    import torch
    from ganzoo_core.components import Translator

    class Shade(Translator):
        multiple = 4

        def __init__(self):
            super().__init__()
            self.image_shape = (config.channels, config.image_size, config.image_size)
            self.gain = torch.nn.Parameter(torch.tensor(0.5 if component == "half" else -1.0))

        def forward(self, latents, labels=None):
            assert latents.shape[2] % 4 == latents.shape[3] % 4 == 0
            return latents * self.gain

    return Shade()
"""
PART = {"kind": "generator"}


def install(plugins: FakePlugins, roles: dict[str, str]) -> Model:
    recipe = {
        "networks": {role: PART | {"component": name} for role, name in roles.items()},
        "trainer": "ganzoo-plugin-gan/adversarial",
        "inference": list(roles),
    }
    variant = entry(recipe=recipe, verbs=["translate"], task="image-to-image")
    components = [{"name": name, "summary": name} for name in ("half", "negative")]
    plugins.install(content=manifest(variant, generators=components), hooks=HOOKS)
    return ganzoo_core.create("toy")


@pytest.fixture
def model(ganzoo_here: GanzooHere, plugins: FakePlugins, tmp_path: Path) -> Model:
    model = install(plugins, {"ab": "half", "ba": "negative"})
    model.save(tmp_path / "m")
    return model


def photo(path: Path, width: int = 10, height: int = 6, shade: int = 200) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), shade, np.uint8)).save(path)
    return path


def shade(path: Path) -> int:
    return int(np.asarray(Image.open(path).convert("RGB"))[0, 0, 0])


def test_either_way_any_size(model: Model) -> None:
    images = torch.rand(2, 3, 7, 13, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert model.verbs == ("translate",)
    assert torch.equal(model.translate(images), images * 0.5)
    assert torch.equal(model.translate(images, direction="ba", batch_size=2), -images)


def test_images_smaller_than_the_padding(model: Model) -> None:
    images = torch.full((1, 3, 1, 2), 0.25)
    assert torch.allclose(model.translate(images), images * 0.5)


class Recorder(Translator):
    """Adds nothing, and remembers the largest piece that it was given."""

    multiple = 8
    image_shape = (1, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        self.largest = max(self.largest, *latents.shape[2:])
        return latents


@pytest.mark.parametrize("size", [(100, 37), (64, 200), (65, 65), (33, 32)])
def test_tiles_are_small_overlap_and_join_without_a_seam(size: tuple[int, int]) -> None:
    images = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))
    network = Recorder()
    whole = translated(network, images, tile=32)
    assert network.largest <= 32
    torch.testing.assert_close(whole, images)


def test_a_file_is_named_after_its_input_and_not_replaced(
    model: Model, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    photo(tmp_path / "photo.png")
    assert ganzoo_here("translate", "m", "--input", "photo.png").code == 0
    made = tmp_path / "photo-ab.png"
    assert Image.open(made).size == (10, 6)
    assert shade(made) == pytest.approx(164, abs=1)
    ganzoo_here("translate", "m", "--input", "photo.png").is_one_sentence("--force")
    answer = ganzoo_here("translate", "m", "--input", "photo.png", "--force")
    assert answer.code == 0
    answer = ganzoo_here(
        *("translate", "m", "--input", "photo.png", "--direction", "ba", "--out", "out/x.jpg")
    )
    assert answer.code == 0
    assert shade(tmp_path / "out" / "x.jpg") == pytest.approx(55, abs=2)


def test_a_folder_keeps_its_names_and_a_broken_image_costs_only_itself(
    model: Model, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    photo(tmp_path / "photos" / "a.png")
    photo(tmp_path / "photos" / "b.gif", 5, 9)
    (tmp_path / "photos" / "c.png").write_bytes(b"\x89PNG but no more")
    answer = ganzoo_here("translate", "m", "--input", "photos", "--json")
    assert answer.code == 1
    assert answer.json["translated"] == 2
    assert "c.png" in answer.json["broken"][0]
    assert sorted(path.name for path in (tmp_path / "photos-ab").iterdir()) == ["a.png", "b.png"]
    assert Image.open(tmp_path / "photos-ab" / "b.png").size == (5, 9)


def test_a_photo_taken_sideways_comes_out_upright(
    model: Model, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.zeros((4, 9, 3), np.uint8)).save(tmp_path / "p.jpg", exif=exif)
    assert ganzoo_here("translate", "m", "--input", "p.jpg").code == 0
    assert Image.open(tmp_path / "p-ab.jpg").size == (4, 9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--input", "nothing.png"), "no image or folder"),
        (("--input", "empty"), "holds no image files"),
        (("--input", "text.png"), "cannot be decoded"),
        (("--input", "photo.png", "--out", "x.mp3"), "'.mp3'"),
        (("--input", "photos", "--out", "photos"), "choose another folder"),
        (("--input", "twins"), "rename one of them"),
        (("--input", "photo.png", "--tile", "0"), "at least 1"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    model: Model,
    ganzoo_here: GanzooHere,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    photo(tmp_path / "photo.png")
    photo(tmp_path / "photos" / "a.png")
    photo(tmp_path / "twins" / "a.png")
    photo(tmp_path / "twins" / "a.gif")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("hello")
    before = sorted(tmp_path.rglob("*"))
    ganzoo_here("translate", "m", *arguments).is_one_sentence(said)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_one_way_model_says_so(
    ganzoo_here: GanzooHere, plugins: FakePlugins, tmp_path: Path
) -> None:
    model = install(plugins, {"ab": "half"})
    assert model.directions == ("ab",)
    with pytest.raises(GanzooError, match="translates ab, not ba"):
        model.translate(torch.zeros(1, 3, 8, 8), direction="ba")
    with pytest.raises(GanzooError, match="not \\(1, 1, 8, 8\\)"):
        model.translate(torch.zeros(1, 1, 8, 8))


def test_a_model_that_draws_does_not_translate() -> None:
    model = ganzoo_core.create("gan")
    assert "translate" not in model.verbs
    with pytest.raises(GanzooError, match="gan cannot translate"):
        model.translate(torch.zeros(1, 1, 28, 28))


def test_a_translator_does_not_draw(model: Model) -> None:
    with pytest.raises(GanzooError, match="cannot sample"):
        model.sample(2)


def test_training_data_must_be_of_two_domains(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    for side in "AB":
        photo(tmp_path / side / "x.png", 28, 28)
    answer = ganzoo_here("train", "gan", "--data", "unpaired:A:B", "--steps", "1")
    answer.is_one_sentence("learns from one set of images")


def test_a_model_that_learned_from_b_to_a_translates_that_way(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    settings = {"image_size": 16, "channels": 3, "width": 2, "receptive_field": 16}
    model = ganzoo_core.create("pix2pix", trainer={"direction": "ba"}, **settings)
    model.save(tmp_path / "facades")
    photo(tmp_path / "photo.png")
    assert ganzoo_here("translate", "facades", "--input", "photo.png").code == 0
    assert (tmp_path / "photo-ba.png").is_file()
    answer = ganzoo_here("translate", "facades", "--input", "photo.png", "--direction", "ab")
    answer.is_one_sentence("translates ba, not ab")
    card = (tmp_path / "facades" / "README.md").read_text()
    assert "ganzoo translate" in card and "sample" not in card
