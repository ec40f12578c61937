"""A Hugging Face Hub on loopback, which the real `huggingface_hub` client talks to.

It speaks as much of the Hub's protocol as ganzoo uses, for models and for data sets, keeps
everything in memory, records every request, and misbehaves where a test asks it to:

    with HubServer() as hub:
        revision = hub.add("zoo/dcgan", {"config.json": b"{}", "model.safetensors": weights})
        hub.fault("model.safetensors", damaged=True, times=1)
        client = Client(hub, home, token=hub.token("zoo"))
        path = client.call("huggingface_hub:hf_hub_download", "zoo/dcgan", "config.json").value
        assert hub.requests
"""

from .client import Client, Failure, Outcome
from .faults import Fault
from .pinned import Pinned
from .repository import Commit, Repository, git_blob_id
from .server import HubServer, Request

__all__ = [
    "Client",
    "Commit",
    "Failure",
    "Fault",
    "HubServer",
    "Outcome",
    "Pinned",
    "Repository",
    "Request",
    "git_blob_id",
]
