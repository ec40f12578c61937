"""What `ganzoo new` writes is a complete plugin: clean, checked, installable, and it trains."""

import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from fake_plugins import Ganzoo, GanzooHere
from package_index.wheels import ROOT, build
from packaging.requirements import Requirement
from PIL import Image
from sklearn.datasets import load_digits
from torch.nn.functional import adaptive_avg_pool2d

import ganzoo_core as zoo
from ganzoo_core.data import open_images
from ganzoo_core.evaluation.real import pixels_to_images
from ganzoo_core.model import Model
from ganzoo_core.scaffold import KINDS, write_plugin
from ganzoo_core.scaffold.names import LONGEST
from ganzoo_core.scaffold.writing import TEMPLATES
from ganzoo_core.testing import check_distribution


def tool(name: str, *arguments: str | Path) -> None:
    """Run a development tool, which must find nothing."""
    if not find_spec(name):
        pytest.skip(f"{name} is not installed here")
    command = [sys.executable, "-m", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder: Path) -> set[str]:
    # Another test may have run what was written, which leaves compiled modules behind.
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def distance_from_digits(model: Model) -> float:
    """How far the mean picture of a model is from the mean digit, over 8x8 pixels in [-1, 1]."""
    digits = torch.from_numpy(load_digits().images).float() / 8 - 1
    pictures = adaptive_avg_pool2d(model.sample(256, seed=1), 8)[:, 0]
    return float((pictures.mean(0) - digits.mean(0)).abs().mean())


def distance_from_outlines(model: Model) -> float:
    """How far translated digits are from the digits' outlines, in [-1, 1]."""
    data = open_images("digit-outlines", image_size=8, channels=1)
    assert data.other is not None
    digits, outlines = (pixels_to_images(its.images[:200]) for its in (data, data.other))
    return float((model.translate(digits, batch_size=200) - outlines).abs().mean())


def project(folder: Path) -> Any:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def test_a_plugin_is_complete(written: Any) -> None:
    own = {
        "gan": {"networks.py"},
        "autoencoder": {"networks.py", "trainer.py"},
        "loss": {"losses.py"},
        "translator": {"networks.py", "trainer.py"},
    }
    modules = {"__init__.py", "hooks.py", "config.py", "py.typed", "ganzoo-plugin.json"}
    package = {f"src/{written.package}/{name}" for name in modules | own[written.kind]}
    assert files(written.folder) == package | {
        ".github/workflows/test.yml",
        ".gitignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        f"tests/test_{written.package.removeprefix('ganzoo_plugin_')}.py",
    }


def test_nothing_of_the_template_remains(written: Any) -> None:
    for path in written.folder.rglob("*"):
        said = path.relative_to(written.folder).as_posix()
        # Another test may have run what was written, which leaves compiled modules behind.
        if path.is_file() and path.suffix != ".pyc":
            said += path.read_text()
        lowered = said.lower().replace("_", "-").replace(" ", "-")
        for stem in (written.kind, "variant"):
            assert f"my-{stem}" not in lowered, path
            assert f"my{stem}" not in lowered, path


@pytest.mark.parametrize("name", ["q", "a" * LONGEST, "ab-" * (LONGEST // 3) + "z"])
def test_ruff_finds_nothing_whatever_the_length_of_the_name(tmp_path: Path, name: str) -> None:
    folders = [write_plugin(name, kind=kind, out=tmp_path / kind) for kind in KINDS]
    tool("ruff", "format", "--no-cache", "--check", *folders)
    tool("ruff", "check", "--no-cache", *folders)


def test_mypy_finds_nothing(all_written: dict[str, Any], tmp_path: Path) -> None:
    # All at once: most of the time goes into reading torch's types.
    sources = [w.folder / part for w in all_written.values() for part in ("src", "tests")]
    tool("mypy", "--strict", "--cache-dir", tmp_path, *sources)


def test_every_check_passes(written: Any) -> None:
    report = check_distribution(written.folder)
    assert report.passed, report.to_text()
    assert report.counts()["passed"] >= 20
    assert {"manifest_is_valid", "loss_falls"} <= {result.check for result in report.results}


def test_the_wheel_holds_the_package_and_the_licence(written: Any) -> None:
    with zipfile.ZipFile(written.wheel) as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read(next(n for n in names if n.endswith("/METADATA"))))
        entry_points = wheel.read(next(n for n in names if n.endswith("/entry_points.txt")))
    source = written.folder / "src"
    info = f"{written.package}-0.1.0.dist-info"
    rest = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    assert names == files(source) | {f"{info}/{name}" for name in rest}
    assert metadata["Name"] == f"ganzoo-plugin-{written.name}"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Author"] == 'Ann "A." O\\Hara'
    assert entry_points.decode().split() == [
        "[ganzoo.plugins]",
        *f"{written.name} = {written.package}.hooks".split(),
    ]


def test_the_source_distribution_holds_all_that_was_written(written: Any) -> None:
    with tarfile.open(written.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= files(written.folder)


def test_it_is_for_this_core_and_names_all_that_it_borrows(written: Any) -> None:
    needed = {
        r.name: r.specifier for r in map(Requirement, project(written.folder)["dependencies"])
    }
    assert needed["ganzoo-core"].contains(zoo.__version__)
    manifest = (written.folder / "src" / written.package / "ganzoo-plugin.json").read_text()
    recipe = json.loads(manifest)["variants"][0]["recipe"]
    parts = [part["component"] for part in recipe["networks"].values()]
    borrowed = {
        name.partition("/")[0] for name in (*parts, recipe.get("loss", ""), recipe["trainer"])
    }
    assert borrowed - {"", f"ganzoo-plugin-{written.name}"} == needed.keys() - {"ganzoo-core"}


def test_the_workflow_runs_what_the_readme_says(written: Any) -> None:
    workflow = yaml.safe_load((written.folder / ".github/workflows/test.yml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    readme = (written.folder / "README.md").read_text()
    assert len(steps) == 5
    for command in steps:
        assert f"\n{command}\n" in readme
    for command in ("ganzoo ship runs/first", "ganzoo publish runs/first", "ganzoo registry add"):
        assert f"\n{command} " in readme
    assert readme.index("What to change first") < readme.index("Test it")


def test_installed_it_passes_its_own_tests(
    written: Any, install: Callable[[Path, Path], None], ganzoo: Ganzoo
) -> None:
    install(written.wheel, ganzoo.plugins.site)
    # All checks pass elsewhere; here it is enough that they are found.
    chosen = ("-k", "not conformance or manifest_is_valid")
    tested = ganzoo.python("-m", "pytest", "-p", "no:cacheprovider", *chosen, written.folder)
    assert tested.code == 0, tested.out
    assert " passed" in tested.out


def test_installed_it_trains_draws_and_ships_its_weights(
    written: Any, install: Callable[[Path, Path], None], ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    install(written.wheel, tmp_path / "site-packages")
    translates = written.kind == "translator"
    data = "digit-outlines" if translates else "digits"
    training = ("train", written.name, "--data", data, "--steps", "200", "--out", "runs/first")
    trained = ganzoo_here(*training)
    assert trained.code == 0, trained.err
    if translates:
        Image.new("L", (9, 13)).save(tmp_path / "blank.png")
        drawn = ganzoo_here("translate", "runs/first", "--input", "blank.png", "--out", "grid.png")
    else:
        drawn = ganzoo_here("sample", "runs/first", "-n", "4", "--out", "grid.png")
    assert drawn.code == 0, drawn.err
    assert (tmp_path / "grid.png").is_file()

    # The losses of a game need not fall; its pictures come to look like the data.
    model = zoo.load(tmp_path / "runs" / "first")
    size = 16 if written.kind == "loss" else 8
    fresh = zoo.create(written.name, image_size=size, channels=1)
    distance = distance_from_outlines if translates else distance_from_digits
    assert distance(model) < 0.5 * distance(fresh)
    if written.kind == "autoencoder":
        first, *_, last = map(json.loads, (tmp_path / "runs/first/metrics.jsonl").open())
        assert last["losses"]["reconstruction"] < 0.5 * first["losses"]["reconstruction"]

    source = tmp_path / "source"
    shutil.copytree(written.folder, source)
    shipped = ganzoo_here("ship", "runs/first", source, "--tag", "digits", "--license", "MIT")
    assert shipped.code == 0, shipped.err
    weights = source / "src" / written.package / "pretrained" / f"{written.name}-digits"
    loaded = ganzoo_here("load", weights, "--json")
    assert loaded.code == 0, loaded.err


def test_the_cores_wheel_holds_every_template(tmp_path: Path) -> None:
    wheel = next(path for path in build(ROOT, into=tmp_path) if path.suffix == ".whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    # The source's, wherever the package under test is installed.
    templates = ROOT / "ganzoo_core" / "scaffold" / "templates"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in templates.rglob("*")
        if path.is_file() and "cache" not in path.relative_to(templates).as_posix()
    }
    assert len(wanted) > 30
    assert wanted <= held


def test_caches_among_the_templates_are_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo_core.scaffold import writing

    copy = tmp_path / "templates"
    shutil.copytree(TEMPLATES, copy)
    cache = copy / "my-gan" / "src" / "ganzoo_plugin_my_gan" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "hooks.cpython-311.pyc").write_bytes(b"\xff\x00 not text")
    monkeypatch.setattr(writing, "TEMPLATES", copy)
    folder = write_plugin("q", out=tmp_path / "q")
    assert not [path for path in folder.rglob("*") if "cache" in path.name]


def test_the_command_says_what_comes_next(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    said = ganzoo_here("new", "folding")
    assert said.code == 0, said.err
    assert (tmp_path / "ganzoo-plugin-folding" / "README.md").is_file()
    for command in (
        "ganzoo check ganzoo-plugin-folding",
        "pip install -e ganzoo-plugin-folding",
        "ganzoo train folding --steps 200",
    ):
        assert command in said.out


def test_a_licence_without_a_text_here_is_stated_and_asked_for(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    said = ganzoo_here("new", "folding", "--license", "gpl-3.0-or-later", "--out", "a b/f")
    assert said.code == 0, said.err
    assert "put the text of GPL-3.0-or-later into a b/f/LICENSE" in said.out
    folder = tmp_path / "a b" / "f"
    assert project(folder)["license"] == "GPL-3.0-or-later"
    assert "SPDX-License-Identifier: GPL-3.0-or-later" in (folder / "LICENSE").read_text()


@pytest.mark.parametrize("license", ["Apache-2.0", "MIT", "BSD-3-Clause"])
def test_a_common_licence_is_there_in_full(
    ganzoo_here: GanzooHere, tmp_path: Path, license: str
) -> None:
    said = ganzoo_here("new", "folding", "--license", license.lower(), "--author", "A. Author")
    assert said.code == 0, said.err
    assert "put the text" not in said.out
    text = (tmp_path / "ganzoo-plugin-folding" / "LICENSE").read_text()
    assert len(text) > 1000
    assert license == "Apache-2.0" or "Copyright (c) A. Author\n" in text
    assert project(tmp_path / "ganzoo-plugin-folding")["license"] == license
