"""`ganzoo registry add`: an entry from a wheel that nobody imports."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import GanzooHere, entry, manifest
from package_index import make_wheel, plugin_wheel

ADD = ("registry", "add", "--file", "registry.json")
RUNS = "raise SystemExit('imported')"


def toy(folder: Path, version: str = "1.0", **options: Any) -> Path:
    return plugin_wheel(folder, "alices-toy", version, manifest(), hooks=RUNS, **options)


def listed(folder: Path) -> dict[str, Any]:
    (plugin,) = json.loads((folder / "registry.json").read_text())["plugins"]
    assert isinstance(plugin, dict)
    return plugin


def test_the_entry_is_what_the_wheel_says(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    metadata = (
        "License-Expression: MIT\nSummary: A toy\nAuthor-email: Alice <alice@example.org>\n"
        "Project-URL: Source, https://example.org/toy\n"
    )
    wheel = toy(tmp_path, metadata=metadata)
    said = ganzoo_here(*ADD, wheel)
    assert said.code == 0, said.err
    assert listed(tmp_path) == {
        "name": "alices-toy",
        "summary": "A toy",
        "homepage": "https://example.org/toy",
        "maintainer": "Alice",
        "tier": "listed",
        "api": "1.0",
        "license": "MIT",
        "latest": {
            "version": "1.0",
            "wheel": {
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "size": wheel.stat().st_size,
            },
        },
        "yanked": [],
        **{key: manifest()[key] for key in ("variants", "components")},
    }


def test_a_new_version_takes_the_place_of_the_old_and_yanked_ones_are_kept(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    for version, options in {
        "1.0": ["--tier", "official"],
        "1.1": ["--yank", "1.0"],
        "1.10": ["--yank", "1.1"],
    }.items():
        wheel = plugin_wheel(tmp_path, "ganzoo-plugin-toy", version, manifest())
        assert ganzoo_here(*ADD, wheel, *options).code == 0
    plugin = listed(tmp_path)
    assert (plugin["latest"]["version"], plugin["yanked"]) == ("1.10", ["1.0", "1.1"])
    assert plugin["tier"] == "official"
    ganzoo_here(*ADD, wheel, "--yank", "nonsense").is_one_sentence("no version")
    ganzoo_here(*ADD, wheel, "--yank", "1.10").is_one_sentence("yanked")


def test_a_published_version_never_changes(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    assert ganzoo_here(*ADD, toy(tmp_path), "--unpublished").code == 0
    assert listed(tmp_path)["latest"]["wheel"] is None
    assert ganzoo_here(*ADD, toy(tmp_path)).code == 0
    before = listed(tmp_path)
    other = plugin_wheel(tmp_path / "other", "alices-toy", "1.0", manifest(), hooks="# other")
    ganzoo_here(*ADD, other).is_one_sentence("never changes")
    ganzoo_here(*ADD, toy(tmp_path, "0.9")).is_one_sentence("older than 1.0")
    assert listed(tmp_path) == before


def test_the_paper_of_a_new_variant_points_to_it(
    ganzoo_here: GanzooHere, ours: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "registry.json").write_text(json.dumps(ours))
    paper = {**entry()["paper"], "url": "https://arxiv.org/pdf/1711.10485v1"}
    variant = entry(name="attngan", paper=paper)
    wheel = plugin_wheel(tmp_path, "x-attngan", "1.0", manifest(variant))
    assert ganzoo_here(*ADD, wheel).code == 0
    content = json.loads((tmp_path / "registry.json").read_text())
    written = {paper["abbreviation"]: paper["variant"] for paper in content["papers"]}
    assert written["AttnGAN"] == "x-attngan/attngan"


def test_a_wheel_that_would_make_the_registry_invalid_is_refused(
    ganzoo_here: GanzooHere, ours: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(ours))
    wheel = plugin_wheel(tmp_path, "ganzoo-plugin-dcgam", "1.0", manifest())
    ganzoo_here(*ADD, wheel).is_one_sentence("taken for the official ganzoo-plugin-dcgan")
    assert json.loads(path.read_text()) == ours


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        (manifest(api="9.0"), "plugin API 9.0"),
        ({"api": "1.0", "variants": [{"name": "toy"}]}, "malformed at variants.0"),
        (manifest(entry(name="Toy!")), "malformed at variants.0.name"),
        (manifest() | {"extra": 1}, "malformed at extra"),
    ],
)
def test_a_wheel_without_a_usable_manifest_is_refused(
    ganzoo_here: GanzooHere, tmp_path: Path, content: dict[str, Any] | None, reason: str
) -> None:
    wheel = plugin_wheel(tmp_path, "alices-toy", "1.0", content)
    ganzoo_here(*ADD, wheel).is_one_sentence(reason)
    assert not (tmp_path / "registry.json").exists()


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("Summary: x\nAuthor: y\n", "'license'"),
        ("License-Expression: MIT\nAuthor: y\n", "'description'"),
        ("License-Expression: MIT\nSummary: x\n", "'authors'"),
        ("License: a licence of my own\nSummary: x\nAuthor: y\n", "SPDX"),
        ("License: MIT\nSummary: x\nAuthor: y\nHome-page: http://x.org\n", "homepage"),
    ],
)
def test_a_wheel_must_say_whose_it_is_and_under_which_licence(
    ganzoo_here: GanzooHere, tmp_path: Path, metadata: str, reason: str
) -> None:
    ganzoo_here(*ADD, toy(tmp_path, metadata=metadata)).is_one_sentence(reason)


def test_what_is_no_plugin_is_refused(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "tools", "1.0", {"tools.py": RUNS})
    ganzoo_here(*ADD, wheel).is_one_sentence("no plugin")


@pytest.mark.parametrize(
    ("altered", "reason"),
    [
        ({"alices_toy/hooks.py": b"evil = 1"}, "not what its RECORD says"),
        ({"alices_toy/more.py": b"evil = 1"}, "not what its RECORD says"),
        ({"../evil.py": b""}, "elsewhere"),
        ({"/evil.py": b""}, "elsewhere"),
        ({"alices_toy\\..\\..\\evil.py": b""}, "elsewhere"),
        ({"ganzoo_core/__init__.py": b""}, "overwrite"),
        ({"alices_toy-1.0.dist-info/RECORD": b"\xff"}, "damaged"),
        ({"alices_toy-1.0.dist-info/RECORD": b"a,b\n"}, "RECORD is malformed"),
    ],
)
def test_a_wheel_that_is_not_what_it_says_is_refused(
    ganzoo_here: GanzooHere, tmp_path: Path, altered: dict[str, bytes], reason: str
) -> None:
    wheel = toy(tmp_path / "a" / "b", altered=altered)
    before = sorted(tmp_path.rglob("*"))
    ganzoo_here(*ADD, wheel).is_one_sentence(reason)
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_encrypted_and_mislabelled_files_are_one_sentence(
    ganzoo_here: GanzooHere, tmp_path: Path
) -> None:
    whole = toy(tmp_path / "whole").read_bytes()
    name = "alices_toy-1.0-py3-none-any.whl"
    path = tmp_path / name
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:50] + b"\0" * 99 + whole[149:]):
        path.write_bytes(content)
        ganzoo_here(*ADD, path).is_one_sentence("alices_toy")
    # The flag that says encrypted, in the directory and in front of each file.
    path.write_bytes(
        whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01").replace(
            b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"
        )
    )
    ganzoo_here(*ADD, path).is_one_sentence("alices_toy")
    path.write_bytes(whole)
    path.rename(tmp_path / "bobs_toy-1.0-py3-none-any.whl")
    ganzoo_here(*ADD, tmp_path / "bobs_toy-1.0-py3-none-any.whl").is_one_sentence("no metadata")
    ganzoo_here(*ADD, tmp_path / "bobs.zip").is_one_sentence("not named as a wheel")
    ganzoo_here(*ADD, path).is_one_sentence("cannot be read")


def test_a_manifest_of_absurd_size_is_not_read(ganzoo_here: GanzooHere, tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        "alices-toy",
        "1.0",
        {"alices_toy/__init__.py": "", "alices_toy/ganzoo-plugin.json": b" " * (17 * 2**20)},
        entry_points="[ganzoo.plugins]\ntoy = alices_toy.hooks\n",
    )
    assert zipfile.is_zipfile(wheel) and wheel.stat().st_size < 2**20
    ganzoo_here(*ADD, wheel).is_one_sentence("16 MiB")
