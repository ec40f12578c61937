"""Files that authors published on the Hub, of which a manifest does not know every hash.

They are trusted on first use: what the Hub had then is remembered, commit, sizes and hashes, in
ganzoo's own cache folder. From then on they are pinned as any others are, so that a file that
changes later, on the disk or on the Hub, is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo_core.errors import HubError
from ganzoo_core.files import sha256_of, write_json
from ganzoo_core.hub._client import is_offline
from ganzoo_core.hub.files import (
    Fetched,
    Progress,
    RemoteFile,
    fetch_pinned,
    fetch_repository,
    remove_cached,
)
from ganzoo_core.places import cache_folder


@dataclass(frozen=True)
class PublishedFile:
    """A file as a manifest names it: what is None is not known."""

    path: str
    size: int | None = None
    sha256: str | None = None

    def may_be(self, found: RemoteFile) -> bool:
        """Return whether nothing that is known of this file speaks against the one found."""
        return (
            self.path == found.path
            and self.size in (None, found.size)
            and self.sha256 in (None, found.sha256)
        )


@dataclass(frozen=True)
class FirstUse:
    """What the Hub had when the files were fetched first."""

    revision: str
    files: tuple[RemoteFile, ...]


def first_use(
    repo: str, revision: str, files: Sequence[PublishedFile], *, name: str
) -> FirstUse | None:
    """Return what is remembered of these files; None before the first use, or of other ones."""
    try:
        stored = json.loads(_record(name).read_text(encoding="utf-8"))
        found = tuple(RemoteFile(**file) for file in stored["files"])
        same = (stored["repo"], stored["asked"]) == (repo, revision)
        commit = str(stored["revision"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or unreadable
    if not same or len(found) != len(files):
        return None
    fits = all(file.may_be(its) for file, its in zip(files, found, strict=True))
    return FirstUse(commit, found) if fits else None


def fetch_published(
    repo: str,
    revision: str,
    files: Sequence[PublishedFile],
    *,
    name: str,
    progress: Progress | None = None,
) -> Fetched:
    """Return a folder in which each of the published files is what it was on first use.

    `name` is what the user calls these weights, for the sentences and the record.

    Raises:
        HubError: a file cannot be had, is not what the manifest knows of it, or has changed.
    """
    known = first_use(repo, revision, files, name=name)
    if known is not None:
        return fetch_pinned(repo, known.revision, known.files, name=name, progress=progress)
    if is_offline():
        raise HubError(
            f"{name} was not fetched yet and HF_HUB_OFFLINE forbids it; unset it, with a network, "
            f"and run `ganzoo fetch {name}`"
        )
    fetched = fetch_repository(
        repo, revision, allow=[file.path for file in files], progress=progress
    )
    found = []
    for file in files:
        path = fetched.folder / file.path
        if not path.is_file():
            raise HubError(f"{repo} at {revision} has no {file.path}; {_complaint(name)}")
        its = RemoteFile(file.path, path.stat().st_size, sha256_of(path))
        if not file.may_be(its):
            remove_cached(repo, fetched.revision, [its])
            raise HubError(
                f"{file.path} of {repo} at {revision} has {its.size} bytes and the sha256 "
                f"{its.sha256}, which is not what the manifest says of {name}, and was removed; "
                f"{_complaint(name)}"
            )
        found.append(its)
    write_json(
        _record(name),
        {
            "repo": repo,
            "asked": revision,
            "revision": fetched.revision,
            "files": [vars(file) for file in found],
        },
    )
    return fetched


def forget(name: str) -> None:
    """Forget the first use, so that the next one trusts what is there then."""
    _record(name).unlink(missing_ok=True)


def _complaint(name: str) -> str:
    return f"tell the authors of the plugin that declares {name}"


def _record(name: str) -> Path:
    return Path(cache_folder()) / "first-use" / f"{name.replace('/', '--')}.json"
