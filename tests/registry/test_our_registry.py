"""The repository's own registry: valid, complete, and made of what the plugins say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from package_index import PLUGINS, ROOT, build
from registry.regenerate import REGISTRY, files, regenerated

from ganzoo_core.registry.entries import check, papers_of_table
from ganzoo_core.registry.reading import SNAPSHOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    everything = build(*PLUGINS, into=tmp_path_factory.mktemp("built"))
    return [path for path in everything if path.suffix == ".whl"]


def test_it_is_valid(ours: dict[str, Any]) -> None:
    assert check(ours, "registry.json") == []


def test_everything_made_from_the_plugins_is_up_to_date(
    ours: dict[str, Any], built: list[Path]
) -> None:
    """Where this fails, run: python tests/registry/regenerate.py."""
    for path, text in files(regenerated(ours, built)).items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is not up to date"


def test_the_wheel_ships_it_as_it_is() -> None:
    assert Path(SNAPSHOT).read_bytes() == REGISTRY.read_bytes()


def test_every_plugin_of_the_repository_is_listed_as_official(ours: dict[str, Any]) -> None:
    tiers = {plugin["name"]: plugin["tier"] for plugin in ours["plugins"]}
    assert tiers == {path.name: "official" for path in PLUGINS}


def test_entries_are_those_of_the_manifests(ours: dict[str, Any]) -> None:
    for plugin in ours["plugins"]:
        path = next(ROOT.glob(f"plugins/{plugin['name']}/src/*/ganzoo-plugin.json"))
        manifest = json.loads(path.read_text(encoding="utf-8"))
        assert plugin["variants"] == manifest["variants"]
        assert plugin["components"] == manifest.get("components", {})


def test_it_has_every_paper_of_the_table(
    ours: dict[str, Any], shared: Callable[[str], Path]
) -> None:
    table = shared("catalogue/gans.tsv").read_text(encoding="utf-8")
    papers = [paper | {"variant": None} for paper in papers_of_table(table)]
    assert [paper | {"variant": None} for paper in ours["papers"]] == papers
    assert len(papers) == len(table.splitlines()) - 1 >= 500
    assert not {"watches", "stars", "forks"} & {key for paper in papers for key in paper}


def test_papers_point_to_the_variants_that_implement_them(ours: dict[str, Any]) -> None:
    written = {paper["abbreviation"]: paper["variant"] for paper in ours["papers"]}
    assert written["GAN"] == "ganzoo-plugin-gan/gan"
    assert written["DCGAN"] == "ganzoo-plugin-dcgan/dcgan"


def test_the_published_schema_describes_it(ours: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "docs" / "registry.schema.json").read_text(encoding="utf-8"))
    assert set(ours) <= set(schema["properties"])
    entry = schema["$defs"]["PluginEntry"]
    for plugin in ours["plugins"]:
        assert set(entry["required"]) <= set(plugin) <= set(entry["properties"])
        assert entry["additionalProperties"] is False
