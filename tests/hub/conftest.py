import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import Client, HubServer, Pinned


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "home")


@pytest.fixture
def contents() -> dict[str, bytes]:
    """A model folder whose weights count as a large file."""
    return {
        "config.json": b'{"variant": "dcgan"}\n',
        "model.safetensors": random.Random(7).randbytes(40_000),
    }


@pytest.fixture
def dcgan(hub: HubServer, contents: dict[str, bytes]) -> Pinned:
    return Pinned("zoo/dcgan", hub.add("zoo/dcgan", contents, tag="v1"), contents)
