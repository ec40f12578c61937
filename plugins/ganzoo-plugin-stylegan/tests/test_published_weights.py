"""What others published, read and held against what their networks make of it."""

import shutil
from pathlib import Path

import published_stylegan as published
import pytest
import torch
from ganzoo_plugin_stylegan.checkpoints import read
from ganzoo_plugin_stylegan.config import StyleGANDiscriminatorConfig
from ganzoo_plugin_stylegan.networks import StyleDiscriminator

import ganzoo_core as zoo
from ganzoo_core.components import drawing_from
from ganzoo_core.errors import CheckpointError

SAMPLES = Path(__file__).parents[4] / "shared" / "checkpoints"


@pytest.fixture
def sample():
    """Find a sample that the authors' code made."""

    def find(name):
        if not (SAMPLES / name).is_dir():
            pytest.skip(f"{SAMPLES / name} is not on this machine")
        folder = SAMPLES / name
        given, expected = (
            torch.load(folder / f"{part}.pt", weights_only=True) for part in ("input", "expected")
        )
        return given, expected, folder / "checkpoint.pth"

    return find


def generator_of(folder, file, **asked):
    zoo.convert([file], "stylegan", out=folder / "model", **asked)
    return zoo.load(folder / "model").networks["generator"]


def agree(found, expected):
    """Float32 of values up to 47 agrees to 1e-4 of the largest."""
    assert (found - expected).abs().max() <= 1e-4 * max(1.0, expected.abs().max())


class Given:
    """Noise that is given, by the side of the maps."""

    def __init__(self, maps):
        self.maps = {each.shape[-1]: each for each in maps}

    def normal(self, count, *shape):
        return self.maps[shape[-1]][:count]


def test_genforces_images_styles_and_truncation(sample, tmp_path):
    given, expected, file = sample("genforce_stylegan")
    generator = generator_of(tmp_path, file)
    styles = generator.map(given["z"])
    agree(styles, expected["w"])
    agree(generator.drawn(styles, "fixed"), expected["image"])
    agree(generator.drawn(generator.truncated(styles, 0.7), "fixed"), expected["image_trunc"])


def test_rosinalitys_images_at_the_size_that_the_file_is_named_after(sample, tmp_path):
    given, expected, file = sample("stylegan1_rosinality")
    shutil.copy(file, tmp_path / "stylegan-256px-new.model")
    generator = generator_of(tmp_path, tmp_path / "stylegan-256px-new.model")
    assert generator.image_shape == (3, 256, 256)
    noise = Given([each for name, each in given.items() if name.startswith("noise")])
    styles = generator.map(given["z"])
    agree(generator.map(given["mean_z"]).mean(0), expected["mean_style"][0])
    generator.style_mean.copy_(expected["mean_style"][0])
    with drawing_from(noise, generator):
        agree(generator.drawn(styles), expected["y256"])
        truncated = generator.truncated(styles, 0.7, generator.style_layers)
        agree(generator.drawn(truncated), expected["y256_psi0.7"])
        generator.grow_to(3.6)  # 32 of 256 pixels, of which 16 still weigh 0.6
        agree(generator.drawn(styles), expected["y32_alpha0.4"])


def test_rosinalitys_mean_style_is_taken_from_a_stated_seed(sample):
    file = sample("stylegan1_rosinality")[2]
    first, again = read(file), read(file)
    assert torch.equal(
        first.networks["generator"]["style_mean"], again.networks["generator"]["style_mean"]
    )
    assert "10,240 latents of seed 0" in first.recognised


@pytest.mark.parametrize("levels", [4, 6])
def test_rosinalitys_size_shows_in_what_was_trained_where_the_name_does_not_say(
    sample, tmp_path, levels
):
    content = torch.load(sample("stylegan1_rosinality")[2], weights_only=True)["g_running"]
    for name, tensor in content.items():
        level = int(name.split(".")[2]) if "progression" in name else 0
        if level >= levels and "noise" in name:
            tensor.zero_()
    torch.save(content, tmp_path / "g_running.model")
    assert read(tmp_path / "g_running.model").settings["image_size"] == 4 << (levels - 1)


@pytest.mark.parametrize("name", ["stylegan-250px.model", "stylegan-2048px.model"])
def test_a_size_that_rosinalitys_layers_cannot_have_is_refused(sample, tmp_path, name):
    shutil.copy(sample("stylegan1_rosinality")[2], tmp_path / name)
    with pytest.raises(CheckpointError, match="name it after its size"):
        read(tmp_path / name)


def test_genforces_sample_in_tensorflows_layout_draws_the_same(sample, tmp_path, monkeypatch):
    given, expected, file = sample("genforce_stylegan")
    state = torch.load(file, weights_only=True)
    network = published.tensorflow_generator(state, resolution=64, num_channels=3)
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    learning = published.tensorflow_generator(other, "G", resolution=64, num_channels=3)
    content = (learning, None, network)
    file = published.pickled(content, tmp_path / "karras2019stylegan.pkl", monkeypatch)
    generator = generator_of(tmp_path, file)
    styles = generator.map(given["z"])
    agree(generator.drawn(styles, "fixed"), expected["image"])
    agree(generator.drawn(generator.truncated(styles, 0.7), "fixed"), expected["image_trunc"])


def networks_of(weights):
    """Build both networks of a file, the generator through a model folder's settings."""
    own = {k: v for k, v in weights.settings.items() if not k.startswith("generator.")}
    judging = StyleDiscriminator(
        StyleGANDiscriminatorConfig(**{k.removeprefix("discriminator."): v for k, v in own.items()})
    )
    judging.load_state_dict(weights.networks["discriminator"])
    made = zoo.create("stylegan", **_nested(weights.settings)).networks["generator"]
    made.load_state_dict(weights.networks["generator"])
    return made.eval().requires_grad_(False), judging.eval().requires_grad_(False)


def _nested(settings):
    nested = {}
    for path, value in settings.items():
        part, dot, name = path.partition(".")
        if dot:
            nested.setdefault(part, {})[name] = value
        else:
            nested[part] = value
    return nested


@pytest.mark.parametrize(
    ("size", "fused_scale", "fused_from"),
    [(16, "auto", 128), (16, True, 0), (16, False, 10**9), (128, "auto", 128)],
)
@pytest.mark.parametrize("classes", [0, 3])
def test_tensorflows_networks_fused_or_not_conditional_or_not(
    tmp_path, monkeypatch, size, fused_scale, fused_from, classes
):
    state, judging = published.made_up(size, classes=classes)
    options = {"resolution": size, "label_size": classes, "fused_scale": fused_scale}
    content = (
        published.tensorflow_generator(state, "G", **options),
        published.tensorflow_discriminator(judging, **options),
        published.tensorflow_generator(state, "Gs", **options),
    )
    weights = read(published.pickled(content, tmp_path / "network.pkl", monkeypatch))
    assert ("not fused" in weights.recognised) == (fused_from > size)
    assert weights.settings["classes"] == classes
    generator, discriminator = networks_of(weights)
    latents = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 2, 1, 2]) if classes else None
    styles = published.styles(state, latents, labels)
    agree(generator.map(latents, labels), styles)
    pictures = published.images(state, styles, fused_from)
    agree(generator.drawn(styles, "fixed"), pictures)
    said = published.scores(judging, pictures, fused_from)
    chosen = said[:, 0] if labels is None else said.gather(1, labels[:, None])[:, 0]
    agree(discriminator(pictures, labels).logits, chosen)


def test_genforces_checkpoint_of_a_training_gives_the_moving_average(tmp_path):
    state, judging = published.made_up(16)
    learning = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    models = {"generator": learning, "generator_smooth": state, "discriminator": judging}
    torch.save({"models": models, "running_metadata": {"iter": 1}}, tmp_path / "snapshot.pth")
    weights = read(tmp_path / "snapshot.pth")
    assert torch.equal(weights.networks["generator"]["constant"], state["synthesis.layer0.const"])
    pictures = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    _, discriminator = networks_of(weights)
    agree(discriminator(pictures).logits, published.scores(judging, pictures)[:, 0])


def test_a_generator_that_has_not_grown_up_stays_as_small(tmp_path):
    state, _ = published.made_up(16)
    state["synthesis.lod"] = torch.tensor(1.0)
    torch.save(state, tmp_path / "growing.pth")
    generator = generator_of(tmp_path, tmp_path / "growing.pth")
    assert generator.drawn(generator.map(torch.zeros(1, 6)), "none").shape[-1] == 8
    assert generator.synthesize(generator.map(torch.zeros(1, 6)), "none").shape[-1] == 16


@pytest.mark.parametrize(
    ("option", "value"),
    [("use_noise", False), ("const_input_layer", False), ("mapping_nonlinearity", "relu")],
)
def test_other_networks_of_nvlabs_are_refused_by_their_options(
    tmp_path, monkeypatch, option, value
):
    state, _ = published.made_up(8)
    network = published.tensorflow_generator(state, **{option: value})
    file = published.pickled((network,), tmp_path / "network.pkl", monkeypatch)
    with pytest.raises(CheckpointError, match=option):
        read(file)


def test_a_file_that_lacks_a_layer_is_refused_by_its_name(tmp_path):
    state, _ = published.made_up(16)
    del state["synthesis.layer3.style.weight"]
    torch.save(state, tmp_path / "torn.pth")
    with pytest.raises(CheckpointError, match=r"lacks synthesis\.layer3\.style\.weight"):
        read(tmp_path / "torn.pth")


def test_a_file_with_more_than_a_stylegan_is_refused(tmp_path):
    state, _ = published.made_up(16)
    torch.save({**state, "synthesis.extra": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(CheckpointError, match=r"synthesis\.extra"):
        read(tmp_path / "more.pth")


@pytest.mark.parametrize("content", [{}, {"weight": torch.zeros(2)}, [1, 2], {"generator": {}}])
def test_files_of_other_projects_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="no StyleGAN"):
        read(tmp_path / "other.pth")
