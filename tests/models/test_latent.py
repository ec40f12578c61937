"""Pictures of a latent space, for models with two numbers, with many, and with none."""

from pathlib import Path

import numpy as np
import pytest
from fake_plugins import FakePlugins, GanzooHere, entry, manifest
from PIL import Image

import ganzoo_core
from ganzoo_core import Model
from ganzoo_core.errors import UnsupportedError

HOOKS = """
from ganzoo_core.plugins import hookimpl


@hookimpl
def ganzoo_config(component):
    from pydantic import Field
    from ganzoo_core.components import Config

    class Settings(Config):
        image_size: int = Field(default=8, ge=1)
        channels: int = Field(default=1, ge=1)
        latent_size: int = Field(default=2, ge=1)

    return Settings


@hookimpl
def ganzoo_generator(component, config):
    import torch
    from ganzoo_core.components import Generator

    class Ramp(Generator):
        # The first number is the shade, the others do nothing.
        def __init__(self):
            super().__init__()
            self.latent_shape = (config.latent_size,)
            self.image_shape = (1, config.image_size, config.image_size)
            self.gain = torch.nn.Parameter(torch.ones(()))

        def forward(self, latents, labels=None):
            return (self.gain * latents[:, :1].tanh())[:, :, None, None].expand(
                -1, *self.image_shape
            )

    return Ramp()


@hookimpl
def ganzoo_encoder(component, config):
    import torch
    from ganzoo_core.components import Code, Encoder

    class Corners(Encoder):
        denoises = component == "spoiling"

        def __init__(self):
            super().__init__()
            self.latent_shape = (config.latent_size,)
            self.image_shape = (1, config.image_size, config.image_size)
            self.gain = torch.nn.Parameter(torch.ones(()))

        def corrupt(self, images, noise):
            return -images if self.denoises else images

        def forward(self, images):
            return Code(self.gain * images.flatten(1)[:, 20 : 20 + config.latent_size])

    return Corners()
"""


@pytest.fixture
def made(ganzoo_here: GanzooHere, plugins: FakePlugins, request: pytest.FixtureRequest) -> Model:
    size, encoder = getattr(request, "param", (2, "plain"))
    roles = {"decoder": {"kind": "generator", "component": "toy"}}
    if encoder:
        roles["encoder"] = {"kind": "encoder", "component": encoder}
    recipe = {
        "networks": roles,
        "trainer": "ganzoo-plugin-gan/adversarial",
        "inference": list(roles),
    }
    components = {
        "generators": [{"name": "toy", "summary": "a ramp"}],
        "encoders": [{"name": name, "summary": name} for name in ("plain", "spoiling")],
    }
    plugins.install(content=manifest(entry(recipe=recipe), **components), hooks=HOOKS)
    return ganzoo_core.create("toy", latent_size=size)


def drawn(made: Model, out: Path, *pictures: str, data: str | None = "digits") -> dict[str, Path]:
    return dict(ganzoo_core.latent(made, out, pictures=pictures or None, data=data))


def shade(picture: Image.Image, x: float, y: float) -> int:
    """Return how bright a picture is at a place, as shares of its sides."""
    spot = picture.convert("L").getpixel((int(x * picture.width), int(y * picture.height)))
    assert isinstance(spot, int)
    return spot


def test_everything_that_a_model_has_is_drawn(made: Model, tmp_path: Path) -> None:
    files = drawn(made, tmp_path / "out")
    assert set(files) == {"manifold", "scatter", "traversals", "reconstructions"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        f"{name}.png" for name in files
    )


def test_the_manifold_goes_along_the_first_number(made: Model, tmp_path: Path) -> None:
    picture = Image.open(drawn(made, tmp_path, "manifold", data=None)["manifold"])
    left, middle, right = (shade(picture, x, 0.52) for x in (0.03, 0.52, 0.97))
    assert left < 30 < 100 < middle < 160 < 225 < right
    assert shade(picture, 0.03, 0.03) == shade(picture, 0.03, 0.97)


def test_without_data_the_pictures_that_need_none_are_drawn(made: Model, tmp_path: Path) -> None:
    assert set(drawn(made, tmp_path, data=None)) == {"manifold", "traversals"}


@pytest.mark.parametrize("made", [(6, "plain")], indirect=True)
def test_more_numbers_have_no_manifold_but_a_row_each(made: Model, tmp_path: Path) -> None:
    files = drawn(made, tmp_path)
    assert "manifold" not in files
    picture = Image.open(files["traversals"])
    assert picture.height / picture.width == pytest.approx(6 / 11, rel=0.05)


@pytest.mark.parametrize("made", [(2, "spoiling")], indirect=True)
def test_a_denoising_model_shows_spoilt_mended_and_clean(made: Model, tmp_path: Path) -> None:
    picture = Image.open(drawn(made, tmp_path, "denoised")["denoised"]).convert("L")
    heights = [picture.height * (2 * row + 1) // 6 for row in range(3)]
    corner = picture.width // 40
    spoilt, _, clean = (picture.getpixel((corner, height)) for height in heights)
    assert isinstance(spoilt, int)
    assert isinstance(clean, int)
    assert spoilt == 255 - clean


def test_codes_are_coloured_by_what_their_images_were_made_from(
    made: Model, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    factors = np.stack([np.arange(60) % size for size in (1, 3, 5)], 1)
    np.savez(tmp_path / "made.npz", images=images, latents_classes=factors)
    data = f"npz:{tmp_path / 'made.npz'}"
    assert "factors" in drawn(made, tmp_path / "all", data=data)
    picture = Image.open(drawn(made, tmp_path / "one", "factors", data=data)["factors"])
    # A panel for each factor that varies.
    assert picture.width / picture.height == pytest.approx(2 * 5 / 4.4, rel=0.01)
    with pytest.raises(UnsupportedError, match="does not say what its images were made from"):
        drawn(made, tmp_path, "factors")


def test_the_same_seed_draws_the_same(made: Model, tmp_path: Path) -> None:
    first, second = drawn(made, tmp_path / "a"), drawn(made, tmp_path / "b")
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


@pytest.mark.parametrize("made", [(6, "")], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pictures", "scatter"), "no picture 'scatter': it cannot encode"),
        (("--pictures", "manifold"), "shape [6], not [2]"),
        (("--pictures", "denoised"), "no picture 'denoised'"),
        (("--pictures", "manifolt"), "did you mean 'manifold'"),
        (("--projection", "tsne"), "unknown projection 'tsne'"),
        (("--data", "nothing"), "unknown data set"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    made: Model, ganzoo_here: GanzooHere, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    made.save(tmp_path / "m")
    ganzoo_here("latent", "m", *arguments, "--out", "out").is_one_sentence(said)
    assert not (tmp_path / "out").exists()


def test_the_command_says_where_the_pictures_are(
    made: Model, ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    made.save(tmp_path / "m")
    answer = ganzoo_here("latent", "m", "--data", "digits", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["scatter"] == "m-latent/scatter.png"
    needing = ganzoo_here("latent", "m", "--pictures", "scatter")
    needing.is_one_sentence("needs real images")
