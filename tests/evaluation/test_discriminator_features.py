from pathlib import Path

import numpy as np
import pytest
import torch
from fake_plugins import GanzooHere
from PIL import Image
from safetensors.torch import load_file

import ganzoo_core as zoo
from ganzoo_core.data import open_images
from ganzoo_core.errors import CheckpointError, DataError, UnsupportedError
from ganzoo_core.evaluation.discriminator_features import discriminator_features, linear_accuracy

SMALL = (
    "--set",
    "image_size=16",
    "--set",
    "width=4",
    "--set",
    "latent_size=4",
    "--steps",
    "3",
    "--batch-size",
    "16",
)
NAME = "discriminator-features"


@pytest.fixture
def bright_and_dark(tmp_path: Path) -> Path:
    """Images of two classes, for training and for testing."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 60), ("test", 20)):
        for name, low in (("bright", 150), ("dark", 0)):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(count // 2):
                pixels = generator.integers(low, low + 100, (16, 16), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


def on(folder: Path) -> tuple[str, str]:
    return ("--data", f"folder:{folder}")


def numbers() -> np.random.Generator:
    return np.random.default_rng(0)


def test_features_that_name_the_class_are_classified_and_unrelated_ones_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    telling = torch.nn.functional.one_hot(labels, 4) + 0.1 * torch.randn(
        400, 4, generator=generator
    )
    silent = torch.randn(400, 4, generator=generator)
    halves = (slice(0, 200), slice(200, 400))
    for features, low, high in ((telling, 99.0, 100.0), (silent, 10.0, 40.0)):
        learned, tried = ((features[half], labels[half]) for half in halves)
        assert low <= linear_accuracy(learned, tried, numbers()).value <= high


def test_too_few_images_or_one_class_are_one_sentence() -> None:
    features = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    for count, labels in ((4, torch.arange(4)), (20, torch.zeros(20, dtype=torch.int64))):
        with pytest.raises(DataError, match="too few for a linear classifier"):
            linear_accuracy((features[:count], labels), (features, torch.zeros(20)), numbers())


def test_every_layer_of_the_discriminator_is_pooled_to_four_by_four() -> None:
    model = zoo.create("dcgan", image_size=16, channels=1, width=4)
    data = open_images("digits", image_size=16, channels=1)
    features = discriminator_features(model, data, batch_size=500)
    assert features.shape == (len(data), (4 + 8) * 4 * 4)
    discriminator = model.networks["discriminator"].eval()
    images = torch.tensor(data.images[:2]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        last = discriminator(images).features
    assert torch.allclose(features[:2, -8 * 16 :], last.flatten(1), atol=1e-5)


def test_a_run_keeps_the_discriminator_where_it_is_told_to(
    ganzoo_here: GanzooHere, tmp_path: Path, bright_and_dark: Path
) -> None:
    keep = ("--set", 'training.keep=["discriminator"]')
    assert (
        ganzoo_here("train", "dcgan", *SMALL, *keep, "--out", "run", *on(bright_and_dark)).code == 0
    )
    assert ganzoo_here("evaluate", "run", *on(bright_and_dark), "--metrics", NAME).code == 0
    stored = load_file(tmp_path / "run" / "model" / "discriminator.safetensors")
    loaded = zoo.load(tmp_path / "run").networks["discriminator"].state_dict()
    assert {f"discriminator.{name}" for name in loaded} == set(stored)
    for name, tensor in loaded.items():
        assert torch.equal(tensor, stored[f"discriminator.{name}"])


def test_a_model_without_its_discriminator_says_how_to_keep_it(
    ganzoo_here: GanzooHere, bright_and_dark: Path
) -> None:
    assert ganzoo_here("train", "dcgan", *SMALL, "--out", "run", *on(bright_and_dark)).code == 0
    said = ganzoo_here("evaluate", "run", *on(bright_and_dark), "--metrics", NAME)
    assert said.code == 2
    assert "keeps no discriminator" in said.err and "training.keep" in said.err


def test_a_network_that_the_variant_does_not_have_cannot_be_kept(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    said = ganzoo_here("train", "dcgan", *SMALL, "--set", 'training.keep=["critic"]')
    assert said.code != 0
    assert "training.keep cannot be 'critic'" in said.err
    assert not list(tmp_path.rglob("run.json"))


def test_a_damaged_file_of_the_discriminator_is_one_sentence(tmp_path: Path) -> None:
    zoo.create("dcgan", image_size=16, channels=1, width=4, latent_size=4).save(tmp_path / "model")
    file = tmp_path / "model" / "discriminator.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        zoo.load(tmp_path / "model")


def test_a_network_without_activation_layers_is_one_sentence() -> None:
    model = zoo.create("dcgan", image_size=16, channels=1, width=4)
    discriminator = model.networks["discriminator"]
    for name, layer in list(discriminator.features.named_children()):
        if isinstance(layer, torch.nn.LeakyReLU):
            discriminator.features[int(name)] = torch.nn.Identity()
    with pytest.raises(UnsupportedError, match="no activation layers"):
        discriminator_features(model, open_images("digits", image_size=16, channels=1))
