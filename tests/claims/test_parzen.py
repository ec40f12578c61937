"""The Parzen log-likelihood of a model: which images it takes from where."""

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import ganzoo_core as zoo
from ganzoo_core.components import Generator
from ganzoo_core.errors import DataError
from ganzoo_core.evaluation.metrics.likelihood import parzen_bandwidth, parzen_log_likelihood
from ganzoo_core.evaluation.result import Result
from ganzoo_core.model import Model


class Drawing(Generator):
    """Draws the pictures that it is given, in turn, or each of the class asked for."""

    def __init__(self, pictures: Tensor, labels: Tensor | None = None) -> None:
        super().__init__()
        self.latent_shape, self.image_shape = (1,), (1, 8, 8)
        self.classes = 0 if labels is None else 10
        self.weight = nn.Parameter(torch.zeros(1))
        self.pictures, self.labels = pictures, labels

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        share = torch.special.ndtr(latents[:, 0])
        if labels is None or self.labels is None:
            return self.pictures[(share * len(self.pictures)).long()]
        return torch.stack([self.pictures[self.labels == label][0] for label in labels])


def model_of(generator: Generator) -> Model:
    blueprint: Any = SimpleNamespace(
        entry=SimpleNamespace(name="toy", recipe=SimpleNamespace(inference=["generator"])),
        variant=SimpleNamespace(full_name="somebodys-toy/toy"),
    )
    return Model(blueprint, {"generator": generator})


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    pixels, labels = load_digits(return_X_y=True)
    return (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), labels


@pytest.fixture
def data(tmp_path: Path, digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]) -> str:
    """IDX files of 1,200 training and 500 test images."""
    for split, part in (("train", slice(0, 1200)), ("t10k", slice(1200, 1700))):
        images, labels = (each[part].astype(np.uint8) for each in digits)
        head = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = struct.pack(">4BI", 0, 0, 8, 1, len(labels))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    return f"idx:{tmp_path}"


def in_range(pixels: np.ndarray[Any, Any]) -> Tensor:
    return torch.tensor(pixels)[:, None].float() / 127.5 - 1


def parzen(generator: Generator, data: str, **options: Any) -> Result:
    found = zoo.evaluate(
        model_of(generator), data, metrics=["parzen"], write=False, **({"count": 300} | options)
    )
    (result,) = found.results
    return result


def test_it_is_the_published_formula_on_the_models_own_images(
    data: str, digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
) -> None:
    pixels, _ = digits
    model = Drawing(in_range(pixels[:1200]))
    result = parzen(model, data, seed=4)
    samples = (model_of(model).sample(300, seed=4).double() + 1) / 2
    real = torch.tensor(pixels[:, None]).double() / 255
    width = parzen_bandwidth(real[200:1200], samples)
    expected = parzen_log_likelihood(real[1200:1700], samples, width)
    assert result.value == pytest.approx(expected.value, rel=1e-6)
    assert result.spread == pytest.approx(expected.spread, rel=1e-6)
    assert (result.metric, result.better) == ("Parzen log-likelihood", "higher")
    assert (result.real, result.generated, result.split) == (500, 300, "test")


def test_which_split_was_asked_for_makes_no_difference(
    data: str, digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
) -> None:
    model = Drawing(in_range(digits[0][:1200]))
    assert parzen(model, data, split="train") == parzen(model, data, split="test")


def test_images_like_the_real_ones_are_likelier_than_noise(
    data: str, digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
) -> None:
    noise = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    good, bad = (
        parzen(Drawing(pictures), data).value for pictures in (in_range(digits[0][:1200]), noise)
    )
    assert good > bad + 10


def test_a_model_of_classes_is_asked_for_all_of_them(
    data: str, digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
) -> None:
    pictures, labels = in_range(digits[0]), torch.tensor(digits[1])
    one_of_each = torch.cat([pictures[labels == number][:1] for number in range(10)])
    conditional = parzen(Drawing(pictures, labels), data, count=10)
    samples, real = (one_of_each.double() + 1) / 2, torch.tensor(digits[0][:, None]).double() / 255
    width = parzen_bandwidth(real[200:1200], samples)
    expected = parzen_log_likelihood(real[1200:1700], samples, width).value
    assert conditional.value == pytest.approx(expected, rel=1e-6)


def test_data_of_one_split_are_refused_before_anything_is_drawn(
    digits: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
) -> None:
    class Never(Drawing):
        def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
            raise AssertionError("it has drawn")

    with pytest.raises(DataError, match="single split"):
        parzen(Never(in_range(digits[0])), "digits")
