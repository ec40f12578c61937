"""Publishing a model folder, and finding what others have published."""

from pathlib import Path
from typing import Any

import pytest
from hub_server import Client, HubServer, Outcome, Pinned

from ganzoo_core.hub.upload import HubModel, Published

PUBLISH = "ganzoo_core.hub.upload:publish_folder"
SEARCH = "ganzoo_core.hub.upload:search_hub"
FETCH = "ganzoo_core.hub.files:fetch_pinned"
CARD = b"---\nlibrary_name: ganzoo\nlicense: mit\ntags: [gan]\n---\n# A model\n"


@pytest.fixture
def writer(hub: HubServer, client: Client) -> Client:
    client.token = hub.token("zoo")
    return client


@pytest.fixture
def folder(tmp_path: Path, contents: dict[str, bytes]) -> Path:
    """A model folder with a card."""
    path = tmp_path / "run" / "model"
    path.mkdir(parents=True)
    for name, content in {**contents, "README.md": CARD}.items():
        (path / name).write_bytes(content)
    return path


def call(client: Client, folder: Path, repo: str = "zoo/new", **named: Any) -> Outcome:
    return client.call(PUBLISH, folder, repo, message="Publish", **named)


def publish(client: Client, folder: Path, repo: str = "zoo/new", **named: Any) -> Published:
    found = call(client, folder, repo, **named).value
    assert isinstance(found, Published)
    return found


def test_what_was_published_can_be_pinned_and_fetched(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    published = publish(writer, folder, tag="v1")
    assert published.changed and published.url == f"{hub.url}/zoo/new"
    assert hub.repository("zoo/new").tags == {"v1": published.revision}
    fetched = writer.call(
        FETCH, published.repo, published.revision, published.files, name="new"
    ).value
    assert {file.path for file in published.files} == {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        assert (fetched.folder / path.name).read_bytes() == path.read_bytes()


def test_publishing_again_without_a_change_writes_nothing(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    first = publish(writer, folder, tag="v1")
    hub.requests.clear()
    second = publish(writer, folder, tag="v1")
    assert not second.changed
    assert (second.revision, second.files) == (first.revision, first.files)
    assert {request.method for request in hub.requests} == {"GET"}


def test_a_change_makes_one_commit_with_what_changed(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    first = publish(writer, folder)
    (folder / "config.json").write_text("{}")
    hub.requests.clear()
    second = publish(writer, folder)
    repository = hub.repository("zoo/new")
    assert second.changed and repository.commits[second.revision].parent == first.revision
    assert repository.head.files["config.json"] == b"{}"
    assert hub.paths("PUT") == []  # the weights are there


def test_a_tag_can_be_added_to_what_is_there(hub: HubServer, writer: Client, folder: Path) -> None:
    first = publish(writer, folder)
    second = publish(writer, folder, tag="v1")
    assert not second.changed
    assert hub.repository("zoo/new").tags == {"v1": first.revision}


def test_a_tag_is_never_moved(hub: HubServer, writer: Client, folder: Path) -> None:
    first = publish(writer, folder, tag="v1")
    (folder / "config.json").write_text("{}")
    hub.requests.clear()
    said = call(writer, folder, tag="v1").sentence
    assert "v1" in said and first.revision[:12] in said and "choose another" in said
    assert {request.method for request in hub.requests} == {"GET"}


def test_only_the_files_of_a_model_folder_are_uploaded(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    (folder / "secrets.env").write_text("password")
    (folder / "samples.png").write_bytes(b"picture")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "state.pt").write_bytes(b"state")
    publish(writer, folder)
    files = set(hub.repository("zoo/new").head.files)
    assert files == {
        ".gitattributes", "README.md", "config.json", "model.safetensors", "samples.png",
    }  # fmt: skip


def test_a_part_that_the_model_no_longer_has_is_removed_and_foreign_files_stay(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    hub.add("zoo/new", {"discriminator.safetensors": b"old", "notes.txt": b"by hand"})
    publish(writer, folder)
    files = hub.repository("zoo/new").head.files
    assert "discriminator.safetensors" not in files and files["notes.txt"] == b"by hand"


def test_private_is_private(hub: HubServer, writer: Client, folder: Path) -> None:
    publish(writer, folder, private=True)
    assert hub.repository("zoo/new").private
    assert not publish(writer, folder, private=True).changed


def test_private_into_a_public_repository_is_refused(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    hub.add("zoo/new", {})
    said = call(writer, folder, private=True).sentence
    assert "public" in said and f"{hub.url}/zoo/new/settings" in said
    assert {request.method for request in hub.requests} == {"GET"}


def test_a_private_repository_stays_private(hub: HubServer, writer: Client, folder: Path) -> None:
    hub.add("zoo/new", {}, private=True)
    publish(writer, folder)
    assert hub.repository("zoo/new").private


def test_without_a_token_nothing_is_asked(hub: HubServer, client: Client, folder: Path) -> None:
    said = call(client, folder).sentence
    assert "token" in said and "hf auth login" in said and "HF_TOKEN" in said
    assert hub.requests == []


def test_a_namespace_of_others_is_refused(hub: HubServer, writer: Client, folder: Path) -> None:
    said = call(writer, folder, "other/new").sentence
    assert "no right" in said and "other/new" in said


def test_a_repository_of_others_is_refused(hub: HubServer, writer: Client, folder: Path) -> None:
    hub.add("other/new", {})
    said = call(writer, folder, "other/new").sentence
    assert "no right" in said and "other/new" in said


def test_a_token_that_the_hub_does_not_know_is_reported(client: Client, folder: Path) -> None:
    client.token = "hf_expired"
    assert "does not accept your token" in call(client, folder).sentence


@pytest.mark.parametrize("repo", ["new", "zoo/new/x", "zoo/..", "zoo/a b", "zoo/new.git", ""])
def test_a_malformed_name_is_refused(
    hub: HubServer, writer: Client, folder: Path, repo: str
) -> None:
    assert "org/name" in call(writer, folder, repo).sentence
    assert hub.requests == []


@pytest.mark.parametrize("tag", ["", "a b", "../x", "-x", "v1.lock", "a..b", "0" * 40, "v1/x"])
def test_a_malformed_tag_is_refused(hub: HubServer, writer: Client, folder: Path, tag: str) -> None:
    assert "cannot be a tag" in call(writer, folder, tag=tag).sentence
    assert hub.requests == []


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_refused(
    hub: HubServer, writer: Client, folder: Path, missing: str
) -> None:
    (folder / missing).unlink()
    said = call(writer, folder).sentence
    assert missing in said and str(folder) in said
    assert hub.requests == []


def test_a_folder_that_is_not_there_is_refused(writer: Client, tmp_path: Path) -> None:
    assert str(tmp_path / "none") in call(writer, tmp_path / "none").sentence


def test_a_card_that_the_hub_rejects_is_reported(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    (folder / "README.md").write_text("---\nlibrary_name: [1, 2]\n---\n")
    said = call(writer, folder).sentence
    assert "library_name" in said
    assert set(hub.repository("zoo/new").head.files) == {".gitattributes"}


def test_an_upload_that_failed_is_made_whole_by_the_next(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    hub.fault("/commit/", status=500)
    said = call(writer, folder).sentence
    assert "500" in said and "try again" in said
    hub.heal()
    assert publish(writer, folder).changed
    assert not publish(writer, folder).changed


@pytest.mark.parametrize("place", ["/upload/", "/refs", "/tag/", "blobs=true"])
def test_a_busy_server_is_asked_again(
    hub: HubServer, writer: Client, folder: Path, place: str
) -> None:
    hub.add("zoo/new", {})
    fault = hub.fault(place, status=503, retry_after=0, times=1)
    assert publish(writer, folder, tag="v1").changed
    assert fault.times is not None and fault.times <= 0


def test_a_commit_of_somebody_else_in_between_is_reported(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    hub.add("zoo/new", {})
    hub.fault("/commit/", status=412)
    assert "somebody else" in call(writer, folder).sentence


def test_offline_publishes_nothing(hub: HubServer, writer: Client, folder: Path) -> None:
    assert "HF_HUB_OFFLINE" in call(writer, folder, offline=True).sentence
    assert hub.requests == []


# Search.


def test_a_search_finds_every_model_of_ganzoo_and_no_other(
    hub: HubServer, client: Client, contents: dict[str, bytes]
) -> None:
    hub.page_size = 2
    for number in range(5):
        hub.add(f"zoo/gan-{number}", {"README.md": CARD}, downloads=number, likes=10 * number)
    hub.add("zoo/other", {"README.md": b"---\nlibrary_name: diffusers\n---\n"})
    hub.add("zoo/hidden", {"README.md": CARD}, private=True)
    found = client.call(SEARCH).value
    assert [model.id for model in found] == [f"zoo/gan-{number}" for number in (4, 3, 2, 1, 0)]
    assert isinstance(found[0], HubModel)
    assert (found[0].downloads, found[0].likes, found[0].license) == (4, 40, "mit")
    assert "gan" in found[0].tags and found[0].last_modified is not None


def test_a_search_for_words_and_with_a_limit(hub: HubServer, client: Client) -> None:
    for name in ("dcgan-mnist", "dcgan-faces", "wgan-mnist"):
        hub.add(f"zoo/{name}", {"README.md": CARD})
    assert [model.id for model in client.call(SEARCH, "wgan").value] == ["zoo/wgan-mnist"]
    assert len(client.call(SEARCH, limit=2).value) == 2
    assert client.call(SEARCH, "nothing-like-this").value == []


def test_a_model_without_a_licence_says_none(hub: HubServer, client: Client) -> None:
    hub.add("zoo/bare", {"README.md": b"---\nlibrary_name: ganzoo\n---\n"})
    assert client.call(SEARCH).value[0].license is None


@pytest.mark.parametrize(
    ("status", "expected"), [(500, "problem of its own"), (429, "fewer requests")]
)
def test_a_search_that_fails_says_why(
    hub: HubServer, client: Client, status: int, expected: str
) -> None:
    hub.fault("/api/models", status=status, retry_after=0)
    assert expected in client.call(SEARCH).sentence


def test_an_offline_search_says_so(hub: HubServer, client: Client) -> None:
    assert "HF_HUB_OFFLINE" in client.call(SEARCH, offline=True).sentence


def test_a_published_model_is_found(
    hub: HubServer, writer: Client, folder: Path, dcgan: Pinned
) -> None:
    publish(writer, folder)
    assert [model.id for model in writer.call(SEARCH).value] == ["zoo/new"]
