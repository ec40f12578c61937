"""The server speaks the Hub's protocol: the client alone, without ganzoo, can live with it."""

from pathlib import Path

import pytest
from hub_server import Client, HubServer

API = "huggingface_hub:HfApi()"


@pytest.fixture
def writer(hub: HubServer, client: Client) -> Client:
    client.token = hub.token("zoo")
    return client


@pytest.fixture
def folder(tmp_path: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    return tmp_path / "model"


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_folder_that_is_uploaded_is_downloaded_again(
    kind: str, hub: HubServer, writer: Client, folder: Path, contents: dict[str, bytes]
) -> None:
    writer.call(f"{API}.create_repo", "zoo/new", repo_type=kind).done()
    writer.call(
        f"{API}.upload_folder", repo_id="zoo/new", folder_path=folder, repo_type=kind
    ).done()
    found = Path(writer.call("huggingface_hub:snapshot_download", "zoo/new", repo_type=kind).value)
    assert {name: (found / name).read_bytes() for name in contents} == contents
    assert len(hub.paths("PUT")) == 1  # only the weights are large


def test_uploading_the_same_again_makes_no_commit(
    hub: HubServer, writer: Client, folder: Path
) -> None:
    writer.call(f"{API}.create_repo", "zoo/new").done()
    first = writer.call(f"{API}.upload_folder", repo_id="zoo/new", folder_path=folder).value
    second = writer.call(f"{API}.upload_folder", repo_id="zoo/new", folder_path=folder).value
    assert first.oid == second.oid == hub.repository("zoo/new").head.id


def test_creating_what_exists_is_a_conflict_unless_that_is_fine(
    hub: HubServer, writer: Client
) -> None:
    hub.add("zoo/dcgan", {})
    assert "409" in writer.call(f"{API}.create_repo", "zoo/dcgan").error.message
    created = writer.call(f"{API}.create_repo", "zoo/dcgan", exist_ok=True)
    assert str(created.value) == f"{hub.url}/zoo/dcgan"


def test_a_private_repository_is_created_private(hub: HubServer, writer: Client) -> None:
    writer.call(f"{API}.create_repo", "zoo/secret", private=True).done()
    assert hub.repository("zoo/secret").private


def test_a_tag_names_a_commit_for_good(hub: HubServer, writer: Client) -> None:
    old = hub.add("zoo/dcgan", {"config.json": b"1"})
    writer.call(f"{API}.create_tag", "zoo/dcgan", tag="v1").done()
    hub.add("zoo/dcgan", {"config.json": b"2"})
    assert writer.call(f"{API}.model_info", "zoo/dcgan", revision="v1").value.sha == old
    references = writer.call(f"{API}.list_repo_refs", "zoo/dcgan").value
    assert [(tag.name, tag.target_commit) for tag in references.tags] == [("v1", old)]
    assert "409" in writer.call(f"{API}.create_tag", "zoo/dcgan", tag="v1").error.message


def test_a_file_that_is_deleted_is_gone_from_the_next_commit_only(
    hub: HubServer, writer: Client
) -> None:
    old = hub.add("zoo/dcgan", {"config.json": b"1", "notes.txt": b"x"})
    writer.call(f"{API}.delete_file", "notes.txt", "zoo/dcgan").done()
    assert "notes.txt" not in hub.repository("zoo/dcgan").head.files
    assert writer.call(f"{API}.file_exists", "zoo/dcgan", "notes.txt", revision=old).value


def test_the_tree_lists_folders_and_large_files(hub: HubServer, client: Client) -> None:
    hub.add("zoo/dcgan", {"a/b/c.txt": b"c", "model.safetensors": bytes(5000)})
    found = client.call(f"{API}.list_repo_tree", "zoo/dcgan", recursive=True).value
    assert {entry.path for entry in found} == {
        "a", "a/b", "a/b/c.txt", ".gitattributes", "model.safetensors",
    }  # fmt: skip
    large = next(entry for entry in found if entry.path == "model.safetensors")
    assert large.lfs.size == large.size == 5000
    top = client.call(f"{API}.list_repo_tree", "zoo/dcgan").value
    assert {entry.path for entry in top} == {"a", ".gitattributes", "model.safetensors"}


def test_a_search_filters_by_the_card_and_follows_the_pages(hub: HubServer, client: Client) -> None:
    hub.page_size = 2
    for number in range(5):
        hub.add(f"zoo/gan-{number}", {"README.md": b"---\nlibrary_name: ganzoo\n---\n"})
    hub.add("zoo/other", {"README.md": b"---\nlibrary_name: diffusers\n---\n"})
    hub.add("zoo/hidden", {"README.md": b"---\nlibrary_name: ganzoo\n---\n"}, private=True)
    found = client.call(f"{API}.list_models", filter="ganzoo").value
    assert {info.id for info in found} == {f"zoo/gan-{number}" for number in range(5)}
    assert len(hub.requests) == 3
    [one] = client.call(f"{API}.list_models", filter="ganzoo", search="GAN-3").value
    assert one.id == "zoo/gan-3"


@pytest.mark.parametrize(
    ("repo", "revision", "file", "expected"),
    [
        ("zoo/none", "main", "config.json", "RepositoryNotFoundError"),
        ("zoo/dcgan", "none", "config.json", "RevisionNotFoundError"),
        ("zoo/dcgan", "main", "none.json", "RemoteEntryNotFoundError"),
        ("zoo/gated", "main", "config.json", "GatedRepoError"),
        ("zoo/secret", "main", "config.json", "RepositoryNotFoundError"),
    ],
)
@pytest.mark.parametrize("account", [None, "stranger"])
def test_what_cannot_be_had_is_the_clients_own_error(
    hub: HubServer,
    client: Client,
    repo: str,
    revision: str,
    file: str,
    expected: str,
    account: str | None,
) -> None:
    client.token = hub.token(account) if account else None
    for name in ("dcgan", "gated", "secret"):
        hub.add(
            f"zoo/{name}", {"config.json": b"{}"}, gated=name == "gated", private=name == "secret"
        )
    outcome = client.call("huggingface_hub:hf_hub_download", repo, file, revision=revision)
    assert outcome.error.kinds[0] == expected


def test_who_has_access_reads_private_and_gated_files(hub: HubServer, client: Client) -> None:
    hub.add("zoo/secret", {"config.json": b"1"}, private=True)
    hub.add("other/gated", {"config.json": b"2"}, gated=True)
    client.token = hub.token("zoo")
    hub.grant("zoo", "other/gated")
    for repo, content in (("zoo/secret", b"1"), ("other/gated", b"2")):
        path = client.call("huggingface_hub:hf_hub_download", repo, "config.json").value
        assert Path(path).read_bytes() == content


def test_a_data_set_is_loaded_by_the_datasets_library(hub: HubServer, client: Client) -> None:
    pytest.importorskip("datasets")
    hub.add("zoo/shapes", {"train.csv": b"side,name\n3,triangle\n4,square\n"}, kind="datasets")
    rows = client.call("datasets:load_dataset('zoo/shapes', split='train').to_list").value
    assert rows == [{"side": 3, "name": "triangle"}, {"side": 4, "name": "square"}]


def test_the_client_itself_takes_a_damaged_body_for_good(hub: HubServer, client: Client) -> None:
    """Why ganzoo compares hashes: should this fail one day, the client has learnt to do it."""
    hub.add("zoo/dcgan", {"model.safetensors": bytes(5000)})
    hub.fault("model.safetensors", damaged=True)
    path = client.call("huggingface_hub:hf_hub_download", "zoo/dcgan", "model.safetensors").value
    assert Path(path).read_bytes() == b"\xff" * 5000


def test_a_range_is_answered_with_that_part(hub: HubServer, client: Client) -> None:
    hub.add("zoo/dcgan", {"notes.txt": b"0123456789"})
    url = f"{hub.url}/zoo/dcgan/resolve/main/notes.txt"
    answer = client.call(
        "huggingface_hub.utils:http_backoff", "GET", url, headers={"Range": "bytes=2-4"}
    ).value
    assert (answer.status_code, answer.content) == (206, b"234")
