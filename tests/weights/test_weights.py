"""Weights, as their users have them: from a package, the Hub, a folder, or the authors' files."""

import hashlib
import itertools
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_plugins import Answer, FakePlugins, Ganzoo, GanzooHere, entry, manifest
from hub_server import HubServer
from safetensors.torch import load_file, save_file

import ganzoo_core as zoo
from ganzoo_core.errors import CheckpointError, HubError, PluginError, RunError


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A small trained model's folder."""
    model = zoo.create("dcgan", image_size=16, channels=1, width=4, latent_size=4)
    del model.networks["discriminator"]
    return model.save(tmp_path / "model")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


def pin(folder: Path, **changes: Any) -> dict[str, Any]:
    """A manifest's entry for the files of a folder."""
    files = [
        {
            "path": file.name,
            "size": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(folder.iterdir())
    ]
    return {"tag": "small", "summary": "small", "license": "CC0-1.0", "files": files, **changes}


class HubUser:
    """Somebody who has a plugin whose weights are on a Hub."""

    def __init__(self, ganzoo: Ganzoo, hub: HubServer, home: Path) -> None:
        self.ganzoo, self.hub, self.home = ganzoo, hub, home

    def __call__(
        self, *arguments: str | Path, offline: bool = False, token: str | None = None
    ) -> Answer:
        environment = self.hub.environment(self.home, token=token, offline=offline)
        ours = {"PYTHONPATH", "GANZOO_CACHE"}
        changes = {
            name: value
            for name, value in environment.items()
            if os.environ.get(name) != value and name not in ours
        }
        return self.ganzoo(*arguments, **changes, GANZOO_CACHE=str(self.home / "ganzoo"))


@pytest.fixture
def user(
    ganzoo: Ganzoo, plugins: FakePlugins, hub: HubServer, model_folder: Path, tmp_path: Path
) -> HubUser:
    contents = {file.name: file.read_bytes() for file in model_folder.iterdir()}
    revision = hub.add("zoo/toy", contents, tag="v1")
    pinned = pin(model_folder, repo="zoo/toy", revision=revision)
    plugins.install("somebodys-toy", manifest(entry(pretrained=[pinned])))
    return HubUser(ganzoo, hub, tmp_path / "home")


def test_pinned_weights_are_fetched_once_and_then_cost_no_request(
    user: HubUser, hub: HubServer
) -> None:
    first = user("load", "toy", "--pretrained", "--json").json
    assert (first["place"], first["verified"]) == ("hub", True)
    assert first["weights_license"] == "CC0-1.0"
    before = len(hub.requests)
    again = user("load", "toy.small", "--json").json
    assert (again["place"], again["verified"]) == ("cache", True)
    assert len(hub.requests) == before
    assert user("sample", "toy.small", "-n", "2", offline=True).code == 0
    listed = {row["name"]: row for row in user("weights", "--json").json}
    assert (listed["toy.small"]["place"], listed["toy.small"]["state"]) == ("cache", "verified")
    assert "freed" in user("weights", "--remove", "toy.small").out
    assert {row["name"]: row["place"] for row in user("weights", "--json").json}[
        "toy.small"
    ] == "hub"


def test_offline_and_absent_names_the_command_that_fetches(user: HubUser) -> None:
    user("load", "toy", "--pretrained", offline=True).is_one_sentence("ganzoo fetch toy.small")
    assert "is at hand" in user("fetch", "toy.small").out
    assert user("load", "toy.small", offline=True).code == 0


def test_damaged_weights_are_refused_and_leave_nothing(user: HubUser, hub: HubServer) -> None:
    hub.fault(".*model.safetensors", damaged=True)
    user("load", "toy.small").is_one_sentence("model.safetensors")
    hub.heal()
    assert user("load", "toy.small", "--json").json["verified"]


def test_a_model_is_published_and_loaded_by_its_name(
    user: HubUser, hub: HubServer, model_folder: Path
) -> None:
    token = hub.token("me")
    said = user("publish", model_folder, "me/my-gan", "--tag", "v1", "--json", token=token).json
    assert said["changed"]
    assert said["pretrained"]["repo"] == "me/my-gan"
    assert len(said["pretrained"]["revision"]) == 40
    pinned = {file["path"]: file["sha256"] for file in said["pretrained"]["files"]}
    weights = (model_folder / "model.safetensors").read_bytes()
    assert pinned["model.safetensors"] == hashlib.sha256(weights).hexdigest()
    again = user("publish", model_folder, "me/my-gan", "--tag", "v1", "--json", token=token).json
    assert not again["changed"]
    loaded = user("load", "me/my-gan@v1", "--json").json
    assert loaded["variant"] == "dcgan"
    assert loaded["weights_license"] == "apache-2.0"
    user("publish", model_folder, "me/my-gan").is_one_sentence("hf auth login")
    found = user("search", "--hub", "my-gan", "--json").json
    assert [model["id"] for model in found] == ["me/my-gan"]
    assert "me/my-gan" in user("search", "--hub").out


def test_a_name_that_is_nowhere_gets_a_sentence(user: HubUser) -> None:
    user("load", "toy", "--pretrained=smal").is_one_sentence("unknown tag 'smal'", "'small'")
    user("load", "nobody/nothing").is_one_sentence("nobody/nothing")
    user("load", "gann").is_one_sentence("unknown model 'gann'", "'gan'")


def test_weights_in_a_package_are_found_first_and_need_no_network(
    ganzoo_here: GanzooHere, plugins: FakePlugins, model_folder: Path
) -> None:
    pinned = pin(model_folder, shipped="pretrained/small")
    package = plugins.install("somebodys-toy", manifest(entry(pretrained=[pinned])))
    model_folder.rename(package / "small")
    (package / "pretrained").mkdir()
    (package / "small").rename(package / "pretrained" / "small")
    loaded = ganzoo_here("load", "toy", "--pretrained", "--json").json
    assert (loaded["place"], loaded["verified"]) == ("package", True)
    weights = package / "pretrained" / "small" / "model.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    ganzoo_here("load", "toy", "--pretrained").is_one_sentence("damaged", "pip install")
    verified = ganzoo_here("weights", "--verify")
    assert verified.code == 1
    assert "damaged" in verified.out
    weights.unlink()
    ganzoo_here("load", "toy", "--pretrained").is_one_sentence("absent", "pip install")


def test_a_trained_model_is_shipped_in_a_plugin_under_its_hashes(
    model_folder: Path, tmp_path: Path
) -> None:
    package = tmp_path / "my-plugin" / "src" / "my_plugin"
    package.mkdir(parents=True)
    (package / "ganzoo-plugin.json").write_text(json.dumps(manifest(entry(name="dcgan"))))
    from ganzoo_core.hub.shipping import ship

    original = load_file(model_folder / "model.safetensors")
    model = zoo.load(model_folder)
    pinned = ship(
        model, tmp_path / "my-plugin", "tiny", license="CC0-1.0", summary="tiny", half=True
    )
    written = json.loads((package / "ganzoo-plugin.json").read_text())
    assert written["variants"][0]["pretrained"] == [pinned]
    shipped = zoo.load(package / pinned["shipped"])
    for name, weights in shipped.networks["generator"].state_dict().items():
        expected = original[f"generator.{name}"]
        assert weights.dtype == expected.dtype  # half in the file, whole in the network
        torch.testing.assert_close(weights, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(PluginError, match="no variant 'dcgan'"):
        (package / "ganzoo-plugin.json").write_text(json.dumps(manifest(entry(name="other"))))
        ship(model, tmp_path / "my-plugin", "t", license="CC0-1.0", summary="", half=False)
    with pytest.raises(PluginError, match="not a plugin's source"):
        ship(model, tmp_path, "t", license="CC0-1.0", summary="", half=False)


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_weights_that_do_not_fit_are_one_clear_error(model_folder: Path) -> None:
    name = "generator.layers.0.weight"
    cases: list[tuple[Callable[[dict[str, torch.Tensor]], object], str]] = [
        (lambda weights: weights.pop(name), "1 weights are missing .*layers.0.weight"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "not this model's .extra"),
        (lambda weights: weights.update({name: torch.zeros(3)}), r"float32 \[3\] and must be"),
        (
            lambda weights: weights.update({name: weights[name].to(torch.int64)}),
            "int64 .* and must be float32",
        ),
    ]
    whole = (model_folder / "model.safetensors").read_bytes()
    for change, said in cases:
        (model_folder / "model.safetensors").write_bytes(whole)
        rewrite(model_folder, change)
        with pytest.raises(CheckpointError, match=said):
            zoo.load(model_folder)


def test_damaged_or_missing_files_of_a_folder_are_one_clear_error(model_folder: Path) -> None:
    weights = model_folder / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (b"", whole[:100], b"\xff" * 64, struct.pack("<Q", 2**60) + whole[8:]):
        weights.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged"):
            zoo.load(model_folder)
    weights.unlink()
    with pytest.raises(CheckpointError, match="missing"):
        zoo.load(model_folder)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a description"),
        (b"{}", "schema: field required"),
        (b'{"schema": 99}', "upgrade ganzoo-core"),
        (b'{"schema": 1}', "not a description"),
        (b'{"schema": 1, "variant": 3, "components": {}}', "variant"),
        (b'{"schema": 1, "variant": "x", "components": {"a": 1}}', "not a description"),
        (b'{"schema": 1, "variant": "nobodys/x", "components": {}}', "needs the plugin nobodys"),
    ],
)
def test_a_strange_config_is_one_clear_error(model_folder: Path, config: bytes, said: str) -> None:
    (model_folder / "config.json").write_bytes(config)
    with pytest.raises(zoo.GanzooError, match=said):
        zoo.load(model_folder)


def test_loading_needs_hardly_more_memory_than_the_weights(ganzoo: Ganzoo, tmp_path: Path) -> None:
    model = zoo.create("gan", generator={"width": 4800}, discriminator={"width": 1, "pieces": 1})
    del model.networks["discriminator"]
    folder = model.save(tmp_path / "large")
    size = (folder / "model.safetensors").stat().st_size
    assert size > 100e6
    code = (
        "import resource, sys, torch, ganzoo_core as zoo\n"
        "from ganzoo_core.hub import folder, files\n"
        "zoo.create('gan', generator={'width': 8}, discriminator={'width': 8})\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak()\n"
        "model = zoo.load(sys.argv[1])\n"
        "touched = sum(float(w.sum()) for w in model.networks['generator'].parameters())\n"
        "print(peak() - before)\n"
    )
    said = ganzoo.python("-c", code, folder)
    assert int(said.out) < 1.2 * size, said


def test_loading_does_not_touch_global_random_state(model_folder: Path) -> None:
    before = torch.get_rng_state()
    zoo.load(model_folder).sample(3)
    assert torch.equal(before, torch.get_rng_state())


def test_a_card_tells_the_hub_what_it_is(model_folder: Path) -> None:
    import yaml

    header = yaml.safe_load((model_folder / "README.md").read_text().split("---\n")[1])
    assert header["library_name"] == "ganzoo"
    assert header["pipeline_tag"] == "unconditional-image-generation"
    assert {"ganzoo", "dcgan", "gan"} <= set(header["tags"])


def test_authors_dcgan_converts_to_equal_outputs(
    ganzoo_here: GanzooHere, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    sample = shared("checkpoints/dcgan_g")
    said = ganzoo_here(
        "convert", sample / "checkpoint.pth", "--variant", "dcgan", "--out", tmp_path / "converted",
        "--license", "BSD-3-Clause",
    )  # fmt: skip
    assert "generator, 64x64 pixels, 3 channels, width 16" in said.out
    model = zoo.load(tmp_path / "converted")
    latents = torch.load(sample / "input.pt", weights_only=True)["z"]
    expected = torch.load(sample / "expected.pt", weights_only=True)["y"]
    torch.testing.assert_close(model.decode(latents.flatten(1)), expected, rtol=0, atol=1e-5)
    assert model.origin.license == "bsd-3-clause"


def pytorch_examples_state(layers: list[torch.nn.Module]) -> dict[str, torch.Tensor]:
    network = torch.nn.Sequential(*layers)
    return {f"main.{name}": value for name, value in network.state_dict().items()}


def reference_networks(size: int) -> tuple[torch.nn.Sequential, torch.nn.Sequential]:
    """The networks of the PyTorch examples at any size, in their layout."""
    nn = torch.nn
    maps = [4 * 2**level for level in range(size.bit_length() - 3)]
    up: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(zip([7, *maps[::-1]], maps[::-1], strict=False)):
        stride = (4, 2, 1) if number else (4, 1, 0)
        up += [nn.ConvTranspose2d(inputs, outputs, *stride, bias=False), nn.BatchNorm2d(outputs),
               nn.ReLU()]  # fmt: skip
    up += [nn.ConvTranspose2d(maps[0], 3, 4, 2, 1, bias=False), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(3, maps[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for inputs, outputs in itertools.pairwise(maps):
        down += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs),
                 nn.LeakyReLU(0.2)]  # fmt: skip
    down += [nn.Conv2d(maps[-1], 1, 4, 1, 0, bias=False), nn.Sigmoid()]
    return nn.Sequential(*up), nn.Sequential(*down)


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("prefix", ["main.", "module.main.", "model."])
def test_generator_and_discriminator_of_any_size_convert(
    tmp_path: Path, size: int, prefix: str
) -> None:
    generator, discriminator = reference_networks(size)
    files = []
    for name, network in (("netG.pth", generator), ("netD.pth", discriminator)):
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.uniform_(-1, 1)
                layer.running_var.uniform_(0.5, 2)
        torch.save({prefix + k: v for k, v in network.state_dict().items()}, tmp_path / name)
        files.append(tmp_path / name)
    zoo.convert(files, "dcgan", tmp_path / "out")
    assert (tmp_path / "out" / "discriminator.safetensors").is_file()
    model, _ = zoo.convert(files, "dcgan", tmp_path / "out2")
    latents = torch.randn(2, 7)
    with torch.no_grad():
        images = generator.eval()(latents[:, :, None, None])
        torch.testing.assert_close(model.decode(latents), images, rtol=0, atol=1e-5)
        logits = model.networks["discriminator"](images).logits
        expected = discriminator.eval()(images).flatten()
        torch.testing.assert_close(logits.sigmoid(), expected, rtol=0, atol=1e-5)


def test_files_that_are_no_dcgan_are_refused_whole(
    ganzoo_here: GanzooHere, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    for name in ("cyclegan_g/checkpoint.pth", "lucidrains_dvae/checkpoint.pth"):
        file = shared("checkpoints") / name
        ganzoo_here("convert", file, "--variant", "dcgan", "--out", "x").is_one_sentence(
            "is not a DCGAN"
        )
    (tmp_path / "text.pth").write_text("hello")
    for arguments, said in [
        (("text.pth", "--variant", "dcgan"), "text.pth"),
        (("nowhere.pth", "--variant", "dcgan"), "nowhere.pth"),
        (("text.pth", "--variant", "gan"), "reads no published checkpoints"),
        (("text.pth", "--variant", "dcgn"), "did you mean 'dcgan'"),
    ]:
        ganzoo_here("convert", *arguments, "--out", "x").is_one_sentence(said)
    assert not (tmp_path / "x").exists()


def test_a_discriminator_alone_is_no_model(tmp_path: Path) -> None:
    _, discriminator = reference_networks(16)
    torch.save(
        {f"main.{k}": v for k, v in discriminator.state_dict().items()}, tmp_path / "netD.pth"
    )
    with pytest.raises(CheckpointError, match="the generator of dcgan is in none"):
        zoo.convert([tmp_path / "netD.pth"], "dcgan", tmp_path / "x")
    with pytest.raises(CheckpointError, match="again"):
        zoo.convert([tmp_path / "netD.pth"] * 2, "dcgan", tmp_path / "x")
    with pytest.raises(RunError, match="exists already"):
        zoo.convert([tmp_path / "netD.pth"], "dcgan", tmp_path)


def test_a_variant_without_weights_says_how_to_get_some() -> None:
    with pytest.raises(PluginError, match="ganzoo train aae-clustering"):
        zoo.load("aae-clustering")


def test_publishing_what_is_no_model_is_refused_before_any_request(tmp_path: Path) -> None:
    with pytest.raises((HubError, zoo.GanzooError), match="neither a run nor a model"):
        zoo.publish(tmp_path, "me/x")


def test_a_loaded_model_draws_what_the_trained_one_drew(tmp_path: Path) -> None:
    settings = {"width": 8, "latent_size": 4, "training.steps": 2, "training.batch_size": 4}
    trained = zoo.train("dcgan", out=tmp_path / "run", settings=settings, device="cpu")
    assert torch.equal(trained.sample(5), zoo.load(tmp_path / "run").sample(5))
