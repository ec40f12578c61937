"""Evaluating models: what is measured, what is written, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from fake_plugins import GanzooHere
from torch import Tensor, nn

import ganzoo_core as zoo
from ganzoo_core.components import Code, Encoder, Generator
from ganzoo_core.data import open_images
from ganzoo_core.errors import DataError, RunError, UnknownNameError, UnsupportedError
from ganzoo_core.evaluation import real
from ganzoo_core.evaluation.drawing import draw
from ganzoo_core.evaluation.evaluating import default_metrics
from ganzoo_core.evaluation.features import find_features
from ganzoo_core.evaluation.real import real_features, real_moments
from ganzoo_core.evaluation.result import Evaluation, read_evaluation
from ganzoo_core.model import Model
from ganzoo_core.places import cache_folder

SHAPE = (1, 16, 16)


class Remembering(Generator):
    """Draws the images it has seen, of the class that is asked for where `classes` is set."""

    def __init__(
        self,
        source: str = "digits",
        split: str = "train",
        *,
        classes: int = 0,
        broken: bool = False,
        flat: bool = False,
    ) -> None:
        super().__init__()
        self.latent_shape, self.image_shape, self.classes = (2,), SHAPE, classes
        self.weight = nn.Parameter(torch.zeros(1))
        data = open_images(source, image_size=16, channels=1, split=split)
        self.pictures = real.pixels_to_images(data.images[:])
        self.labels = torch.tensor(data.labels)
        self.broken, self.flat = broken, flat

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.broken:
            return torch.full((len(latents), *SHAPE), torch.nan)
        if self.flat:
            return torch.zeros(len(latents), *SHAPE)
        share = torch.special.ndtr(latents[:, 0])
        if labels is None:
            return self.pictures[(share * len(self.pictures)).long()]
        rows = [
            (of_class := (self.labels == label).nonzero()[:, 0])[int(x * len(of_class))]
            for x, label in zip(share, labels, strict=True)
        ]
        return self.pictures[torch.stack(rows)]


class Flattening(Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.image_shape, self.latent_shape = SHAPE, (256,)
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Code:
        return Code(images.flatten(1))


class Unflattening(Generator):
    def __init__(self) -> None:
        super().__init__()
        self.latent_shape, self.image_shape = (256,), SHAPE
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return latents.view(-1, *SHAPE)


def model_of(**networks: nn.Module) -> Model:
    blueprint: Any = SimpleNamespace(
        entry=SimpleNamespace(name="toy", recipe=SimpleNamespace(inference=list(networks))),
        variant=SimpleNamespace(full_name="somebodys-toy/toy"),
    )
    return Model(blueprint, networks)


def values(evaluation: Evaluation) -> dict[str, float]:
    return {result.metric: result.value for result in evaluation.results}


def test_a_model_that_draws_the_data_is_near_them_and_one_of_noise_is_far() -> None:
    good = values(zoo.evaluate(model_of(generator=Remembering()), "digits", count=300))
    bad = values(zoo.evaluate(model_of(generator=Unflattening()), "digits", count=300))
    assert good.keys() == bad.keys()
    assert good["FID[mnist-convnet]"] < bad["FID[mnist-convnet]"] / 10
    assert good["KID[mnist-convnet]"] < bad["KID[mnist-convnet]"] / 10
    assert good["precision[mnist-convnet]"] > 0.8 > 0.2 > bad["recall[mnist-convnet]"]


def test_every_result_says_how_it_was_measured() -> None:
    evaluation = zoo.evaluate(model_of(generator=Remembering()), "digits", count=50, seed=3)
    for result in evaluation.results:
        said = json.loads(json.dumps(result.to_json()))
        assert said["metric"].endswith("[mnist-convnet]")
        assert said["features_hash"].startswith("sha256:")
        assert said["features_resize_filter"] == "bilinear, antialiased"
        assert (said["resize_filter"], said["generated"], said["seed"]) == ("lanczos", 50, 3)
        assert said["weights"] == "final"
        assert said["fingerprint"].startswith("sha256:")
    fid, kid = evaluation.results[:2]
    assert (fid.real, kid.real) == (1797, 50)
    assert kid.spread is not None and kid.spread > 0


def test_the_same_seed_gives_the_same_numbers_whatever_the_batch_size() -> None:
    before = torch.get_rng_state()
    model = model_of(generator=Remembering())
    first, other = (
        values(zoo.evaluate(model, "digits", count=100, batch_size=size)) for size in (64, 9)
    )
    assert first == pytest.approx(other, rel=1e-4, abs=1e-6)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_images_are_those_that_sampling_draws(ganzoo_here: GanzooHere) -> None:
    model = zoo.create("dcgan", image_size=16, width=4, channels=1)
    drawn = torch.cat([batch.images for batch in draw(model, 10, 5, 4)])
    torch.testing.assert_close(drawn, model.sample(10, seed=5), rtol=0, atol=1 / 255 + 1e-6)


@pytest.mark.parametrize("classes", [0, 10])
def test_a_classifier_that_knows_the_data_counts_modes_and_classes(
    classes: int, shared: Callable[[str], Path]
) -> None:
    mnist = f"idx:{shared('data/mnist')}"
    model = model_of(generator=Remembering(mnist, "test", classes=classes))
    data = open_images(mnist, image_size=16, channels=1, split="test")
    chosen = default_metrics(model, data, find_features("mnist-convnet"))
    assert ("modes" in chosen, "class-accuracy" in chosen) == (True, classes > 0)
    metrics = [key for key in chosen if key in ("modes", "class-accuracy")]
    found = zoo.evaluate(model, mnist, split="test", metrics=metrics, count=200, write=False)
    assert {result.data for result in found.results} == {"idx:mnist"}
    assert values(found)["modes[mnist-convnet]"] == 10
    assert values(found)["mode KL[mnist-convnet]"] < 0.2
    if classes:
        assert values(found)["class accuracy[mnist-convnet]"] > 0.9


def test_a_classifier_that_does_not_know_the_data_judges_no_classes() -> None:
    model = model_of(generator=Remembering())
    data = open_images("digits", image_size=16, channels=1)
    assert "modes" not in default_metrics(model, data, find_features("mnist-convnet"))
    with pytest.raises(UnsupportedError, match="of the real images of digits, too few"):
        zoo.evaluate(model, "digits", metrics=["modes"], count=20)


def test_an_autoencoder_is_measured_by_its_reconstructions() -> None:
    model = model_of(encoder=Flattening(), decoder=Unflattening())
    found = zoo.evaluate(model, "digits", metrics=["mse", "ssim"], count=40)
    assert values(found) == pytest.approx({"MSE": 0, "SSIM": 1}, abs=1e-5)
    assert all(result.features is None and result.real == 40 for result in found.results)


def test_all_metrics_of_samples_can_be_measured_at_once() -> None:
    names = [
        *("is", "memorisation", "diversity", "ppl", "swd", "ms-ssim"),
        *("fid", "kid", "precision-recall", "density-coverage"),
    ]
    model = model_of(generator=Remembering())
    found = values(zoo.evaluate(model, "digits", metrics=names, count=40))
    assert all(np.isfinite(list(found.values())))
    assert found["memorisation[mnist-convnet]"] == pytest.approx(1, abs=0.1)
    assert {"SWD 16", "SWD average", "MS-SSIM of 1 scale"} <= found.keys()
    assert {"perceptual diversity[mnist-convnet]", "PPL[mnist-convnet]"} <= found.keys()


def test_a_model_that_draws_one_picture_gets_numbers_all_the_same() -> None:
    found = values(zoo.evaluate(model_of(generator=Remembering(flat=True)), "digits", count=30))
    assert found["FID[mnist-convnet]"] > 1
    assert found["recall[mnist-convnet]"] == 0


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"count": 1}, DataError, "at least 2 images"),
        ({"count": 3, "metrics": ["precision-recall"]}, DataError, "at least 4"),
        ({"metrics": ["fidd"]}, UnknownNameError, "did you mean 'fid'"),
        ({"metrics": []}, UnknownNameError, "choose one of"),
        ({"metrics": ["ssim"]}, UnsupportedError, "cannot reconstruct"),
        ({"metrics": ["class-accuracy"]}, UnsupportedError, "cannot be asked for a class"),
        ({"features": "mnist-convne"}, UnknownNameError, "mnist-convnet"),
        ({"split": "test"}, DataError, "single split"),
        ({"resize_filter": "nearest"}, UnknownNameError, "resize filter"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    changes: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as raised:
        zoo.evaluate(model_of(generator=Remembering()), "digits", **({"count": 20} | changes))
    assert "\n" not in str(raised.value)


def test_images_that_are_not_numbers_are_one_sentence() -> None:
    with pytest.raises(DataError, match="first being number 0: the model has diverged"):
        zoo.evaluate(model_of(generator=Remembering(broken=True)), "digits", count=20)


# The cache of the real side


def test_the_real_images_are_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    data = open_images("digits", image_size=8, channels=1)
    features = find_features("mnist-convnet")
    seen: list[int] = []

    def watch(what: str, done: int, total: int) -> None:
        seen.append(done)

    first = real_moments(data, features, progress=watch)
    rows = real_features(data, features, 20, progress=watch)
    calls = len(seen)
    again = real_moments(data, features, progress=watch)
    assert torch.equal(real_features(data, features, 20, progress=watch), rows)
    assert len(seen) == calls
    np.testing.assert_array_equal(first.covariance, again.covariance)
    assert not torch.equal(real_features(data, features, 20, seed=1), rows)
    real_moments(data, find_features("fashion-mnist-convnet"), progress=watch)
    assert len(seen) > calls


def test_a_damaged_entry_of_the_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    data = open_images("digits", image_size=8, channels=1)
    features = find_features("mnist-convnet")
    first = real_moments(data, features)
    (entry,) = (Path(cache_folder()) / "evaluation").iterdir()
    for damaged in (entry.read_bytes()[:1000], b"", b"PK not an archive"):
        entry.write_bytes(damaged)
        np.testing.assert_array_equal(real_moments(data, features).mean, first.mean)
    assert [path.name for path in entry.parent.iterdir()] == [entry.name]


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = open_images("digits", image_size=8, channels=1)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    (tmp_path / "evaluation").write_text("in the way")
    with pytest.raises(RunError, match="GANZOO_CACHE"):
        real_moments(data, find_features("mnist-convnet"))


# The command


@pytest.fixture
def trained(ganzoo_here: GanzooHere, tmp_path: Path) -> Path:
    tiny = ("--set", "width=4", "--set", "latent_size=4", "--image-size", "16")
    said = ganzoo_here("train", "dcgan", *tiny, "--batch-size", "8", "--steps", "2", "--out", "run")
    assert said.code == 0, said.err
    return tmp_path / "run"


def test_the_command_prints_a_table_and_records_it(ganzoo_here: GanzooHere, trained: Path) -> None:
    said = ganzoo_here("evaluate", trained, "--data", "digits", "-n", "40")
    assert said.code == 0, said.err
    header, fid, *_ = said.out.splitlines()
    assert header.split() == ["METRIC", "VALUE", "SPREAD", "BETTER", "REAL", "GENERATED"]
    assert fid.split()[0] == "FID[mnist-convnet]"
    assert fid.split()[-2:] == ["1797", "40"]
    recorded = read_evaluation(trained / "evaluation.json")
    assert [result.metric for result in recorded.results][:2] == [
        "FID[mnist-convnet]",
        "KID[mnist-convnet]",
    ]
    card = (trained / "model" / "README.md").read_text()
    index = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"][0]
    assert index["dataset"]["name"] == "digits"
    assert index["metrics"][0]["name"] == "FID[mnist-convnet]"
    assert index["metrics"][0]["args"]["generated"] == 40
    assert "## Use" in card and "## Training" in card
    zoo.load(trained)


def test_a_later_evaluation_adds_to_the_record_and_other_weights_begin_anew(
    ganzoo_here: GanzooHere, trained: Path
) -> None:
    for metrics in ("fid,kid", "fid,is"):
        said = ganzoo_here(
            "evaluate", trained, "--data", "digits", "-n", "20", "--metrics", metrics, "--json"
        )
        assert said.code == 0, said.err
        assert len(said.json["results"]) == 2
    names = [each.metric for each in read_evaluation(trained / "evaluation.json").results]
    assert names == ["KID[mnist-convnet]", "FID[mnist-convnet]", "Inception Score[mnist-convnet]"]
    model = zoo.load(trained)
    with torch.no_grad():
        next(model.networks["generator"].parameters()).add_(1)
    zoo.evaluate(model, "digits", metrics=["swd"], count=4)
    names = [each.metric for each in read_evaluation(trained / "evaluation.json").results]
    assert names == ["SWD 16", "SWD average"]


def test_a_damaged_record_is_replaced(ganzoo_here: GanzooHere, trained: Path) -> None:
    (trained / "evaluation.json").write_text("{")
    with pytest.raises(RunError, match="not valid JSON"):
        read_evaluation(trained / "evaluation.json")
    said = ganzoo_here("evaluate", trained, "--data", "digits", "-n", "4", "--metrics", "fid")
    assert said.code == 0, said.err
    assert len(read_evaluation(trained / "evaluation.json").results) == 1


def test_memorisation_leaves_a_picture(ganzoo_here: GanzooHere, trained: Path) -> None:
    said = ganzoo_here(
        "evaluate", trained / "model", "--data", "digits", "-n", "9", "--metrics", "memorisation"
    )
    assert said.code == 0, said.err
    assert (trained / "model" / "nearest.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--data", "nowhere"), ["unknown data set"]),
        (("--data", "digits", "-n", "0"), ["at least 1"]),
        (("--data", "digits", "-n", "1"), ["at least 2 images"]),
        (("--data", "digits", "--metrics", "fid,nothing"), ["unknown metric 'nothing'"]),
        (("--data", "digits", "--features", "no_such_net"), ["unknown features"]),
        ((), ["--data"]),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(
    ganzoo_here: GanzooHere, trained: Path, arguments: tuple[str, ...], parts: list[str]
) -> None:
    ganzoo_here("evaluate", trained, *arguments).is_one_sentence(*parts)
    assert not (trained / "evaluation.json").exists()
