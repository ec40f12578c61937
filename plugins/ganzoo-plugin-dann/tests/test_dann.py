import json
import math
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganzoo_plugin_dann.config import (
    DannConfig,
    DannEncoderConfig,
    DomainClassifierConfig,
    LeNetConfig,
)
from ganzoo_plugin_dann.losses import reversed_gradient, taken_for_source, told_apart
from ganzoo_plugin_dann.networks import DannEncoder, DomainClassifier, LeNet
from ganzoo_plugin_dann.trainer import annealed
from torch import nn

import ganzoo_core as zoo
from ganzoo_core.blueprint import draw_up
from ganzoo_core.components import DiscriminatorOutput, Progress, Step
from ganzoo_core.data import open_images
from ganzoo_core.errors import CheckpointError, ConfigError, DataError, UnsupportedError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks
from ganzoo_core.testing.subjects import engine_of, noise_of
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.engine import Engine
from ganzoo_core.training.processes import Processes

TINY = {"image_size": 16, "channels": 1, "first_maps": 4, "second_maps": 8} | {
    "hidden": 12,
    "training.batch_size": 16,
}


@parametrize_with_checks("ganzoo-plugin-dann")
def test_conformance(check):
    check()


def engine(variant="dann", **settings):
    return engine_of(draw_up(read_installed(), variant, {**TINY, "classes": 3, **settings}))


def test_the_reversal_passes_codes_on_and_turns_their_gradient_round():
    codes = torch.tensor([[1.0, -2.0]], requires_grad=True)
    weights = torch.tensor([[3.0, 5.0]])
    passed = reversed_gradient(codes, 0.25)
    assert torch.equal(passed, codes)
    (passed * weights).sum().backward()
    assert codes.grad.tolist() == [[-0.75, -1.25]]


@pytest.mark.parametrize(("share", "expected"), [(0, 0.0), (0.1, 0.46212), (0.5, 0.98661)])
def test_lambda_grows_as_in_the_paper(share, expected):
    trainer = engine().trainer
    assert trainer.reversal(Progress(int(share * 1000), 1000, 0.0)) == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize(("share", "expected"), [(0, 0.01), (0.3, 0.01 / 4**0.75), (0.9, 0.001778)])
def test_the_rate_falls_as_in_the_paper(share, expected):
    config = DannConfig()
    factor = annealed(config)(Progress(int(share * 1000), 1000, 0.0))
    assert config.optimizer.lr * factor == pytest.approx(expected, rel=1e-3)
    assert config.optimizer.momentum == 0.9


def test_the_domains_loss_is_the_sum_of_both_means():
    logits = torch.tensor([2.0, -1.0, 0.5, -3.0])
    total, wrong = told_apart(DiscriminatorOutput(logits))
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2 + (
        math.log(1 + math.exp(0.5)) + math.log(1 + math.exp(-3))
    ) / 2
    assert total.item() == pytest.approx(by_hand, rel=1e-6)
    assert wrong.item() == 0.5
    fooled = taken_for_source(DiscriminatorOutput(torch.tensor([0.0])))
    assert fooled.item() == pytest.approx(math.log(2))


def test_the_encoder_learns_classes_minus_lambda_times_domains_and_the_discriminator_domains():
    running = engine()
    trainer, batch = running.trainer, running.batches.draw(0)
    phase, step = trainer.phases()[0], Step(noise_of(0), Progress(500, 1000, 0.0), "training")
    encoder, discriminator = (running.networks[role] for role in ("encoder", "discriminator"))
    weight, judge = encoder.features.conv1.weight, discriminator.layers.to_logit.weight
    trainer.loss(phase, batch, step).total.backward()
    got, judged = weight.grad.clone(), judge.grad.clone()
    strength = trainer.reversal(step.progress)
    code = encoder(torch.cat([batch.images, batch.other.images]))
    classes = nn.functional.cross_entropy(code.logits[:16], batch.labels)
    domains, _ = told_apart(discriminator(code.mean))
    of_classes = torch.autograd.grad(classes, weight, retain_graph=True)[0]
    of_domains, own = torch.autograd.grad(domains, (weight, judge))
    assert torch.allclose(got, of_classes - strength * of_domains, atol=1e-6)
    assert torch.allclose(judged, own, atol=1e-6)
    assert strength > 0.98


def test_the_papers_network():
    encoder, discriminator = (
        DannEncoder(DannEncoderConfig()),
        DomainClassifier(DomainClassifierConfig()),
    )
    shapes = [tuple(w.shape) for w in encoder.parameters() if w.dim() > 1]
    assert shapes == [(32, 3, 5, 5), (48, 32, 5, 5), (100, 768), (100, 100), (10, 100)]
    assert [tuple(w.shape) for w in discriminator.parameters() if w.dim() > 1] == [
        (100, 768),
        (1, 100),
    ]


@pytest.mark.parametrize("size", [28, 32])
def test_sizes_of_encoder_and_discriminator_go_together(size):
    blueprint = draw_up(read_installed(), "dann", {"image_size": size, "classes": 10})
    networks = blueprint.build_networks()
    images = torch.zeros(2, 3, size, size)
    code = networks["encoder"].eval()(images)
    assert networks["discriminator"](code.mean).logits.shape == (2,)
    assert code.logits.shape == (2, 10)
    assert LeNet(LeNetConfig(image_size=size)).eval()(images[:, :1]).mean.shape == (2, 500)


def data(classes_of_target="same", root=None):
    name = "domains:digits,digits"
    found = open_images(name, image_size=16, channels=1)
    assert found.other is not None
    if classes_of_target == "permuted":
        labels = np.random.default_rng(0).permutation(found.other.labels)
        return replace(found, other=replace(found.other, labels=labels))
    return found


def weights_after(found, variant, steps=6):
    blueprint = draw_up(read_installed(), variant, {**TINY, "classes": 10, "training.steps": steps})
    trainer = blueprint.build_trainer(blueprint.build_networks())
    batches = ImageBatches(found, 16, 0, Processes("cpu"), image_size=16, other=trainer.other)
    running = Engine(trainer, batches, blueprint.training)
    for _ in range(steps):
        running.step()
    return {
        f"{role}.{name}": weight
        for role, network in running.networks.items()
        for name, weight in network.state_dict().items()
    }


def test_permuting_the_targets_labels_changes_no_weight():
    usual, permuted = (weights_after(data(kind), "dann") for kind in ("same", "permuted"))
    assert all(torch.equal(usual[name], permuted[name]) for name in usual)


def test_the_source_alone_does_not_look_at_the_target():
    found = data()
    dark = replace(found, other=replace(found.other, images=np.zeros_like(found.other.images)))
    usual, blind = (weights_after(each, "source-only") for each in (found, dark))
    assert all(torch.equal(usual[name], blind[name]) for name in usual)


def domains(tmp_path, **target):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "source.npz", images=images, labels=np.arange(40) % 3)
    np.savez(tmp_path / "target.npz", images=255 - images, **target)
    return {"source": "npz:source.npz", "target": "npz:target.npz", "data_root": tmp_path}


SMALL = {key: value for key, value in TINY.items() if key != "channels"} | {"training.steps": 2}


def test_a_run_ends_with_the_score_of_both_domains(tmp_path):
    given = domains(tmp_path, labels=np.arange(40) % 3)
    model = zoo.train("dann", **given, out=tmp_path / "run", settings=SMALL)
    assert set(model.verbs) == {"encode", "classify"}
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())["results"]
    assert [each["data"] for each in found] == ["npz:target.npz", "npz:source.npz"]
    assert all(each["metric"] == "classification error" for each in found)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["source"] == "domains:npz:source.npz,npz:target.npz"
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "classification-error" in card
    assert "domains:npz:source.npz,npz:target.npz" in card
    again = zoo.evaluate(tmp_path / "run", **given)
    assert [each.value for each in again.results] == [each["value"] for each in found]
    resumed = zoo.resume(tmp_path / "run", settings={"training.steps": 4})
    assert resumed.classify(torch.zeros(1, 1, 16, 16)).shape == (1, 3)


def test_a_target_without_labels_is_adapted_to_and_has_no_score(tmp_path):
    given = domains(tmp_path)
    told = []

    class Watching(zoo_observer()):
        def noted(self, message):
            told.append(message)

    zoo.train("dann", **given, out=tmp_path / "run", settings=SMALL, observer=Watching())
    assert any("there is no final score" in each for each in told)
    assert not (tmp_path / "run" / "evaluation.json").exists()


def zoo_observer():
    from ganzoo_core.training.run import Observer

    return Observer


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        (np.arange(40) % 5, {}, "have other classes .3 of the source: 0, 1, 2; 5 of the target"),
        (None, {"source": "npz:target.npz"}, "has no labels"),
        (None, {"target": "npz:none.npz"}, "there is no file or folder"),
        (None, {"target": "folder:empty"}, "holds no image files"),
        (None, {"target": "some:3:npz:target.npz"}, "larger than the 3 images of the second set"),
    ],
)
def test_domains_that_do_not_fit_are_one_sentence(tmp_path, labels, changes, message):
    (tmp_path / "empty").mkdir()
    given = domains(tmp_path, **({} if labels is None else {"labels": labels})) | changes
    with pytest.raises(DataError, match=message) as caught:
        zoo.train("dann", **given, out=tmp_path / "run", settings=SMALL)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_one_set_of_images_is_no_adaptation(tmp_path):
    with pytest.raises(DataError, match="use --source D1 --target D2"):
        zoo.train("dann", "digits", out=tmp_path / "run", settings=SMALL)
    with pytest.raises(ConfigError, match="both --source and --target"):
        zoo.train("dann", source="digits", out=tmp_path / "run", settings=SMALL)
    with pytest.raises(ConfigError, match="give either"):
        zoo.train("dann", "digits", source="a", target="b", out=tmp_path / "run")


@pytest.mark.parametrize("size", [8, 27, 30, 300])
def test_a_size_that_the_poolings_do_not_divide_is_refused(size):
    with pytest.raises(ConfigError, match="image_size"):
        draw_up(read_installed(), "dann", {"image_size": size})


def test_an_encoder_of_other_features_says_what_to_set():
    parts = {"encoder": "ganzoo-plugin-dann/lenet"}
    blueprint = draw_up(read_installed(), "dann", {"classes": 10}, components=parts)
    with pytest.raises(ConfigError, match=r"discriminator\.latent_size=500"):
        blueprint.build_trainer(blueprint.build_networks())


def test_an_encoder_without_classes_is_refused():
    settings = {"image_size": 16, "channels": 1}
    blueprint = draw_up(read_installed(), "dann", settings, components={"encoder": "aae"})
    with pytest.raises(UnsupportedError, match="names none"):
        blueprint.build_trainer(blueprint.build_networks())


def test_a_backbone_of_timm_takes_the_place_of_the_encoder():
    pytest.importorskip("ganzoo_plugin_timm")
    settings = {"image_size": 32, "latent_size": 24, "training.batch_size": 4, "classes": 3}
    blueprint = draw_up(
        read_installed(), "dann", settings, components={"encoder": "timm:resnet10t"}
    )
    running = engine_of(blueprint)
    running.step()
    shown = running.batches.draw(0).images
    assert running.networks["encoder"](shown).logits.shape == (4, 3)


class CNNModel(nn.Module):
    """The names and shapes of fungtion/DANN, written by heart of its layout."""

    def __init__(self, maps=(64, 50), width=100, classes=10):
        super().__init__()
        first, second = maps
        flat = 16 * second
        self.feature = nn.Sequential()
        self.class_classifier = nn.Sequential()
        self.domain_classifier = nn.Sequential()
        for part, name, layer in (
            ("feature", "f_conv1", nn.Conv2d(3, first, 5)),
            ("feature", "f_bn1", nn.BatchNorm2d(first)),
            ("feature", "f_pool1", nn.MaxPool2d(2)),
            ("feature", "f_relu1", nn.ReLU(True)),
            ("feature", "f_conv2", nn.Conv2d(first, second, 5)),
            ("feature", "f_bn2", nn.BatchNorm2d(second)),
            ("feature", "f_drop1", nn.Dropout2d()),
            ("feature", "f_pool2", nn.MaxPool2d(2)),
            ("feature", "f_relu2", nn.ReLU(True)),
            ("class_classifier", "c_fc1", nn.Linear(flat, width)),
            ("class_classifier", "c_bn1", nn.BatchNorm1d(width)),
            ("class_classifier", "c_relu1", nn.ReLU(True)),
            ("class_classifier", "c_drop1", nn.Dropout2d()),
            ("class_classifier", "c_fc2", nn.Linear(width, width)),
            ("class_classifier", "c_bn2", nn.BatchNorm1d(width)),
            ("class_classifier", "c_relu2", nn.ReLU(True)),
            ("class_classifier", "c_fc3", nn.Linear(width, classes)),
            ("class_classifier", "c_softmax", nn.LogSoftmax(dim=1)),
            ("domain_classifier", "d_fc1", nn.Linear(flat, width)),
            ("domain_classifier", "d_bn1", nn.BatchNorm1d(width)),
            ("domain_classifier", "d_relu1", nn.ReLU(True)),
            ("domain_classifier", "d_fc2", nn.Linear(width, 2)),
            ("domain_classifier", "d_softmax", nn.LogSoftmax(dim=1)),
        ):
            getattr(self, part).add_module(name, layer)

    def forward(self, images):
        features = self.feature(images).flatten(1)
        return self.class_classifier(features), self.domain_classifier(features)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Save a network as the project does, whole, under the module names that its pickles have."""
    models, inner = types.ModuleType("models"), types.ModuleType("models.model")
    models.model, inner.CNNModel = inner, CNNModel
    monkeypatch.setitem(sys.modules, "models", models)
    monkeypatch.setitem(sys.modules, "models.model", inner)
    monkeypatch.setattr(CNNModel, "__module__", "models.model")

    def save(network, name="mnist_mnistm_model_epoch_99.pth", **options):
        torch.save(network, tmp_path / name, **options)
        return tmp_path / name

    return save


def trained(**shape):
    """Return a network whose statistics are those of images, as after training."""
    torch.default_generator.manual_seed(1)
    network = CNNModel(**shape)
    for _ in range(3):
        network(torch.rand(8, 3, 28, 28) * 2 - 1)
    return network.eval()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
def test_the_whole_pickled_module_answers_as_before(saved, tmp_path, legacy, parallel):
    network = trained()
    whole = nn.DataParallel(network) if parallel else network
    file = saved(whole, _use_new_zipfile_serialization=not legacy)
    for name in ("models", "models.model"):
        del sys.modules[name]
    model, sentences = zoo.convert([file], "dann", tmp_path / "out", license="mit")
    assert "fungtion/DANN" in sentences[0]
    images = torch.rand(5, 3, 28, 28) * 2 - 1
    with torch.no_grad():
        classes, domain = network(images)
        logits = model.networks["discriminator"](model.encode(images)).logits
    assert torch.allclose(model.classify(images).log(), classes, atol=1e-4)
    assert torch.allclose(logits, domain[:, 0] - domain[:, 1], atol=1e-4)
    loaded = zoo.load(tmp_path / "out")
    assert torch.equal(loaded.classify(images), model.classify(images))


def test_other_widths_and_numbers_of_classes_follow_from_the_shapes(saved, tmp_path):
    file = saved(trained(maps=(6, 4), width=9, classes=5))
    model, _ = zoo.convert([file], "dann", tmp_path / "out", license="mit")
    assert model.classify(torch.zeros(1, 3, 28, 28)).shape == (1, 5)


@pytest.mark.parametrize("what", ["another network", "no tensors", "damaged", "no domains"])
def test_what_is_no_network_of_the_project_is_refused_in_a_sentence(saved, tmp_path, what):
    file = tmp_path / "model.pth"
    if what == "another network":
        torch.save(nn.Linear(2, 2).state_dict(), file)
    elif what == "no tensors":
        torch.save({"epoch": 3}, file)
    elif what == "damaged":
        content = saved(trained(maps=(2, 2), width=2)).read_bytes()
        file.write_bytes(content[: len(content) // 2])
    else:
        network = trained(maps=(2, 2), width=2)
        del network.domain_classifier.d_fc2
        file = saved(network)
    with pytest.raises(CheckpointError) as caught:
        zoo.convert([file], "dann", tmp_path / "out", license="mit")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_picture_holds_a_run_against_another_model(tmp_path):
    given = domains(tmp_path, labels=np.arange(40) % 3)
    for variant in ("dann", "source-only"):
        settings = {k: v for k, v in SMALL.items() if variant == "dann" or k != "reversal"}
        zoo.train(variant, **given, out=tmp_path / variant, settings=settings)
    alone = zoo.latent(tmp_path / "dann", tmp_path / "alone", pictures=["domains"])
    beside = zoo.latent(
        tmp_path / "dann",
        tmp_path / "beside",
        pictures=["domains"],
        before=tmp_path / "source-only",
    )
    from PIL import Image

    low, high = (Image.open(drawn["domains"]).size for drawn in (alone, beside))
    assert low[0] == high[0]
    assert high[1] > 1.8 * low[1]
    with pytest.raises(UnsupportedError, match="name them with --source and --target"):
        zoo.latent(tmp_path / "dann", tmp_path / "x", pictures=["domains"], data="digits")
