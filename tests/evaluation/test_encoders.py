"""Evaluating encoders: disentanglement on data with known factors, and likelihoods."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganzoo_core as zoo
from ganzoo_core.components import Code, Decoder, Encoder, Generator
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.evaluation import Evaluation
from ganzoo_core.model import Model

SIZES = (1, 1, 3, 1, 5, 4)
COUNT = 60
SHAPE = (1, 8, 8)
DISENTANGLEMENT = ["factor-vae-score", "beta-vae-score", "mig", "sap", "dci"]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> str:
    """White squares of three sizes at twenty places, in the layout of dSprites, five times each."""
    path = tmp_path_factory.mktemp("squares") / "squares.npz"
    factors = np.stack(np.unravel_index(np.arange(COUNT), SIZES), 1)
    images = np.zeros((COUNT, 8, 8), dtype=np.uint8)
    for image, (_, _, size, _, x, y) in zip(images, factors, strict=True):
        image[y : y + size + 1, x : x + size + 1] = 1
    np.savez(path, imgs=np.tile(images, (5, 1, 1)), latents_classes=np.tile(factors, (5, 1)))
    return f"npz:{path}"


class Measuring(Encoder):
    """Reads a square's size and corner off an image, one number each."""

    def __init__(self, *, turned: bool = False, knows_nothing: bool = False) -> None:
        super().__init__()
        self.image_shape, self.latent_shape = SHAPE, (3,)
        self.weight = nn.Parameter(torch.zeros(1))
        self.dropout = nn.Dropout()
        self.turned, self.knows_nothing = turned, knows_nothing

    def forward(self, images: Tensor) -> Code:
        white = self.dropout((images[:, 0] > 0).float())
        place = torch.arange(8.0)
        size = white.sum((1, 2)).sqrt()
        x, y = white.amax(1), white.amax(2)
        codes = [size, ((1 - x) * (x.cumsum(1) < 1) * (place + 1)).amax(1)]
        codes.append(((1 - y) * (y.cumsum(1) < 1) * (place + 1)).amax(1))
        found = torch.stack(codes, 1)
        if self.turned:
            found = found @ torch.tensor([[1.0, 1, 1], [1, -1, 0.3], [0.3, 1, -1]])
        return Code(torch.zeros_like(found) if self.knows_nothing else found)


def model_of(**networks: nn.Module) -> Model:
    blueprint: Any = SimpleNamespace(
        entry=SimpleNamespace(name="toy", recipe=SimpleNamespace(inference=list(networks))),
        variant=SimpleNamespace(full_name="somebodys-toy/toy"),
    )
    return Model(blueprint, networks)


def values(evaluation: Evaluation) -> dict[str, float]:
    return {result.metric: result.value for result in evaluation.results}


def test_an_encoder_of_the_factors_themselves_is_disentangled(squares: str) -> None:
    found = zoo.evaluate(model_of(encoder=Measuring()), squares, metrics=DISENTANGLEMENT)
    scores = values(found)
    assert scores["FactorVAE score"] == 1
    assert scores["β-VAE score"] > 0.9
    assert scores["MIG"] > 0.9
    assert scores["SAP"] > 0.2
    assert scores["DCI disentanglement"] > 0.9
    assert scores["DCI completeness"] > 0.9
    assert scores["DCI informativeness"] > 0.9
    assert {result.real for result in found.results} == {5 * COUNT}
    assert {result.generated for result in found.results} == {0}
    assert {result.better for result in found.results} == {"higher"}
    assert {result.data for result in found.results} == {"npz:squares.npz"}
    turned = values(
        zoo.evaluate(model_of(encoder=Measuring(turned=True)), squares, metrics=["mig", "dci"])
    )
    assert turned["MIG"] < 0.5
    assert turned["DCI disentanglement"] < scores["DCI disentanglement"] - 0.2


def test_an_encoder_that_knows_nothing_scores_as_guessing(squares: str) -> None:
    encoder = Measuring(knows_nothing=True)
    metrics = ["factor-vae-score", "mig"]
    scores = values(zoo.evaluate(model_of(encoder=encoder), squares, metrics=metrics))
    assert scores["FactorVAE score"] < 0.5
    assert scores["MIG"] == pytest.approx(0, abs=1e-9)


def test_data_with_factors_are_measured_by_them_unless_other_metrics_are_named(
    squares: str,
) -> None:
    named = set(values(zoo.evaluate(model_of(encoder=Measuring()), squares)))
    assert {"FactorVAE score", "β-VAE score", "MIG", "SAP", "DCI completeness"} <= named


def test_the_seed_decides_and_the_encoder_is_left_in_its_mode(squares: str) -> None:
    model = model_of(encoder=Measuring().train())
    before = torch.get_rng_state()
    metrics = ["factor-vae-score", "sap"]
    first, again = (
        values(zoo.evaluate(model, squares, metrics=metrics, count=100, seed=3, batch_size=size))
        for size in (64, 7)
    )
    assert first == again
    assert model.networks["encoder"].training
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("metric", DISENTANGLEMENT)
def test_data_without_factors_are_refused_in_one_sentence(metric: str) -> None:
    with pytest.raises(DataError, match="digits does not say what its images were made from"):
        zoo.evaluate(model_of(encoder=Measuring()), "digits", metrics=[metric], count=20)


def test_too_few_images_to_see_a_factor_vary_are_refused(squares: str) -> None:
    with pytest.raises(DataError, match=r"same value in all 1 images .* take more"):
        zoo.evaluate(model_of(encoder=Measuring()), squares, metrics=["mig"], count=1)


def test_a_model_without_an_encoder_is_refused(squares: str) -> None:
    with pytest.raises(UnsupportedError, match="cannot encode, which the metric mig needs"):
        zoo.evaluate(model_of(decoder=Linear()), squares, metrics=["mig"])


# Likelihoods


class Linear(Decoder):
    """p(x|z) = N(x; z · direction, ½): then p(x) is a Gaussian whose likelihood is known."""

    variance = 0.5

    def __init__(self) -> None:
        super().__init__()
        self.latent_shape, self.image_shape = (1,), SHAPE
        self.weight = nn.Parameter(torch.linspace(-0.2, 0.2, 64))
        self.dropout = nn.Dropout()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.dropout(latents @ self.weight[None]).view(-1, *SHAPE)

    def log_likelihood(self, images: Tensor, latents: Tensor) -> Tensor:
        squares = (images - self(latents)).square().flatten(1).sum(1)
        return -squares / (2 * self.variance) - 32 * math.log(2 * math.pi * self.variance)


class Posterior(Encoder):
    """The exact p(z|x) of `Linear`, or a wider one of the same mean."""

    def __init__(self, decoder: Linear, *, wider: float = 1.0, point: bool = False) -> None:
        super().__init__()
        self.image_shape, self.latent_shape = SHAPE, (1,)
        direction = decoder.weight.detach()
        self.precision = 1 + float(direction.square().sum()) / decoder.variance
        self.weight = nn.Parameter(direction / decoder.variance / self.precision)
        self.wider, self.point = wider, point

    def forward(self, images: Tensor) -> Code:
        mean = images.flatten(1) @ self.weight[:, None]
        if self.point:
            return Code(mean)
        return Code(mean, torch.full_like(mean, math.log(self.wider / self.precision)))


def exact(images: Tensor, decoder: Linear) -> float:
    """The mean -log N(x; 0, ½ I + w wᵀ)."""
    direction = decoder.weight.detach()
    covariance = decoder.variance * torch.eye(64) + direction[:, None] * direction
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(64), covariance)
    return -float(gaussian.log_prob(images.flatten(1)).mean())


@pytest.mark.parametrize("wider", [1.0, 1.5])
def test_the_likelihood_is_that_of_a_model_where_it_is_known(squares: str, wider: float) -> None:
    decoder = Linear().train()
    model = model_of(encoder=Posterior(decoder, wider=wider), decoder=decoder)
    (result,) = zoo.evaluate(model, squares, metrics=["nll"], count=40).results
    assert decoder.training and decoder.dropout.training
    archive = np.load(squares.removeprefix("npz:"))
    chosen = zoo.evaluate(model, squares, metrics=["nll"], count=300).results[0]
    everything = torch.tensor(archive["imgs"]).float()[:, None] * 2 - 1
    assert chosen.value == pytest.approx(exact(everything, decoder), rel=1e-3)
    assert (result.metric, result.better) == ("NLL of 500 draws", "lower")
    assert (result.real, result.generated) == (40, 0)
    assert result.spread is not None and result.spread > 0


def test_at_most_a_thousand_images_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo_core.evaluation.measures.DRAWS", 2)
    decoder = Linear()
    model = model_of(encoder=Posterior(decoder), decoder=decoder)
    (result,) = zoo.evaluate(model, "digits", metrics=["nll"]).results
    assert (result.metric, result.real) == ("NLL of 2 draws", 1000)


class Silent(Generator):
    """A decoder that says nothing of likelihoods."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_shape, self.image_shape = (1,), SHAPE
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.zeros(len(latents), *SHAPE)


@pytest.mark.parametrize(
    ("networks", "sentence"),
    [
        ((Posterior(Linear()), Silent()), "no decoder that says how likely images are"),
        ((Posterior(Linear(), point=True), Linear()), "needs a Gaussian code"),
    ],
)
def test_models_without_likelihoods_are_refused_in_one_sentence(
    networks: tuple[Encoder, Generator], sentence: str
) -> None:
    model = model_of(encoder=networks[0], decoder=networks[1])
    with pytest.raises(UnsupportedError, match=sentence) as raised:
        zoo.evaluate(model, "digits", metrics=["nll"], count=5)
    assert "\n" not in str(raised.value)
