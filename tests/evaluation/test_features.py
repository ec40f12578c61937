"""Feature extractors: the shipped classifiers, timm backbones, and features that cannot be had."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from ganzoo_core.data import open_images
from ganzoo_core.errors import CheckpointError, ConfigError, DataError, UnknownNameError
from ganzoo_core.evaluation import features as module
from ganzoo_core.evaluation.features import (
    SHIPPED,
    ConvNetFeatures,
    TimmFeatures,
    default_features,
    find_features,
    fitted,
    weights_hash,
)
from ganzoo_core.evaluation.real import pixels_to_images


def images(count: int = 5, channels: int = 1, size: int = 28) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0)) - 0.5


def timm_network(name: str = "test_resnet") -> Any:
    with torch.random.fork_rng(devices=[]):
        return timm.create_model(name, pretrained=False)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_classifier_is_small_and_needs_no_network(name: str) -> None:
    file = Path(module.__file__).parent / "weights" / f"{name}.safetensors"
    assert file.stat().st_size <= 600_000
    found = find_features(name)
    assert (found.name, found.classes, found.size) == (name, 10, 128)
    assert found.hash == f"sha256:{SHIPPED[name].sha256}"
    embedded = found.embed(images())
    assert embedded.features.shape == (5, 128)
    assert embedded.logits is not None and embedded.logits.shape == (5, 10)


@pytest.mark.parametrize(
    ("name", "data", "least"),
    [("mnist-convnet", "mnist", 0.985), ("fashion-mnist-convnet", "fashion-mnist", 0.9)],
)
def test_a_shipped_classifier_knows_real_images(
    name: str, data: str, least: float, shared: Callable[[str], Path]
) -> None:
    folder = shared(f"data/{data}")
    real = open_images(f"idx:{folder}", image_size=28, channels=1, split="test")
    found = find_features(name).embed(pixels_to_images(real.images[:1000])).logits
    assert found is not None and real.labels is not None
    right = (found.argmax(1) == torch.tensor(real.labels[:1000])).double().mean()
    assert right >= least


def test_features_depend_on_the_image_and_not_on_its_batch() -> None:
    found = find_features("mnist-convnet")
    whole = found.embed(images(20)).features
    alone = torch.cat([found.embed(one).features for one in images(20).split(1)])
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


def test_features_take_grey_and_colour_of_any_size() -> None:
    found = find_features("mnist-convnet")
    grey = images(3, 1, 32)
    torch.testing.assert_close(
        found.embed(grey).features,
        found.embed(grey.expand(-1, 3, -1, -1)).features,
        rtol=1e-4,
        atol=1e-5,
    )
    assert fitted(images(3, 3, 9), 14, 1, "bilinear").shape == (3, 1, 14, 14)


def test_maps_are_those_of_several_depths() -> None:
    shapes = [tuple(maps.shape[1:]) for maps in find_features("mnist-convnet").maps(images())]
    assert shapes == [(24, 28, 28), (48, 14, 14), (128, 7, 7)]


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (2, 8, 8)])
def test_images_of_other_channels_have_no_features(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"must be \[N, 1, H, W\] or \[N, 3, H, W\]"):
        find_features("mnist-convnet").embed(torch.zeros(shape))


def test_building_features_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    ConvNetFeatures("mnist-convnet").embed(images())
    assert torch.equal(torch.get_rng_state(), before)


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(module.__file__).parent / "weights" / "mnist-convnet.safetensors"
    (tmp_path / "weights").mkdir()
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    (tmp_path / "weights" / file.name).write_bytes(content)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "features.py"))
    with pytest.raises(CheckpointError, match="damaged"):
        find_features("mnist-convnet")


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_any_timm_backbone_gives_features_logits_and_maps(name: str) -> None:
    network = timm_network(name)
    size = network.pretrained_cfg["input_size"][-1]
    found = TimmFeatures(name, network, size)
    embedded = found.embed(images(2, 3, 32))
    assert embedded.features.shape == (2, found.size)
    assert embedded.logits is not None and embedded.logits.shape == (2, found.classes)
    assert "antialiased" in found.resize_filter
    assert all(maps.ndim == 4 and len(maps) == 2 for maps in found.maps(images(2, 3, 32)))


def test_a_backbone_without_a_classifier_has_no_logits() -> None:
    network = timm.create_model("test_vit", pretrained=False, num_classes=0)
    assert TimmFeatures("vit", network, 160).embed(images(1)).logits is None


def test_the_hash_of_weights_changes_with_one_weight() -> None:
    network = timm_network()
    before = weights_hash(network)
    assert weights_hash(network) == before
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1
    assert weights_hash(network) != before


def test_unknown_features_get_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"inception_v3\.tf_in1k"):
        find_features("inception_v3.tf_in1")
    with pytest.raises(UnknownNameError, match="mnist-convnet"):
        find_features("mnist-convnets")
    with pytest.raises(ConfigError, match="@224"):
        find_features("inception_v3.tf_in1k@big")


def test_features_that_are_absent_offline_are_one_sentence(tmp_path: Path) -> None:
    program = (
        "from ganzoo_core.errors import HubError\n"
        "from ganzoo_core.evaluation.features import find_features\n"
        "try:\n    find_features('test_vit.r160_in1k@96')\n"
        "except HubError as error:\n    print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert "test_vit.r160_in1k are not on this machine" in said.stdout
    assert "mnist-convnet" in said.stdout
    assert said.stdout.count("\n") == 1


def test_features_suit_the_data() -> None:
    assert default_features("idx:/data/mnist", 1) == "mnist-convnet"
    assert default_features("digits", 1) == "mnist-convnet"
    assert default_features("fashion-mnist", 1) == "fashion-mnist-convnet"
    assert default_features("cifar10", 3) == "inception_v3.tf_in1k"
