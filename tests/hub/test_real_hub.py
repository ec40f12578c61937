"""The real Hub still answers as the server in these tests does."""

import socket
from pathlib import Path

import pytest
from hub_server import Client, HubServer

pytestmark = pytest.mark.hub

REPO = "openai-community/gpt2"


@pytest.fixture
def visitor(hub: HubServer, tmp_path: Path) -> Client:
    """Somebody without a token at the real Hub."""
    try:
        socket.create_connection(("huggingface.co", 443), timeout=3).close()
    except OSError as error:
        pytest.skip(f"huggingface.co cannot be reached: {error}")
    return Client(hub, tmp_path / "home", settings={"HF_ENDPOINT": "https://huggingface.co"})


def test_a_small_file_is_fetched_verified_and_found_again_offline(visitor: Client) -> None:
    fetch = "ganzoo_core.hub.files:fetch_repository"
    first = visitor.call(fetch, REPO, None, allow=["README.md"]).value
    again = visitor.call(fetch, REPO, None, allow=["README.md"], offline=True).value
    assert first.verified and (again.revision, again.from_) == (first.revision, "cache")
    missing = visitor.call(fetch, REPO, "0" * 40, allow=["README.md"])
    assert "no such revision" in missing.sentence
