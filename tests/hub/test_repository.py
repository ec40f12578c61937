"""Repositories that no manifest pins: `org/name` and `org/name@revision`."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hub_server import Client, HubServer, Outcome, Pinned

from ganzoo_core.hub.files import Fetched

FETCH = "ganzoo_core.hub.files:fetch_repository"


def call(client: Client, revision: str | None = None, **named: Any) -> Outcome:
    return client.call(FETCH, "zoo/dcgan", revision, **named)


def fetch(client: Client, revision: str | None = None, **named: Any) -> Fetched:
    found = call(client, revision, **named).value
    assert isinstance(found, Fetched)
    return found


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_newest_commit_is_fetched_and_named(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    found = fetch(client)
    assert (found.revision, found.from_, found.verified) == (dcgan.revision, "hub", True)
    assert {name: (found.folder / name).read_bytes() for name in dcgan.contents} == dcgan.contents


def test_a_tag_is_fetched_as_it_was(
    hub: HubServer, client: Client, dcgan: Pinned, contents: dict[str, bytes]
) -> None:
    hub.add("zoo/dcgan", {**contents, "config.json": b"{}"})
    found = fetch(client, "v1")
    assert found.revision == dcgan.revision
    assert (found.folder / "config.json").read_bytes() == contents["config.json"]


def test_only_the_files_of_a_model_folder_are_downloaded(
    hub: HubServer, client: Client, contents: dict[str, bytes]
) -> None:
    others = {"pytorch_model.bin": bytes(9000), "evil.py": b"import os", "sub/config.json": b"{}"}
    hub.add("zoo/dcgan", {**contents, **others, "README.md": b"card"})
    assert names(fetch(client).folder) == {*contents, "README.md"}


def test_a_caller_may_want_less(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    found = fetch(client, allow=["config.json"])
    assert names(found.folder) == {"config.json"}


def test_a_repository_that_is_no_model_of_ours_is_refused(hub: HubServer, client: Client) -> None:
    hub.add("zoo/dcgan", {"pytorch_model.bin": bytes(9000)})
    said = call(client).sentence
    assert "no config.json" in said and "no model.safetensors" in said
    assert hub.paths("HEAD") == []


def test_fetching_again_asks_only_whether_there_is_something_newer(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    hub.requests.clear()
    assert fetch(client).from_ == "cache"
    assert len(hub.requests) == 1


def test_a_newer_commit_is_noticed(
    hub: HubServer, client: Client, dcgan: Pinned, contents: dict[str, bytes]
) -> None:
    fetch(client)
    newer = hub.add("zoo/dcgan", {"config.json": b'{"newer": true}'})
    found = fetch(client)
    assert found.revision == newer
    assert (found.folder / "config.json").read_bytes() == b'{"newer": true}'


def test_a_commit_that_is_known_is_fetched_again_without_a_request(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    hub.requests.clear()
    assert fetch(client, dcgan.revision).from_ == "cache"
    assert hub.requests == []


def test_offline_gives_what_was_fetched_last(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    fetch(client)
    hub.requests.clear()
    found = fetch(client, offline=True)
    assert (found.revision, found.from_, found.verified) == (dcgan.revision, "cache", True)
    assert hub.requests == []


@pytest.mark.parametrize("revision", [None, "v1"])
def test_offline_gives_what_another_tool_has_cached(
    client: Client, dcgan: Pinned, revision: str | None
) -> None:
    client.call("huggingface_hub:snapshot_download", "zoo/dcgan", revision=revision).done()
    found = fetch(client, revision, offline=True)
    assert (found.revision, found.verified) == (dcgan.revision, True)


def test_offline_without_links_another_tools_files_count_as_not_verified(
    client: Client, dcgan: Pinned
) -> None:
    client.settings |= {"HF_HUB_DISABLE_SYMLINKS": "1", "HF_HUB_DISABLE_SYMLINKS_WARNING": "1"}
    client.call("huggingface_hub:snapshot_download", "zoo/dcgan").done()
    assert fetch(client, offline=True).verified is False


def test_offline_a_damaged_file_of_another_tool_is_refused(client: Client, dcgan: Pinned) -> None:
    client.call("huggingface_hub:snapshot_download", "zoo/dcgan").done()
    [path] = client.cache.rglob("model.safetensors")
    path.write_bytes(b"short")
    assert "damaged" in call(client, offline=True).sentence


@pytest.mark.parametrize("revision", [None, "v1", "0" * 40])
def test_offline_and_unknown_says_so(
    hub: HubServer, client: Client, dcgan: Pinned, revision: str | None
) -> None:
    said = call(client, revision, offline=True).sentence
    named = f"zoo/dcgan@{revision}" if revision else "zoo/dcgan"
    assert f"`ganzoo fetch {named}`" in said
    assert hub.requests == []


def test_a_hub_that_gives_no_answer_is_replaced_by_the_cache(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    hub.fault("", status=503, retry_after=0)
    assert fetch(client).from_ == "cache"


def test_a_hub_that_denies_access_is_not_replaced_by_the_cache(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    hub.repository("zoo/dcgan").private = True
    assert "or it is private" in call(client).sentence


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_damaged_bodies_are_noticed_without_a_manifest_too(
    hub: HubServer, client: Client, dcgan: Pinned, file: str
) -> None:
    hub.fault(f"resolve/.*{file}", damaged=True)
    assert f"{file} of zoo/dcgan" in call(client).sentence
    hub.heal()
    fetch(client)


def test_a_damaged_cache_is_repaired(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    folder = fetch(client).folder
    (folder / "model.safetensors").resolve().write_bytes(b"short")
    found = fetch(client)
    assert (found.folder / "model.safetensors").read_bytes() == dcgan.contents["model.safetensors"]


def test_a_damaged_note_of_what_was_fetched_is_asked_for_again(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    for note in (client.home / "ganzoo" / "listings").rglob("*.json"):
        note.write_text('{"revision": ')
    assert fetch(client, dcgan.revision).revision == dcgan.revision


def test_nothing_is_lost_with_ganzoos_own_cache(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client)
    shutil.rmtree(client.home / "ganzoo")
    assert fetch(client).from_ == "cache"


def test_a_gated_repository_names_its_page(
    hub: HubServer, client: Client, contents: dict[str, bytes]
) -> None:
    hub.add("zoo/dcgan", contents, gated=True)
    assert f"{hub.url}/zoo/dcgan" in call(client).sentence


@pytest.mark.parametrize("revision", ["none", "0" * 40])
def test_a_missing_revision_is_reported(client: Client, dcgan: Pinned, revision: str) -> None:
    assert "no such revision" in call(client, revision).sentence


@pytest.mark.parametrize("path", ["../config.json", "/etc/passwd"])
def test_names_that_lead_out_are_refused_before_any_request(
    hub: HubServer, client: Client, dcgan: Pinned, path: str
) -> None:
    assert "no name of a file" in call(client, allow=[path]).sentence
    assert hub.requests == []


def test_a_page_that_is_no_hub_is_reported(client: Client, tmp_path: Path) -> None:
    page = tmp_path / "site" / "api" / "models" / "zoo" / "dcgan" / "revision" / "main"
    page.parent.mkdir(parents=True)
    page.write_text("<html>Welcome to the hotel's network</html>")
    serve = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as site:
        threading.Thread(target=site.serve_forever, args=(0.05,), daemon=True).start()
        client.settings["HF_ENDPOINT"] = f"http://127.0.0.1:{site.server_port}"
        said = call(client).sentence
        site.shutdown()
    assert "does not answer as a Hub does" in said and "HF_ENDPOINT" in said


def test_the_folders_of_caches_follow_the_environment(
    hub: HubServer, client: Client, dcgan: Pinned, tmp_path: Path
) -> None:
    client.settings["HF_HOME"] = str(tmp_path / "elsewhere")
    client.settings["GANZOO_CACHE"] = str(tmp_path / "own")
    assert fetch(client).folder.is_relative_to(tmp_path / "elsewhere")
    assert any((tmp_path / "own").iterdir())
    assert not client.home.exists()
