"""Repositories in memory: commits named by their content, branches, tags, what the Hub derives."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import yaml

Kind = Literal["models", "datasets"]


def git_blob_id(content: bytes) -> str:
    """Return the name that git gives to a file's content: 40 hexadecimal digits."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content: bytes) -> str:
    """Return the name that LFS gives to a file's content: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def lfs_pointer(content: bytes) -> bytes:
    """Return what git itself stores in the place of a large file."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
        sha256(content).encode(),
        len(content),
    )


@dataclass(frozen=True)
class Commit:
    """A state of a repository's files."""

    id: str
    parent: str | None
    message: str
    files: dict[str, bytes]
    date: str


@dataclass
class Repository:
    """A model or data set repository; files of `large` bytes and more are LFS files."""

    id: str
    kind: Kind
    large: int
    private: bool = False
    gated: bool = False
    downloads: int = 0
    likes: int = 0
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(
        self, changes: dict[str, bytes | None], message: str, branch: str = "main"
    ) -> Commit:
        """Write (bytes) and delete (None) files on a branch, and return the new head."""
        parent = self.branches.get(branch)
        files = dict(self.commits[parent].files) if parent else {}
        for path, content in changes.items():
            if content is None:
                del files[path]
            else:
                files[path] = content
        tree = {path: git_blob_id(content) for path, content in sorted(files.items())}
        described = json.dumps([self.id, parent, message, tree]).encode()
        commit_id = hashlib.sha1(b"commit %d\0" % len(described) + described).hexdigest()
        commit = Commit(
            commit_id, parent, message, files, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        )
        self.commits[commit_id] = commit
        self.branches[branch] = commit_id
        return commit

    @property
    def head(self) -> Commit:
        return self.commits[self.branches["main"]]

    def resolve(self, revision: str) -> Commit | None:
        """Return the commit that a branch, tag or full hash names."""
        commit_id = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(commit_id)

    def is_large(self, content: bytes) -> bool:
        return len(content) >= self.large

    def etag(self, content: bytes) -> str:
        """Return the name under which the client's cache stores a file."""
        return sha256(content) if self.is_large(content) else git_blob_id(content)

    def tree(self, commit: Commit) -> list[dict[str, Any]]:
        """Return the files of a commit as the tree call lists them."""
        return [self._entry(path, content) for path, content in sorted(commit.files.items())]

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "type": "file",
            "path": path,
            "size": len(content),
            "oid": git_blob_id(content),
        }
        if self.is_large(content):
            pointer = lfs_pointer(content)
            entry["oid"] = git_blob_id(pointer)
            entry["lfs"] = {
                "oid": sha256(content),
                "size": len(content),
                "pointerSize": len(pointer),
            }
        return entry

    def card_data(self, commit: Commit) -> dict[str, Any]:
        """Return the YAML at the head of the card, or nothing where there is none."""
        text = commit.files.get("README.md", b"").decode(errors="replace")
        if not text.startswith("---\n"):
            return {}
        try:
            data = yaml.safe_load(text[4:].split("\n---", 1)[0])
        except yaml.YAMLError:
            return {}
        return data if isinstance(data, dict) else {}

    def derived_tags(self, commit: Commit) -> list[str]:
        """Return the tags by which the Hub finds a repository, made from its card."""
        card = self.card_data(commit)
        tags = [*card.get("tags", ()), card.get("library_name"), card.get("pipeline_tag")]
        if "license" in card:
            tags.append(f"license:{card['license']}")
        datasets = card.get("datasets", ())
        tags += [
            f"dataset:{name}" for name in ([datasets] if isinstance(datasets, str) else datasets)
        ]
        return list(dict.fromkeys(tag for tag in tags if tag))

    def info(self, commit: Commit, *, blobs: bool = False) -> dict[str, Any]:
        """Return what the info and list calls say about the repository at a commit."""
        card = self.card_data(commit)
        siblings: list[dict[str, Any]] = []
        for entry in self.tree(commit):
            sibling = {"rfilename": entry["path"]}
            if blobs:
                sibling |= {"size": entry["size"], "blobId": entry["oid"]}
                if "lfs" in entry:
                    lfs = entry["lfs"]
                    sibling["lfs"] = {
                        "sha256": lfs["oid"],
                        "size": lfs["size"],
                        "pointerSize": lfs["pointerSize"],
                    }
            siblings.append(sibling)
        return {
            "_id": git_blob_id(self.id.encode())[:24],
            "id": self.id,
            "modelId": self.id,
            "author": self.id.split("/")[0],
            "sha": commit.id,
            "lastModified": commit.date,
            "createdAt": commit.date,
            "private": self.private,
            "gated": "auto" if self.gated else False,
            "disabled": False,
            "downloads": self.downloads,
            "likes": self.likes,
            "tags": self.derived_tags(commit),
            "pipeline_tag": card.get("pipeline_tag"),
            "library_name": card.get("library_name"),
            "cardData": card,
            "siblings": siblings,
            "spaces": [],
        }
