"""What was measured of a model is in the card that a plugin ships with it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from fake_plugins import GanzooHere, entry, manifest

import ganzoo_core as zoo
from ganzoo_core.hub.shipping import ship

TINY = ("--set", "width=4", "--set", "latent_size=4", "--image-size", "16", "--batch-size", "8")


@pytest.fixture
def evaluated(ganzoo_here: GanzooHere, tmp_path: Path) -> Path:
    assert ganzoo_here("train", "dcgan", *TINY, "--steps", "2", "--out", "run").code == 0
    said = ganzoo_here("evaluate", "run", "--data", "digits", "-n", "20", "--metrics", "fid,swd")
    assert said.code == 0, said.err
    return tmp_path / "run"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    package = tmp_path / "my-plugin" / "src" / "my_plugin"
    package.mkdir(parents=True)
    (package / "ganzoo-plugin.json").write_text(json.dumps(manifest(entry(name="dcgan"))))
    return tmp_path / "my-plugin"


def metrics_of(folder: Path) -> dict[str, Any]:
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    found = header.get("model-index", [{"results": []}])[0]["results"]
    return {metric["name"]: metric for result in found for metric in result["metrics"]}


@pytest.mark.parametrize("half", [True, False])
def test_measured_results_survive_shipping(
    ganzoo_here: GanzooHere, evaluated: Path, source: Path, half: bool
) -> None:
    options = ("--tag", "tiny", "--license", "CC0-1.0", *(["--half"] if half else []))
    said = ganzoo_here("ship", evaluated, source, *options, "--json")
    assert said.code == 0, said.err
    folder = source / "src" / "my_plugin" / said.json["shipped"]
    ours, before = metrics_of(folder), metrics_of(evaluated / "model")
    assert ours.keys() == before.keys() == {"FID[mnist-convnet]", "SWD 16", "SWD average"}
    fid = ours["FID[mnist-convnet]"]
    assert fid["value"] == before["FID[mnist-convnet]"]["value"]
    assert fid["args"]["generated"] == 20
    assert fid["args"].get("note", "").startswith("measured before") == half
    pinned = {file["path"]: file["sha256"] for file in said.json["files"]}
    assert pinned["README.md"] == hashlib.sha256((folder / "README.md").read_bytes()).hexdigest()


def test_what_was_measured_of_other_weights_is_not_shipped(evaluated: Path, source: Path) -> None:
    model = zoo.load(evaluated)
    with torch.no_grad():
        next(model.networks["generator"].parameters()).add_(1)
    pinned = ship(model, source, "tiny", license="CC0-1.0", summary="", half=False)
    assert metrics_of(source / "src" / "my_plugin" / pinned["shipped"]) == {}
