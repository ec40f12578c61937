"""Pretrained tags: weights that a manifest pins, found in the package, the cache or the Hub.

Everything here but `obtain` reads manifests and files only, so that listing weights is quick.
Weights of the layout `authors` are files that somebody else published: pinned as far as is known,
and from their first use on by what was got then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganzoo_core.errors import HubError, PluginError, UnknownNameError
from ganzoo_core.files import sha256_of
from ganzoo_core.hub.files import (
    Progress,
    RemoteFile,
    State,
    cached_state,
    fetch_pinned,
    remove_cached,
)
from ganzoo_core.hub.first_use import FirstUse, PublishedFile, fetch_published, first_use, forget
from ganzoo_core.hub.origin import Origin
from ganzoo_core.plugins import Installed, Variant

Place = Literal["package", "cache", "hub"]


@dataclass(frozen=True)
class Weights:
    """Weights under a tag, as a manifest declares them."""

    variant: Variant
    entry: dict[str, Any]

    @property
    def name(self) -> str:
        """Name to load them by, such as `dcgan.mnist`."""
        owner = self.variant
        short = owner.full_name if owner.short_name_taken_by else owner.name
        return f"{short}.{self.entry['tag']}"

    @property
    def by_authors(self) -> bool:
        """Whether the files are not a model folder but what the authors published."""
        return bool(self.entry.get("layout") == "authors")

    @property
    def published(self) -> tuple[PublishedFile, ...]:
        """The authors' files, with what the manifest knows of their sizes and hashes."""
        return tuple(
            PublishedFile(file["path"], file.get("size"), file.get("sha256"))
            for file in self.entry["files"]
        )

    @property
    def first_use(self) -> FirstUse | None:
        """What the Hub had when the authors' files were fetched first; None before that."""
        repo, revision = self.entry.get("repo", ""), self.entry.get("revision", "")
        return first_use(repo, revision, self.published, name=self.name)

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """The files, with the sizes and hashes that they must have, as far as these are known."""
        if not self.by_authors:
            return tuple(
                RemoteFile(file["path"], file["size"], file["sha256"])
                for file in self.entry["files"]
            )
        known = self.first_use
        return known.files if known else ()

    @property
    def size(self) -> int | None:
        """Bytes of all files together, where they are known."""
        return sum(file.size for file in self.files) or None

    @property
    def shipped(self) -> Path | None:
        """Folder in the plugin's package, where it ships these weights."""
        place = self.entry.get("shipped")
        return Path(self.variant.plugin.folder, place) if place else None

    @property
    def repository(self) -> tuple[str, str] | None:
        """Repository and commit on the Hub, where they are there and known."""
        repo, revision = self.entry.get("repo"), self.entry.get("revision")
        if self.by_authors:
            known = self.first_use
            revision = known.revision if known else None
        return (repo, revision) if repo and revision else None

    @property
    def caveat(self) -> str:
        """What is not known of the files and has not been tried; empty where that is nothing."""
        return caveat(self.entry)


def caveat(entry: Mapping[str, Any]) -> str:
    """Return what a manifest's entry does not know of its files and says was not tried."""
    unknown = [
        what
        for what in ("size", "sha256")
        if any(file.get(what) is None for file in entry.get("files", ()))
    ]
    said = f"{' and '.join(unknown)} not known" if unknown else ""
    return "; ".join(filter(None, (said, entry.get("untried", ""))))


def known_weights(installed: Installed) -> Iterator[Weights]:
    """Yield the weights that installed plugins declare, by variant."""
    for variant in installed.variants():
        for entry in variant.entry.get("pretrained", ()):
            yield Weights(variant, entry)


def find_weights(installed: Installed, name: str, tag: str | None = None) -> Weights:
    """Return the weights that `variant.tag` names; a variant alone stands for its first tag.

    Raises:
        UnknownNameError: no such variant or tag.
        PluginError: the variant has no pretrained weights.
    """
    head, slash, last = name.rpartition("/")
    variant_name, _, named_tag = last.partition(".")
    variant = installed.variant(head + slash + variant_name)
    tags = {entry["tag"]: entry for entry in variant.entry.get("pretrained", ())}
    wanted = tag or named_tag
    if not tags:
        raise PluginError(
            f"{variant.name} has no pretrained weights; "
            f"train it with: ganzoo train {variant.name} --data digits"
        )
    if wanted and wanted not in tags:
        raise UnknownNameError("tag", wanted, tags, f"variant {variant.name!r}")
    return Weights(variant, tags[wanted] if wanted else next(iter(tags.values())))


def obtain(weights: Weights, progress: Progress | None = None) -> tuple[Path, Origin]:
    """Return a folder with these weights, every file verified: shipped, cached or downloaded.

    The authors' files are read by `convert.load_published`; they are no model folder.

    Raises:
        HubError: they cannot be had, or are damaged.
    """
    stated = weights.entry.get("license", "")
    if weights.by_authors:
        return _obtain_published(weights, progress)
    folder = weights.shipped
    if folder is not None:
        state = shipped_state(weights)
        if state == "verified":
            return folder, Origin("package", str(folder), True, stated)
        if weights.repository is None:
            raise HubError(
                f"the weights {weights.name} in {folder} are {state}; reinstall them with: "
                f"pip install --force-reinstall --no-deps {weights.variant.plugin.distribution}"
            )
    if weights.repository is None:
        raise HubError(f"the manifest says of {weights.name} neither a folder nor a repository")
    repo, revision = weights.repository
    fetched = fetch_pinned(repo, revision, weights.files, name=weights.name, progress=progress)
    return fetched.folder, Origin(
        fetched.from_, f"{repo}@{revision[:12]}", fetched.verified, stated
    )


def _obtain_published(weights: Weights, progress: Progress | None) -> tuple[Path, Origin]:
    repo, revision = weights.entry["repo"], weights.entry["revision"]
    files, name = weights.published, weights.name
    fetched = fetch_published(repo, revision, files, name=name, progress=progress)
    where = f"{repo}@{fetched.revision[:12]}"
    remarks = [f"the authors' own files, at revision {revision}; {weights.caveat}".rstrip("; ")]
    hashes_known = all(file.sha256 for file in files)
    if not hashes_known:
        remarks += [
            f"{file.path} is held to what came first: {file.size} bytes, sha256 {file.sha256}"
            for file in weights.files
        ]
    stated = weights.entry.get("license", "")
    return fetched.folder, Origin(fetched.from_, where, hashes_known, stated, tuple(remarks))


def whereabouts(weights: Weights, *, verify: bool = False) -> tuple[Place, State]:
    """Return where the weights are found first, and in which state; asks nobody on the network."""
    if weights.shipped is not None:
        state: State = shipped_state(weights) if verify else _shipped_sizes(weights)
        return "package", state
    if weights.repository is not None:
        state = cached_state(*weights.repository, weights.files, hash_contents=verify)
        if state != "absent":
            return "cache", state
    return "hub", "absent"


def remove(weights: Weights) -> int:
    """Remove downloaded weights from the cache and return how many bytes that freed.

    Raises:
        HubError: the weights are part of an installed package.
    """
    if weights.shipped is not None:
        raise HubError(
            f"{weights.name} is part of {weights.variant.plugin.distribution}; "
            "it goes when the plugin is uninstalled"
        )
    if weights.repository is None:
        return 0
    freed = remove_cached(*weights.repository, weights.files)
    if weights.by_authors:
        forget(weights.name)
    return freed


def shipped_state(weights: Weights) -> State:
    """Return whether a package's own weights are what the manifest says."""
    state = _shipped_sizes(weights)
    if state != "unverified" or weights.shipped is None:
        return state
    for file in weights.files:
        if sha256_of(weights.shipped / file.path) != file.sha256:
            return "damaged"
    return "verified"


def _shipped_sizes(weights: Weights) -> State:
    assert weights.shipped is not None
    for file in weights.files:
        path = weights.shipped / file.path
        if not path.is_file():
            return "absent"
        if path.stat().st_size != file.size:
            return "damaged"
    return "unverified"
