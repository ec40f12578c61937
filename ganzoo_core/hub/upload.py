"""Model folders on their way to the Hub, and the Hub's models that ganzoo can load."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo_core.errors import HubError
from ganzoo_core.hub._client import (
    answer_timeout,
    check_repository_name,
    endpoint,
    explained,
    is_offline,
    patiently,
)
from ganzoo_core.hub.files import MODEL_FILES, REQUIRED_FILES, RemoteFile

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo


@dataclass(frozen=True)
class Published:
    """Where a model folder is on the Hub, and what a manifest needs to pin it.

    `revision` is the commit, `files` are what it holds of the folder, and `changed` says whether
    this commit was made now.
    """

    repo: str
    revision: str
    url: str
    files: tuple[RemoteFile, ...]
    changed: bool


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub, as a search finds it; None is what the Hub does not say."""

    id: str
    downloads: int
    likes: int
    tags: tuple[str, ...]
    license: str | None
    last_modified: datetime | None


def publish_folder(
    folder: Path, repo: str, *, private: bool = False, tag: str | None = None, message: str
) -> Published:
    """Make the Hub repository `repo` hold what a model folder holds, and tag it.

    The repository is created where there is none. Only the files that a model folder may have are
    uploaded, and those of them that the folder lacks are removed from the repository; its other
    files stay. Without a difference there is no commit. A tag that exists is never moved.

    Raises:
        HubError: the folder is no model, the names are malformed, there is no token or it lacks the
            right, the tag is taken by another commit, a private model would become public, or the
            Hub cannot be reached.
    """
    local = _describe(folder)
    check_repository_name(repo)
    _check_tag(tag)
    _check_token(repo)

    info = _look_up(repo)
    if info is not None and private and not info.private:
        raise HubError(
            f"{repo} exists already and is public; make it private at {endpoint()}/{repo}/settings "
            "first, or publish without --private"
        )
    added, removed = _difference(folder, local, info)
    tagged = _tagged_commit(repo, tag) if info is not None and tag is not None else None
    head = info.sha if info is not None else None
    if tagged is not None and (added or removed or tagged != head):
        raise HubError(
            f"the tag {tag} of {repo} is taken by commit {tagged[:12]} with other content; tags "
            "are not moved, so choose another one"
        )

    changed = bool(added or removed)
    if info is None:
        _create(repo, private)
    if changed or head is None:
        head = _commit(folder, repo, added, removed, head, message)
        _check_arrival(folder, repo, head, local)
    if tag is not None and tagged is None:
        _create_tag(repo, tag, head)
    return Published(repo, head, f"{endpoint()}/{repo}", local, changed)


def search_hub(query: str | None = None, limit: int = 50) -> list[HubModel]:
    """Return the models of the Hub that carry `library_name: ganzoo`, most downloaded first.

    `query` is searched in their names.

    Raises:
        HubError: the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    if is_offline():
        raise HubError("cannot search the Hub while HF_HUB_OFFLINE is set; unset it and try again")
    with explained("models", "search the Hub"):
        found = list(
            HfApi().list_models(
                filter="ganzoo",
                search=query,
                sort="downloads",
                limit=limit,
                expand=["downloads", "likes", "tags", "lastModified"],
            )
        )
    return [_as_hub_model(info) for info in found]


def _as_hub_model(info: "ModelInfo") -> HubModel:
    tags = tuple(info.tags or ())
    licenses = [tag.removeprefix("license:") for tag in tags if tag.startswith("license:")]
    return HubModel(
        id=info.id,
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        tags=tags,
        license=licenses[0] if licenses else None,
        last_modified=info.last_modified,
    )


def _describe(folder: Path) -> tuple[RemoteFile, ...]:
    """Return size and hash of each file of a model folder."""
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise HubError(
            f"{folder} has no {' and no '.join(missing)}, so it is no model folder; give a run, or "
            "the folder model/ of one"
        )
    described = []
    for name in MODEL_FILES:
        path = folder / name
        if path.is_file():
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise HubError(
                    f"{path} cannot be read ({error.strerror}); make it readable and try again"
                ) from error
            described.append(RemoteFile(name, path.stat().st_size, digest))
    return tuple(described)


def _check_tag(tag: str | None) -> None:
    """Refuse names that git could not give to a tag, and those that look like a commit."""
    if tag is None:
        return
    well_formed = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", tag) and ".." not in tag
    if not well_formed or tag.endswith((".", ".lock")) or re.fullmatch(r"[0-9a-f]{40}", tag):
        raise HubError(
            f"{tag!r} cannot be a tag; use letters, digits, '.', '_' and '-', such as v1"
        )


def _check_token(repo: str) -> None:
    from huggingface_hub import get_token

    if is_offline():
        raise HubError(f"cannot publish {repo} while HF_HUB_OFFLINE is set; unset it and try again")
    if not get_token():
        raise HubError(
            f"publishing {repo} needs a token with the right to write; make one at huggingface.co/"
            "settings/tokens, then run `hf auth login` or set HF_TOKEN"
        )


def _look_up(repo: str) -> "ModelInfo | None":
    """Return what the Hub knows of a repository, or None where the token sees none."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    def ask() -> "ModelInfo | None":
        try:
            return HfApi().model_info(repo, files_metadata=True, timeout=answer_timeout())
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            return None

    with explained(repo, f"look up {repo}"):
        return patiently(ask)


def _remote_digests(info: "ModelInfo | None") -> dict[str, str | None]:
    """Return what the Hub says of each file: the sha256 of large ones, git's name of the others."""
    if info is None:
        return {}
    return {
        file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id
        for file in info.siblings or ()
    }


def _matches(path: Path, file: RemoteFile, digest: str | None) -> bool:
    if digest is None or len(digest) == 64:
        return digest == file.sha256
    content = path.read_bytes()  # small, or else it would be a large file of the Hub's
    named = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return named.hexdigest() == digest


def _difference(
    folder: Path, local: tuple[RemoteFile, ...], info: "ModelInfo | None"
) -> tuple[list[str], list[str]]:
    """Return the files to upload and those to remove."""
    remote = _remote_digests(info)
    added = [
        file.path for file in local if not _matches(folder / file.path, file, remote.get(file.path))
    ]
    kept = {file.path for file in local}
    return added, [name for name in MODEL_FILES if name in remote and name not in kept]


def _tagged_commit(repo: str, tag: str) -> str | None:
    from huggingface_hub import HfApi

    with explained(repo, f"list the tags of {repo}"):
        references = patiently(lambda: HfApi().list_repo_refs(repo))
    return next((ref.target_commit for ref in references.tags if ref.name == tag), None)


def _create(repo: str, private: bool) -> None:
    from huggingface_hub import HfApi

    with explained(repo, f"create {repo}"):
        patiently(lambda: HfApi().create_repo(repo, private=private, exist_ok=True))


def _commit(
    folder: Path, repo: str, added: list[str], removed: list[str], head: str | None, message: str
) -> str:
    """Upload and commit, and return the commit; refused where another one has come between."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, folder / name) for name in added),
        *(CommitOperationDelete(name) for name in removed),
    ]
    with explained(repo, f"upload {folder} to {repo}"):
        commit = HfApi().create_commit(repo, operations, commit_message=message, parent_commit=head)
    return commit.oid


def _check_arrival(folder: Path, repo: str, revision: str, local: tuple[RemoteFile, ...]) -> None:
    """Compare what the Hub says it holds now with the folder, before anybody pins it."""
    from huggingface_hub import HfApi

    with explained(repo, f"look up {repo} at {revision[:12]}"):
        info = patiently(
            lambda: HfApi().model_info(
                repo, revision=revision, files_metadata=True, timeout=answer_timeout()
            )
        )
    added, _ = _difference(folder, local, info)
    if added:
        raise HubError(
            f"{', '.join(added)} of {repo} at {revision[:12]} is not what was sent from {folder}; "
            "publish again, after the folder has come to rest"
        )


def _create_tag(repo: str, tag: str, revision: str) -> None:
    from huggingface_hub import HfApi

    with explained(repo, f"tag {repo} as {tag}"):
        patiently(lambda: HfApi().create_tag(repo, tag=tag, revision=revision))
