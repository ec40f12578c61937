"""Weights that a manifest pins: checked always, downloaded once, and honest about every failure."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from hub_server import Client, HubServer, Pinned

from ganzoo_core.hub.files import Fetched, RemoteFile

FETCH = "ganzoo_core.hub.files:fetch_pinned"
STATE = "ganzoo_core.hub.files:cached_state"
REMOVE = "ganzoo_core.hub.files:remove_cached"


def fetch(client: Client, pinned: Pinned, *, offline: bool = False) -> Fetched:
    """Fetch the model, and compare every byte that a loader would read."""
    found = client.call(FETCH, *pinned.arguments, name="dcgan.mnist", offline=offline).value
    assert isinstance(found, Fetched)
    read = {path: (found.folder / path).read_bytes() for path in pinned.contents}
    assert read == pinned.contents
    assert found.verified and found.revision == pinned.revision
    return found


def fails(client: Client, pinned: Pinned, *, offline: bool = False) -> str:
    return client.call(FETCH, *pinned.arguments, name="dcgan.mnist", offline=offline).sentence


def state(client: Client, pinned: Pinned, *, hash_contents: bool = False) -> str:
    found = client.call(STATE, *pinned.arguments, hash_contents=hash_contents, offline=True).value
    assert isinstance(found, str)
    return found


def weights(client: Client, pinned: Pinned) -> Path:
    """Return where the client's cache keeps the weights of the model."""
    folder = client.cache / f"models--{pinned.repo.replace('/', '--')}" / "snapshots"
    return (folder / pinned.revision / "model.safetensors").resolve()


def test_the_first_fetch_downloads_and_the_second_asks_nobody(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    assert fetch(client, dcgan).from_ == "hub"
    hub.requests.clear()
    assert fetch(client, dcgan).from_ == "cache"
    assert hub.requests == []


def test_what_another_tool_has_cached_is_hashed_and_used_without_a_request(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    client.call("huggingface_hub:snapshot_download", dcgan.repo, revision=dcgan.revision).done()
    assert state(client, dcgan) == "unverified"
    hub.requests.clear()
    assert fetch(client, dcgan).from_ == "cache"
    assert hub.requests == []
    assert state(client, dcgan) == "verified"


def test_cached_weights_load_offline(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    fetch(client, dcgan)
    assert fetch(client, dcgan, offline=True).from_ == "cache"


def test_offline_and_absent_says_so_and_names_the_command(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    said = fails(client, dcgan, offline=True)
    assert "not in the cache" in said and "`ganzoo fetch dcgan.mnist`" in said
    assert "HF_HUB_OFFLINE" in said
    assert hub.requests == []


def test_asking_for_the_state_imports_no_http_client(
    client: Client, dcgan: Pinned, tmp_path: Path
) -> None:
    """`ganzoo weights` asks for each known weight, and is to stay quick."""
    (tmp_path / "watcher.py").write_text(
        "import sys\n"
        "from ganzoo_core.hub.files import cached_state\n"
        "def watch(*pin):\n"
        "    return cached_state(*pin), {'httpx', 'httpx2', 'requests', 'torch'} & {*sys.modules}\n"
    )
    client.settings["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    fetch(client, dcgan)
    assert client.call("watcher:watch", *dcgan.arguments).value == ("verified", set())


def test_progress_is_told_up_to_the_last_byte(
    hub: HubServer, client: Client, dcgan: Pinned, tmp_path: Path
) -> None:
    (tmp_path / "watcher.py").write_text(
        "from ganzoo_core.hub.files import fetch_pinned\n"
        "def watch(*pin):\n"
        "    told = []\n"
        "    fetch_pinned(*pin, name='x', progress=lambda *step: told.append(step))\n"
        "    return told\n"
    )
    client.settings["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    told = client.call("watcher:watch", *dcgan.arguments).value
    assert ("model.safetensors", 40_000, 40_000) in told


# Content that is not what its hash says.


def test_a_body_damaged_once_is_downloaded_again(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    hub.fault("model.safetensors", damaged=True, times=1)
    fetch(client, dcgan)
    assert hub.paths("GET").count(hub.paths("GET")[-1]) == 2


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_body_damaged_always_is_refused_and_never_trusted_later(
    hub: HubServer, client: Client, dcgan: Pinned, file: str
) -> None:
    hub.fault(file, damaged=True)
    said = fails(client, dcgan)
    assert file in said and "damaged" in said and "twice" in said
    assert state(client, dcgan) == "absent"
    hub.heal()
    fetch(client, dcgan)


def test_a_file_that_the_server_has_replaced_is_refused(
    hub: HubServer, client: Client, contents: dict[str, bytes]
) -> None:
    served = hub.add("zoo/dcgan", {**contents, "model.safetensors": b"other weights"})
    said = fails(client, Pinned("zoo/dcgan", served, contents))
    assert "model.safetensors" in said and "tell the authors" in said


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_cached_file_that_was_damaged_later_is_repaired(
    hub: HubServer, client: Client, dcgan: Pinned, damage: str
) -> None:
    fetch(client, dcgan)
    path = weights(client, dcgan)
    content = path.read_bytes()
    path.write_bytes(
        {"cut": content[:100], "flipped": bytes([content[0] ^ 1]) + content[1:], "emptied": b""}[
            damage
        ]
    )
    assert state(client, dcgan, hash_contents=True) == "damaged"
    assert fetch(client, dcgan).from_ == "hub"


def test_a_damaged_cache_is_not_served_offline(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client, dcgan)
    weights(client, dcgan).write_bytes(b"short")
    said = fails(client, dcgan, offline=True)
    assert "damaged" in said and "model.safetensors" in said
    assert state(client, dcgan) == "absent"


def test_a_verified_file_that_is_touched_is_hashed_again(client: Client, dcgan: Pinned) -> None:
    fetch(client, dcgan)
    assert state(client, dcgan) == "verified"
    os.utime(weights(client, dcgan), ns=(0, 0))
    assert state(client, dcgan) == "unverified"
    assert state(client, dcgan, hash_contents=True) == "verified"


def test_the_state_of_what_was_never_fetched_is_absent(client: Client, dcgan: Pinned) -> None:
    assert state(client, dcgan) == "absent"
    assert not client.cache.exists()


# Interrupted, and several at once.


def test_a_download_that_was_killed_starts_again(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    hub.fault("model.safetensors", slow=1.0)
    running = client.start(FETCH, *dcgan.arguments, name="dcgan.mnist")
    deadline = time.monotonic() + 60
    while not any("model.safetensors" in path for path in hub.paths("GET")):
        assert time.monotonic() < deadline, "the download never began"
        time.sleep(0.05)
    running.kill()
    assert list(client.cache.rglob("*.incomplete"))
    hub.heal()
    assert fetch(client, dcgan).from_ == "hub"


def test_what_an_older_client_left_unfinished_is_no_obstacle(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    fetch(client, dcgan)
    path = weights(client, dcgan)
    path.with_name(f"{path.name}.incomplete").write_bytes(b"\0" * 1000)
    path.unlink()
    assert fetch(client, dcgan).from_ == "hub"


def test_a_connection_that_breaks_midway_is_taken_up_again(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    hub.fault("model.safetensors", cut_after=10_000, times=2)
    assert fetch(client, dcgan).from_ == "hub"


def test_eight_processes_fetch_the_same_at_once(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    running = [client.start(FETCH, *dcgan.arguments, name="dcgan.mnist") for _ in range(8)]
    found = [call.outcome().value for call in running]
    assert {Path(fetched.folder) for fetched in found} == {found[0].folder}
    assert (found[0].folder / "model.safetensors").read_bytes() == dcgan.contents[
        "model.safetensors"
    ]
    assert sum("model.safetensors" in path for path in hub.paths("GET")) == 1
    assert [fetched.from_ for fetched in found].count("hub") == 1


# The way to the Hub.


def test_the_token_does_not_follow_a_redirect_to_another_host(
    hub: HubServer, client: Client, contents: dict[str, bytes]
) -> None:
    client.token = hub.token("zoo")
    revision = hub.add("zoo/secret", contents, private=True)
    hub.redirects = True
    fetch(client, Pinned("zoo/secret", revision, contents))
    storage = [request for request in hub.requests if request.host == "storage"]
    assert storage and all("authorization" not in request.headers for request in storage)
    assert all(request.token == client.token for request in hub.requests if request.host == "hub")


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_busy_server_is_asked_again(
    hub: HubServer, client: Client, dcgan: Pinned, status: int, method: str
) -> None:
    hub.fault("model.safetensors", status=status, retry_after=0, times=2, methods=(method,))
    fetch(client, dcgan)


@pytest.mark.parametrize(
    ("status", "expected"), [(429, "fewer requests"), (500, "a problem of its own (500)")]
)
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_server_that_stays_busy_is_reported(
    hub: HubServer, client: Client, dcgan: Pinned, status: int, expected: str, method: str
) -> None:
    hub.fault("resolve", status=status, retry_after=0, methods=(method,))
    said = fails(client, dcgan)
    assert expected in said and "try again" in said


def test_a_server_that_wants_a_long_pause_is_reported_at_once(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    hub.fault("resolve", status=429, retry_after=3600)
    assert "in 3600 seconds" in fails(client, dcgan)
    assert len(hub.requests) == 1


def test_a_server_that_says_nothing_is_reported(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    client.settings["HF_HUB_ETAG_TIMEOUT"] = "1"
    hub.fault("resolve", stall=30)
    assert "did not answer in time" in fails(client, dcgan)


def test_a_slow_server_is_waited_for(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    client.settings["HF_HUB_DOWNLOAD_TIMEOUT"] = "2"
    hub.fault("model.safetensors", slow=0.2)
    fetch(client, dcgan)


@pytest.mark.parametrize("fault", [{"cut_after": 10_000}, {"truncated_to": 10_000}])
def test_a_transfer_that_always_ends_early_is_reported_and_leaves_nothing(
    hub: HubServer, client: Client, dcgan: Pinned, fault: dict[str, int]
) -> None:
    hub.fault("model.safetensors", **fault)
    said = fails(client, dcgan)
    assert "model.safetensors of zoo/dcgan" in said and "try again" in said
    assert not list(client.cache.rglob("*.incomplete"))
    hub.heal()
    fetch(client, dcgan)


def test_no_server_at_all_is_reported(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    client.settings["HF_ENDPOINT"] = "http://127.0.0.1:9"
    said = fails(client, dcgan)
    assert "http://127.0.0.1:9" in said and "HF_ENDPOINT" in said


def test_a_server_that_is_no_hub_is_reported(hub: HubServer, client: Client, dcgan: Pinned) -> None:
    client.settings["HF_ENDPOINT"] = hub.storage_url
    said = fails(client, dcgan)
    assert "cannot download config.json of zoo/dcgan" in said


# What the Hub does not give.


def test_a_missing_repository_is_reported(client: Client, dcgan: Pinned) -> None:
    said = fails(client, Pinned("zoo/none", dcgan.revision, dcgan.contents))
    assert "there is no zoo/none" in said and "hf auth login" in said


def test_a_missing_revision_is_reported(client: Client, dcgan: Pinned) -> None:
    said = fails(client, Pinned("zoo/dcgan", "0" * 40, dcgan.contents))
    assert "no such revision" in said and "000000000000" in said


def test_a_missing_file_is_reported(client: Client, dcgan: Pinned) -> None:
    said = fails(client, Pinned(dcgan.repo, dcgan.revision, {"samples.png": b"x"}))
    assert "samples.png" in said and "no such file" in said


@pytest.mark.parametrize("account", [None, "stranger"])
def test_a_gated_repository_names_its_page_and_the_login(
    hub: HubServer, client: Client, contents: dict[str, bytes], account: str | None
) -> None:
    client.token = hub.token(account) if account else None
    revision = hub.add("zoo/gated", contents, gated=True)
    said = fails(client, Pinned("zoo/gated", revision, contents))
    assert f"{hub.url}/zoo/gated" in said and "hf auth login" in said and "terms" in said


@pytest.mark.parametrize(
    ("account", "expected"), [(None, "or it is private"), ("stranger", "that your token may read")]
)
def test_a_private_repository_is_reported_to_who_may_not_see_it(
    hub: HubServer,
    client: Client,
    contents: dict[str, bytes],
    account: str | None,
    expected: str,
) -> None:
    client.token = hub.token(account) if account else None
    revision = hub.add("zoo/secret", contents, private=True)
    assert expected in fails(client, Pinned("zoo/secret", revision, contents))


def test_a_token_that_the_hub_does_not_know_is_reported(client: Client, dcgan: Pinned) -> None:
    client.token = "hf_expired"
    said = fails(client, dcgan)
    assert "does not accept your token" in said and "HF_TOKEN" in said


# The disk.


def test_a_cache_without_links_is_checked_and_repaired_alike(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    client.settings |= {"HF_HUB_DISABLE_SYMLINKS": "1", "HF_HUB_DISABLE_SYMLINKS_WARNING": "1"}
    folder = fetch(client, dcgan).folder
    assert not (folder / "model.safetensors").is_symlink()
    assert state(client, dcgan) == "verified"
    (folder / "model.safetensors").write_bytes(b"short")
    assert fetch(client, dcgan).from_ == "hub"
    assert client.call(REMOVE, *dcgan.arguments).value == 40_000 + len(
        dcgan.contents["config.json"]
    )
    assert state(client, dcgan) == "absent"


@pytest.fixture
def bound(client: Client, tmp_path: Path) -> Client:
    """A user who is bound by the permissions of folders, which root is not."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root can write everywhere, and there is no setpriv to change that")
        client.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    return client


def test_a_home_that_cannot_be_written_is_reported(bound: Client, dcgan: Pinned) -> None:
    (bound.home / "huggingface").mkdir(parents=True)
    (bound.home / "huggingface").chmod(0o555)
    said = fails(bound, dcgan)
    assert str(bound.home / "huggingface") in said and "set HF_HOME" in said


def test_an_own_cache_that_cannot_be_written_is_reported(bound: Client, dcgan: Pinned) -> None:
    bound.home.mkdir()
    bound.home.chmod(0o555)
    assert "GANZOO_CACHE" in fails(bound, dcgan)


def test_cached_weights_load_where_nothing_can_be_written(
    hub: HubServer, bound: Client, dcgan: Pinned
) -> None:
    bound.call("huggingface_hub:snapshot_download", dcgan.repo, revision=dcgan.revision).done()
    for folder in [bound.home, *bound.home.rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o555)
    assert fetch(bound, dcgan, offline=True).from_ == "cache"


def test_a_home_that_is_a_file_is_reported(client: Client, dcgan: Pinned) -> None:
    client.home.mkdir()
    (client.home / "huggingface").write_text("in the way")
    assert "set HF_HOME" in fails(client, dcgan)


# Removing.


def test_removing_frees_the_bytes_and_what_was_left_unfinished(
    client: Client, dcgan: Pinned
) -> None:
    fetch(client, dcgan)
    blob = weights(client, dcgan)
    blob.with_name(f"{blob.name}.0123abcd.incomplete").write_bytes(b"half")
    freed = client.call(REMOVE, *dcgan.arguments).value
    assert freed == sum(map(len, dcgan.contents.values()))
    assert state(client, dcgan) == "absent"
    assert not list(blob.parent.iterdir())


def test_removing_one_revision_keeps_what_another_one_shares(
    hub: HubServer, client: Client, dcgan: Pinned
) -> None:
    contents = {**dcgan.contents, "config.json": b"{}"}
    newer = Pinned(dcgan.repo, hub.add(dcgan.repo, contents), contents)
    fetch(client, dcgan)
    fetch(client, newer)
    client.call(REMOVE, *dcgan.arguments).done()
    assert state(client, dcgan) == "absent"
    assert state(client, newer) == "verified"


def test_removing_what_is_not_there_frees_nothing(client: Client, dcgan: Pinned) -> None:
    assert client.call(REMOVE, *dcgan.arguments).value == 0


# Pins that nobody should follow.


@pytest.mark.parametrize(
    "path",
    ["../config.json", "a/../../x", "/etc/passwd", "a//b", "", ".", "a\\..\\b", "C:x", "a\0b"],
)
def test_a_name_that_leads_out_of_the_repository_is_refused_before_any_request(
    hub: HubServer, client: Client, dcgan: Pinned, path: str
) -> None:
    files = [RemoteFile(path, 1, "0" * 64)]
    outcome = client.call(FETCH, dcgan.repo, dcgan.revision, files, name="dcgan.mnist")
    assert "no name of a file inside zoo/dcgan" in outcome.sentence
    assert hub.requests == []


@pytest.mark.parametrize("revision", ["main", "v1", "abc", "0" * 39, "Z" * 40, "../" + "0" * 37])
def test_a_pin_to_anything_but_a_commit_is_refused(
    hub: HubServer, client: Client, dcgan: Pinned, revision: str
) -> None:
    said = fails(client, Pinned(dcgan.repo, revision, dcgan.contents))
    assert "no commit" in said
    assert hub.requests == []


@pytest.mark.parametrize(
    "repo", ["dcgan", "a/b/c", "../..", "zoo/", "zoo/a b", "zoo/..", "-a/b", ""]
)
def test_a_malformed_repository_name_is_refused(
    hub: HubServer, client: Client, dcgan: Pinned, repo: str
) -> None:
    said = fails(client, Pinned(repo, dcgan.revision, dcgan.contents))
    assert "org/name" in said
    assert hub.requests == []


@pytest.mark.parametrize(
    ("size", "digest"), [(-1, "0" * 64), (1, "0" * 63), (1, "x" * 64), (1, "")]
)
def test_a_pin_without_size_or_hash_is_refused(
    client: Client, dcgan: Pinned, size: int, digest: str
) -> None:
    files = [RemoteFile("config.json", size, digest)]
    outcome = client.call(FETCH, dcgan.repo, dcgan.revision, files, name="dcgan.mnist")
    assert "sha256" in outcome.sentence


def test_a_pin_without_files_is_refused(client: Client, dcgan: Pinned) -> None:
    outcome = client.call(FETCH, dcgan.repo, dcgan.revision, [], name="dcgan.mnist")
    assert "without files" in outcome.sentence
