"""`ganzoo registry update`: from a Hub on loopback, conditional, checked, whole or not at all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_plugins import GanzooHere
from hub_server import Client, HubServer

from ganzoo_core.registry.reading import LARGEST, read_registry

Registry = dict[str, Any]
UPDATE = "ganzoo_core.registry.updating:update"
READ = "ganzoo_core.registry.reading:read_registry"
REPOSITORY = "ganzoo/registry"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "home")


def publish(hub: HubServer, content: Registry | bytes) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return hub.add(REPOSITORY, {"registry.json": data}, kind="datasets")


def stored(client: Client) -> list[str]:
    """Return the names of everything that ganzoo keeps of registries."""
    folder = client.home / ".cache" / "ganzoo" / "registry"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def papers(client: Client) -> int:
    return len(client.call(READ).value.papers)


def test_a_newer_registry_is_fetched_once_and_used_from_then_on(
    hub: HubServer, client: Client, ours: Registry
) -> None:
    publish(hub, ours | {"papers": ours["papers"][:3]})
    first = client.call(UPDATE).value
    assert (first.changed, first.papers) == (True, 3)
    assert papers(client) == 3
    hub.requests.clear()
    assert client.call(UPDATE).value.changed is False
    assert {request.method for request in hub.requests} == {"HEAD"}
    publish(hub, ours | {"papers": ours["papers"][:4]})
    assert client.call(UPDATE).value.changed is True
    assert papers(client) == 4


def test_without_an_update_the_snapshot_is_used(client: Client, ours: Registry) -> None:
    assert papers(client) == len(ours["papers"])


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"schema": 1, "plugins": [], "papers": [], "more": 1}',
        b'{"schema": 2, "plugins": [], "papers": []}',
        b'{"schema": 1, "plugins": [{"name": "../../x"}], "papers": []}',
    ],
)
def test_a_malformed_registry_is_one_sentence_and_the_one_in_use_stays(
    hub: HubServer, client: Client, ours: Registry, bad: bytes
) -> None:
    publish(hub, bad)
    assert "stays in use" in client.call(UPDATE).sentence
    assert papers(client) == len(ours["papers"])
    assert stored(client) == []
    publish(hub, ours | {"papers": ours["papers"][:3]})
    assert client.call(UPDATE).value.changed
    publish(hub, bad)
    assert "stays in use" in client.call(UPDATE).sentence
    assert papers(client) == 3


def test_a_misleading_registry_is_refused(
    hub: HubServer, client: Client, ours: Registry, listing: Callable[..., Registry]
) -> None:
    publish(hub, listing(ours, "ganzoo-plugin-dcgam"))
    assert "taken for the official" in client.call(UPDATE).sentence
    assert stored(client) == []


def test_a_huge_registry_is_not_even_downloaded(hub: HubServer, client: Client) -> None:
    publish(hub, b" " * (LARGEST + 1))
    assert "MiB" in client.call(UPDATE).sentence
    assert {request.method for request in hub.requests} == {"HEAD"}


def test_a_body_that_is_not_the_announced_one_is_refused(
    hub: HubServer, client: Client, ours: Registry
) -> None:
    publish(hub, ours | {"papers": ours["papers"][:3]})
    hub.fault("registry.json", damaged=True)
    assert "stays in use" in client.call(UPDATE).sentence
    assert stored(client) == []


def test_no_hub_and_no_such_repository_are_one_sentence(hub: HubServer, client: Client) -> None:
    assert REPOSITORY in client.call(UPDATE).sentence
    assert "HF_HUB_OFFLINE" in client.call(UPDATE, offline=True).sentence
    client.settings["HF_ENDPOINT"] = "http://127.0.0.1:9"
    assert "stays in use" in client.call(UPDATE).sentence


def test_another_repository_can_be_chosen_and_each_keeps_its_own_copy(
    hub: HubServer, client: Client, ours: Registry
) -> None:
    publish(hub, ours | {"papers": ours["papers"][:3]})
    client.call(UPDATE).done()
    few = json.dumps(ours | {"papers": ours["papers"][:5]}).encode()
    hub.add("lab/registry", {"registry.json": few}, kind="datasets")
    client.settings["GANZOO_REGISTRY"] = "lab/registry"
    assert papers(client) == len(ours["papers"])
    client.call(UPDATE).done()
    assert papers(client) == 5
    del client.settings["GANZOO_REGISTRY"]
    assert papers(client) == 3


@pytest.mark.parametrize("name", ["../../etc", "a/../../b", "x", "/etc/passwd", "a/b/c"])
def test_a_name_that_is_no_repository_leads_nowhere(
    ganzoo_here: GanzooHere, monkeypatch: pytest.MonkeyPatch, fresh_cache: Path, name: str
) -> None:
    monkeypatch.setenv("GANZOO_REGISTRY", name)
    ganzoo_here("registry", "update").is_one_sentence()
    ganzoo_here("search", "gan").is_one_sentence()
    assert not fresh_cache.exists()


def test_a_file_is_read_where_it_lies(
    ganzoo_here: GanzooHere, ours: Registry, use: Callable[[Registry], Path]
) -> None:
    path = use(ours | {"papers": ours["papers"][:3]})
    assert ganzoo_here("registry", "update", "--json").json["papers"] == 3
    found = ganzoo_here("search", "gan", "--limit", "99", "--json").json
    assert sum(each["kind"] == "paper" for each in found) <= 3
    path.write_text("{")
    for command in (("registry", "update"), ("search", "gan"), ("info", "nobody")):
        ganzoo_here(*command).is_one_sentence(str(path), "not valid JSON")
    ganzoo_here("install", "gan").is_one_sentence(str(path))


def test_a_stored_copy_that_was_damaged_gives_way_to_the_snapshot(
    ganzoo_here: GanzooHere, fresh_cache: Path, ours: Registry
) -> None:
    damaged = fresh_cache / "registry" / "ganzoo--registry" / "registry.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"{")
    registry = read_registry()
    assert len(registry.papers) == len(ours["papers"])
    assert "the one that came with this release is used" in registry.note
    assert ganzoo_here("search", "attngan", "--json").json[0]["name"] == "AttnGAN"
