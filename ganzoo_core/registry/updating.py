"""Fetching a newer registry from the Hub; what is stored has been checked, whole or not at all."""

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ganzoo_core.errors import HubError, RegistryError
from ganzoo_core.files import write_json
from ganzoo_core.hub._client import (
    answer_timeout,
    check_repository_name,
    explained,
    is_offline,
    patiently,
)
from ganzoo_core.registry.entries import check, write
from ganzoo_core.registry.reading import (
    FILE_NAME,
    LARGEST,
    load_json,
    parse_json,
    read_registry,
    source,
    stored_file,
)


class Update(NamedTuple):
    """What an update came to."""

    source: str
    changed: bool
    plugins: int
    papers: int
    revision: str
    """The repository's commit; empty for a file."""


class _Remote(NamedTuple):
    etag: str
    revision: str
    size: int


def update() -> Update:
    """Fetch the registry of `GANZOO_REGISTRY`, or the public one, where it has changed.

    A repository is asked for its file's ETag first, and nothing is downloaded where that is known.
    What comes is checked in full before it takes the place of the copy in the cache. A file that
    `GANZOO_REGISTRY` names is read wherever it lies; it is only checked.

    Raises:
        GanzooError: it cannot be had, or is not what a registry must be; the one that was in use
            stays in use.
    """
    name, is_file = source()
    if is_file:
        content = load_json(str(Path(name).expanduser()))
        _refuse_problems(content, name)
        return Update(name, False, len(content["plugins"]), len(content["papers"]), "")
    check_repository_name(name)
    try:
        return _update_from_hub(name)
    except (HubError, RegistryError) as error:
        raise type(error)(f"{error}; the registry that was in use stays in use") from None


def _update_from_hub(repository: str) -> Update:
    if is_offline():
        raise HubError(
            f"HF_HUB_OFFLINE forbids to ask for {repository}; unset it to update the registry"
        )
    stored = Path(stored_file(repository))
    state = stored.with_name("state.json")
    remote = _ask(repository)
    changed = not stored.is_file() or _remembered_etag(state) != remote.etag
    if changed:
        where = f"{FILE_NAME} of {repository}"
        content = parse_json(_download(repository, remote), where)
        _refuse_problems(content, where)
        write(content, stored)
        write_json(state, {"etag": remote.etag, "revision": remote.revision})
    registry = read_registry()
    return Update(repository, changed, len(registry.plugins), len(registry.papers), remote.revision)


def _ask(repository: str) -> _Remote:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repository, FILE_NAME, repo_type="dataset")
    with explained(f"datasets/{repository}", f"look up the registry {repository}"):
        found = patiently(lambda: get_hf_file_metadata(url, timeout=answer_timeout()))
    if not found.etag or not found.commit_hash or found.size is None:
        raise HubError(f"the Hub does not say what {FILE_NAME} of {repository} is; try again later")
    if found.size > LARGEST:
        raise RegistryError(
            f"{FILE_NAME} of {repository} has {found.size / 2**20:.0f} MiB and a registry has at "
            f"most {LARGEST // 2**20}, so it was not downloaded"
        )
    return _Remote(found.etag, found.commit_hash, found.size)


def _download(repository: str, remote: _Remote) -> bytes:
    """Return the file, once it is what its ETag says: a sha256, or the name that git gives it."""
    from huggingface_hub import hf_hub_download

    with (
        tempfile.TemporaryDirectory(prefix="ganzoo-") as folder,
        explained(f"datasets/{repository}", f"download the registry {repository}"),
    ):
        path = patiently(
            lambda: hf_hub_download(
                repository,
                FILE_NAME,
                repo_type="dataset",
                revision=remote.revision,
                local_dir=folder,
            )
        )
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    git = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    git.update(content)
    if remote.etag not in (hashlib.sha256(content).hexdigest(), git.hexdigest()):
        raise HubError(f"{FILE_NAME} of {repository} came damaged; try again")
    return content


def _refuse_problems(content: Any, where: str) -> None:
    found = check(content, where)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise RegistryError(f"the registry {where} is not valid: {found[0]}{more}")


def _remembered_etag(state: Path) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(state.read_bytes())["etag"])
    return None
