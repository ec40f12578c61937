"""`ganzoo registry validate`: what no registry may say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import GanzooHere, entry

from ganzoo_core.registry.entries import check
from ganzoo_core.registry.validation import is_one_edit_apart, skeleton

Registry = dict[str, Any]


def problems(ganzoo: GanzooHere, registry: Registry, path: Path) -> list[str]:
    path.write_text(json.dumps(registry), encoding="utf-8")
    said = ganzoo("registry", "validate", path, "--json")
    assert said.code == (1 if said.json["problems"] else 0)
    found: list[str] = said.json["problems"]
    return found


def test_a_valid_registry_is_said_to_be_so(
    ganzoo_here: GanzooHere, ours: Registry, tmp_path: Path
) -> None:
    path = tmp_path / "registry.json"
    assert problems(ganzoo_here, ours, path) == []
    assert "is valid" in ganzoo_here("registry", "validate").out


@pytest.mark.parametrize(
    "name",
    [
        "ganzoo-plugin-dcgam",
        "ganzoo-plugin-dgcan",
        "ganzoo-plugin-dccgan",
        "ganzooplugindcgan",
        "ganzoo-p1ugin-dcgan",
        "ganz0o-plugin-dcgan",
        "ganzoo-plugln-dcgan",
        "ganzo-plugin-dcgan",
    ],
)
def test_a_distribution_must_not_pass_for_an_official_one(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    tmp_path: Path,
    name: str,
) -> None:
    registry = listing(ours, name, entry(name="something-else"))
    (found,) = problems(ganzoo_here, registry, tmp_path / "r.json")
    assert found.startswith(f"{name}: it can be taken for the official ganzoo-plugin-dcgan")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("dcgan", "of an official one"), ("dc-gan", "taken for"), ("dcgann", "taken for")],
)
def test_a_variant_must_not_pass_for_an_official_one(
    ganzoo_here: GanzooHere,
    ours: Registry,
    listing: Callable[..., Registry],
    tmp_path: Path,
    name: str,
    reason: str,
) -> None:
    for variant in (entry(name=name), entry(name="something-else", aliases=[name])):
        registry = listing(ours, "alices-gans", variant)
        (found,) = problems(ganzoo_here, registry, tmp_path / "r.json")
        assert reason in found and repr(name) in found


def test_papers_of_the_table_may_be_called_what_they_are_called(
    ganzoo_here: GanzooHere, ours: Registry, listing: Callable[..., Registry], tmp_path: Path
) -> None:
    registry = listing(ours, "ganzoo-plugin-cgan", entry(name="cgan"))
    assert problems(ganzoo_here, registry, tmp_path / "r.json") == []


def test_names_are_unique_as_indexes_compare_them(
    ganzoo_here: GanzooHere, ours: Registry, tmp_path: Path
) -> None:
    first = ours["plugins"][0]
    registry = ours | {"plugins": [*ours["plugins"], first]}
    assert "listed more than once" in " ".join(problems(ganzoo_here, registry, tmp_path / "r"))
    registry = ours | {"plugins": [first | {"name": "Ganzoo_Plugin.GAN"}]}
    with pytest.raises(Exception, match="malformed at plugins"):
        check(registry, "r")


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ("dcgan", "dcgan", False),
        ("dcgan", "dcga", True),
        ("dcgan", "xdcgan", True),
        ("dcgan", "dcgax", True),
        ("dcgan", "dgcan", True),
        ("dcgan", "gdacn", False),
        ("dcgan", "dc", False),
        ("", "a", True),
        ("ab", "ba", True),
        ("abc", "bca", False),
    ],
)
def test_one_edit(first: str, second: str, apart: bool) -> None:
    assert is_one_edit_apart(first, second) is apart
    assert is_one_edit_apart(second, first) is apart


@pytest.mark.parametrize("name", ["DCGAN", "dc_gan", "d.c.gan", "dсgan", "dcgаn", "ｄｃｇａｎ"])
def test_look_alikes_look_alike(name: str) -> None:
    assert skeleton(name) == skeleton("dcgan")
    assert skeleton("rnodel-1") == skeleton("model-l") == skeleton("mode1-I")


Change = Callable[[Registry], None]


def _set(*path: Any, value: Any) -> Change:
    def change(registry: Registry) -> None:
        place: Any = registry
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("plugins", 0, "license", value="Do what you like"), "no SPDX expression"),
        (_set("plugins", 0, "license", value="mit"), "written 'MIT'"),
        (_set("plugins", 0, "homepage", value="https://localhost/x"), "public host"),
        (_set("plugins", 0, "homepage", value="https://example.org:8443/x"), "public host"),
        (_set("plugins", 0, "homepage", value="https://exаmple.org"), "public host"),
        (_set("plugins", 0, "latest", "version", value="01.0"), "written '1.0'"),
        (_set("plugins", 0, "latest", "version", value="latest"), "no version"),
        (_set("plugins", 0, "yanked", value=["0.1.0"]), "yanked; list a newer"),
        (_set("plugins", 0, "summary", value="a\x1b[2Jb"), "cannot be printed"),
        (_set("plugins", 0, "variants", 0, "title", value="a\nb"), "cannot be printed"),
        (_set("papers", 0, "variant", value="nobody/nothing"), "not listed"),
    ],
)
def test_a_sentence_for_everything_misleading(
    ganzoo_here: GanzooHere, ours: Registry, tmp_path: Path, change: Change, reason: str
) -> None:
    change(ours)
    found = problems(ganzoo_here, ours, tmp_path / "registry.json")
    assert [problem for problem in found if reason in problem], found


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_set("schema", value=2), "schema"),
        (_set("extra", value=1), "extra"),
        (_set("plugins", 0, "extra", value=1), "plugins.0 (ganzoo-plugin-aae).extra"),
        (_set("plugins", 0, "name", value="Dcgan"), "plugins.0 (Dcgan).name"),
        (_set("plugins", 0, "name", value="ganzoo-plugin-dсgan"), "plugins.0"),
        (_set("plugins", 0, "homepage", value="http://example.org"), "homepage"),
        (_set("plugins", 0, "homepage", value="https://arxiv.org@evil.org"), "homepage"),
        (_set("plugins", 0, "tier", value="best"), "tier"),
        (_set("plugins", 0, "latest", "wheel", value={"sha256": "0", "size": 1}), "sha256"),
        (_set("plugins", 0, "variants", 0, "paper", "url", value="javascript:x"), "url"),
        (_set("papers", 0, "link", value="https://a b"), "link"),
        (_set("papers", 0, "stars", value=3), "stars"),
    ],
)
def test_a_malformed_registry_is_one_sentence_with_the_place(
    ganzoo_here: GanzooHere, ours: Registry, tmp_path: Path, change: Change, place: str
) -> None:
    change(ours)
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(ours))
    ganzoo_here("registry", "validate", path).is_one_sentence("malformed at", place)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 200_000, b"NaN", b"1" * 5000])
def test_what_is_no_registry_is_one_sentence(
    ganzoo_here: GanzooHere, tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(text)
    ganzoo_here("registry", "validate", path).is_one_sentence("registry.json")
    ganzoo_here("registry", "validate", tmp_path).is_one_sentence("cannot be read")
    ganzoo_here("registry", "validate", tmp_path / "no").is_one_sentence("cannot be read")
