"""Weights that authors published on the Hub in a layout of their own, with hashes or without.

They are read without executing anything, and held from the first use on to what came then.
"""

import hashlib
import io
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_plugins import HOOKS, Answer, FakePlugins, Ganzoo, GanzooHere, entry, manifest
from ganzoo_plugin_gan.config import MLPGeneratorConfig
from ganzoo_plugin_gan.networks import MLPGenerator
from hub_server import HubServer

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins.schema import Pretrained, check_manifest

READER = """
@hookimpl
def ganzoo_read_checkpoint(variant, file):
    from ganzoo_core.components import AuthorsWeights
    from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of
    state = state_dict_of(read_authors_file(file))
    settings = {"generator.image_size": 8, "generator.width": 4}
    return AuthorsWeights({"generator": state}, settings, "a toy's generator", file)
"""
PUBLISHED = {
    "tag": "found",
    "summary": "what somebody published",
    "license": "MIT",
    "layout": "authors",
    "repo": "authors/toy",
    "revision": "main",
    "files": [{"path": "toy.pth"}],
    "untried": "not downloaded where this was written",
}


def saved(seed: int) -> bytes:
    """A generator in a file, as its authors would write it."""
    torch.manual_seed(seed)
    content = io.BytesIO()
    torch.save(MLPGenerator(MLPGeneratorConfig(image_size=8, width=4)).state_dict(), content)
    return content.getvalue()


class User:
    """Somebody who has a plugin that points to files which others published on a Hub."""

    def __init__(self, ganzoo: Ganzoo, plugins: FakePlugins, hub: HubServer, home: Path) -> None:
        self.ganzoo, self.plugins, self.hub, self.home = ganzoo, plugins, hub, home

    def has_plugin(self, **changes: Any) -> None:
        published = PUBLISHED | changes
        self.plugins.install(
            "somebodys-toy", manifest(entry(pretrained=[published])), hooks=HOOKS + READER
        )

    def __call__(self, *arguments: str, offline: bool = False) -> Answer:
        environment = self.hub.environment(self.home, offline=offline)
        changes = {
            name: value
            for name, value in environment.items()
            if os.environ.get(name) != value and name not in {"PYTHONPATH", "GANZOO_CACHE"}
        }
        return self.ganzoo(*arguments, **changes, GANZOO_CACHE=str(self.home / "ganzoo"))

    @property
    def cached(self) -> Path:
        (found,) = (self.home / "huggingface").rglob("toy.pth")
        return found


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def user(ganzoo: Ganzoo, plugins: FakePlugins, hub: HubServer, tmp_path: Path) -> User:
    hub.add("authors/toy", {"toy.pth": saved(0)})
    return User(ganzoo, plugins, hub, tmp_path / "home")


def test_what_is_not_known_is_said_before_and_after_the_download(user: User) -> None:
    user.has_plugin()
    assert (
        "toy.found: what somebody published (size and sha256 not known; not downloaded where this "
        "was written)"
    ) in user("info", "toy").out
    first = user("load", "toy.found", "--json").json
    assert (first["place"], first["verified"], first["weights_license"]) == ("hub", False, "MIT")
    remarks = " ".join(first["remarks"])
    assert "size and sha256 not known" in remarks and "not downloaded" in remarks
    assert hashlib.sha256(saved(0)).hexdigest() in remarks
    assert "recognised toy.pth: a toy's generator" in remarks


def test_they_are_kept_and_load_without_a_request(user: User, hub: HubServer) -> None:
    user.has_plugin()
    user("load", "toy.found", offline=True).is_one_sentence("ganzoo fetch toy.found")
    assert "held to what came first" in user("fetch", "toy.found").out
    hub.requests.clear()
    loaded = user("load", "toy", "--pretrained", "--json", offline=True).json
    assert (loaded["place"], hub.requests) == ("cache", [])
    (row,) = [row for row in user("weights", "--json").json if row["name"] == "toy.found"]
    assert (row["place"], row["state"], row["size"]) == ("cache", "verified", len(saved(0)))


def test_a_branch_that_moves_later_changes_nothing_until_it_is_forgotten(
    user: User, hub: HubServer
) -> None:
    user.has_plugin()
    assert user("fetch", "toy.found").code == 0
    hub.add("authors/toy", {"toy.pth": saved(1)})
    said = user("fetch", "toy.found", "--json").json
    assert hashlib.sha256(saved(0)).hexdigest() in " ".join(said["remarks"])
    assert "freed" in user("weights", "--remove", "toy.found").out
    said = user("fetch", "toy.found", "--json").json
    assert hashlib.sha256(saved(1)).hexdigest() in " ".join(said["remarks"])


def test_a_file_that_changes_under_its_commit_is_refused(user: User, hub: HubServer) -> None:
    user.has_plugin()
    commit = hub.add("authors/toy", {"toy.pth": saved(0)})
    assert user("fetch", "toy.found").code == 0
    user.cached.resolve().write_bytes(b"x" * len(saved(0)))
    hub.repository("authors/toy").commits[commit].files["toy.pth"] = saved(1)
    user("fetch", "toy.found").is_one_sentence("toy.pth", "came damaged")
    user("load", "toy.found").is_one_sentence("toy.pth", "came damaged")


def test_what_is_known_of_a_file_is_held_against_it(user: User, hub: HubServer) -> None:
    right, wrong = (hashlib.sha256(saved(seed)).hexdigest() for seed in (0, 1))
    user.has_plugin(files=[{"path": "toy.pth", "sha256": wrong}])
    user("fetch", "toy.found").is_one_sentence(right, "not what the manifest says")
    assert not list((user.home / "huggingface").rglob("toy.pth"))


def test_a_known_hash_counts_as_verified(user: User) -> None:
    user.has_plugin(files=[{"path": "toy.pth", "sha256": hashlib.sha256(saved(0)).hexdigest()}])
    said = user("fetch", "toy.found", "--json").json
    assert said["verified"] and "size not known" in said["remarks"][0]


def test_damaged_absent_and_cut_files_are_one_sentence(user: User, hub: HubServer) -> None:
    user.has_plugin()
    hub.fault(".*toy.pth", damaged=True)
    user("fetch", "toy.found").is_one_sentence("toy.pth", "came damaged")
    hub.heal()
    hub.fault(".*toy.pth", truncated_to=100)
    user("fetch", "toy.found").is_one_sentence("toy.pth")
    hub.heal()
    assert user("fetch", "toy.found").code == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"files": [{"path": "other.pth"}]}, "no other.pth"),
        ({"revision": "v9"}, "no such revision"),
        ({"repo": "authors/nothing"}, "there is no authors/nothing"),
    ],
)
def test_an_entry_that_points_nowhere_is_one_sentence(
    user: User, changes: dict[str, Any], said: str
) -> None:
    user.has_plugin(**changes)
    user("fetch", "toy.found").is_one_sentence(said)


class Poison:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


def test_a_poisoned_file_runs_nothing(user: User, hub: HubServer, tmp_path: Path) -> None:
    user.has_plugin()
    canary = tmp_path / "ran"
    hub.add("authors/toy", {"toy.pth": pickle.dumps({"layers.0.weight": Poison(canary)})})
    user("load", "toy.found").is_one_sentence("toy.pth")
    hub.add("authors/toy", {"toy.pth": b"<html>not found</html>" * 300})
    user("weights", "--remove", "toy.found")
    user("load", "toy.found").is_one_sentence("toy.pth", "web page")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layout": "ganzoo", "revision": "0" * 40}, "only where layout is authors"),
        ({"untried": ""}, "must say in untried"),
        ({"repo": None}, "at a repo and revision"),
        ({"shipped": "pretrained/toy"}, "at a repo and revision"),
        ({"files": [{"path": "../toy.pth"}]}, "path"),
        ({"files": [{"path": "toy.pth", "sha256": "abc"}]}, "sha256"),
    ],
)
def test_an_entry_says_what_it_knows_and_what_it_does_not(
    changes: dict[str, Any], said: str
) -> None:
    Pretrained.model_validate(PUBLISHED)
    content = manifest(entry(pretrained=[PUBLISHED | changes]))
    with pytest.raises(PluginError, match=said):
        check_manifest(content, "here")


def test_weights_of_ganzoos_own_layout_are_still_pinned_to_a_commit() -> None:
    files = [{"path": "model.safetensors", "size": 1, "sha256": "0" * 64}]
    pinned = PUBLISHED | {"layout": "ganzoo", "files": files}
    with pytest.raises(PluginError, match="40 digits of a commit"):
        check_manifest(manifest(entry(pretrained=[pinned])), "here")


def test_lists_show_them(plugins: FakePlugins, ganzoo_here: GanzooHere) -> None:
    plugins.install("somebodys-toy", manifest(entry(pretrained=[PUBLISHED])), hooks=HOOKS + READER)
    (row,) = json.loads(ganzoo_here("list", "toy", "--pretrained", "--json").out)["variants"]
    assert row["pretrained"] == ["found"]
