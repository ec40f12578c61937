"""Files of Hub repositories, checked before anyone reads them.

The Hub's client names a cached file by the hash that the server announced, not by that of what
arrived, and serves a file that was cut or damaged later without a word. So ganzoo compares the size
at every use and the hash once per file: what has been hashed is remembered, by path, size and time
of modification, in ganzoo's own cache folder, and a file that changes is hashed again.
"""

import hashlib
import inspect
import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from ganzoo_core.errors import HubError, RunError
from ganzoo_core.files import write_json
from ganzoo_core.hub._client import (
    UnreachableHubError,
    answer_timeout,
    check_repository_name,
    endpoint,
    explained,
    is_offline,
    patiently,
)
from ganzoo_core.places import cache_folder

MODEL_FILES = (
    "config.json",
    "model.safetensors",
    "discriminator.safetensors",
    "README.md",
    "samples.png",
    "tokenizer.json",
)
"""The files that a model folder may have; nothing else is downloaded or published."""

REQUIRED_FILES = ("config.json", "model.safetensors")
"""Those without which a folder is no model."""

State = Literal["absent", "unverified", "verified", "damaged"]

Progress = Callable[[str, int, int], None]
"""Called with a file's path, the bytes that have arrived, and the bytes that there are."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as a manifest pins it: path in the repository, size in bytes, sha256 in hex digits."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Fetched:
    """A folder of the Hub's cache in which the files that were asked for are now.

    `folder` may hold other files beside them, which nobody has checked: read only those that were
    asked for. `from_` says whether anything had to be downloaded. `verified` is False only for an
    unpinned repository of which neither the Hub nor the cache tells the hashes. `revision` is the
    commit, 40 hexadecimal digits.
    """

    folder: Path
    from_: Literal["cache", "hub"]
    verified: bool
    revision: str


class _Expected(NamedTuple):
    """What a file must be: 64 digits are the sha256 of its content, 40 its name in git."""

    path: str
    size: int | None
    digest: str | None


class _Listing(NamedTuple):
    revision: str
    files: tuple[_Expected, ...]


def fetch_pinned(
    repo: str,
    revision: str,
    files: Sequence[RemoteFile],
    *,
    name: str,
    progress: Progress | None = None,
) -> Fetched:
    """Return a folder in which each of the pinned files is present and is what its hash says.

    Files that are cached and verified cost no request, and those verified before no reading either.
    A file that does not match is removed and downloaded once more, then refused and removed. `name`
    is what the user calls these weights, for the sentences.

    Raises:
        HubError: the pin is malformed, or a file cannot be had: no network, no such repository,
            revision or file, no access, a disk that cannot be written, content that does not match.
    """
    expected = _check_pins(repo, revision, files)
    from_ = _obtain_all(repo, revision, expected, name, progress)
    return Fetched(_snapshot(repo, revision), from_, True, revision)


def fetch_repository(
    repo: str,
    revision: str | None,
    *,
    allow: Sequence[str] = MODEL_FILES,
    progress: Progress | None = None,
) -> Fetched:
    """Return a folder with those of the `allow`ed files that a repository has at a revision.

    `revision` is a branch, tag or commit, the main branch by default. The Hub is asked which commit
    that is and which hashes its files have, and what arrives is held against them. Both are
    remembered: a commit that is known, `HF_HUB_OFFLINE`, and a Hub that gives no answer are served
    from the cache.

    Raises:
        HubError: as for `fetch_pinned`, or the repository is no model of ganzoo's.
    """
    check_repository_name(repo)
    for path in allow:
        _check_path(path, repo)
    listing = _list_files(repo, revision or "main", allow)
    wanted = tuple(file for file in listing.files if file.path in allow)
    missing = [
        path for path in REQUIRED_FILES if path in allow and path not in {f.path for f in wanted}
    ]
    if missing:
        raise HubError(
            f"{repo} at {listing.revision[:12]} has no {' and no '.join(missing)}, so it is no "
            f"model of ganzoo's; look at {endpoint()}/{repo}/tree/{listing.revision[:12]}"
        )
    label = f"{repo}@{revision}" if revision else repo
    from_ = _obtain_all(repo, listing.revision, wanted, label, progress)
    verified = all(file.digest for file in wanted)
    return Fetched(_snapshot(repo, listing.revision), from_, verified, listing.revision)


def cached_state(
    repo: str, revision: str, files: Sequence[RemoteFile], *, hash_contents: bool = False
) -> State:
    """Return what the cache has of the pinned files, as the worst of them says; asks no network.

    "absent": at least one is not there; "damaged": one has another size or hash than it must have;
    "unverified": the sizes are right, the hashes have not been compared; "verified": they have.
    With `hash_contents` the hashes not compared yet are compared now, which reads the files.
    """
    states = {
        _state(_snapshot(repo, revision) / file.path, file, hash_contents=hash_contents)
        for file in _check_pins(repo, revision, files)
    }
    order: tuple[State, ...] = ("absent", "damaged", "unverified", "verified")
    return next(state for state in order if state in states)


def remove_cached(repo: str, revision: str, files: Sequence[RemoteFile]) -> int:
    """Remove the pinned files from the Hub's cache and return the bytes that this freed.

    Content that another revision in the cache also has is kept for it. What interrupted downloads
    of the files left behind goes too.

    Raises:
        HubError: the pin is malformed, or the cache cannot be written.
    """
    expected = _check_pins(repo, revision, files)
    folder = _snapshot(repo, revision)
    with explained(repo, f"remove {repo} from the cache"):
        if not folder.parent.parent.exists():
            return 0
        with _lock(repo):
            freed = sum(_remove(folder, file) for file in expected)
            _remove_empty_folders(folder)
    return freed


def _remove(folder: Path, file: _Expected) -> int:
    """Remove one file of a snapshot and return the bytes that this freed."""
    for unfinished in (folder.parent.parent / "blobs").glob(f"{file.digest}.*incomplete"):
        unfinished.unlink(missing_ok=True)
    pointer = folder / file.path
    if not pointer.exists():
        return 0
    status, blob = pointer.stat(), _blob(pointer)
    marker = _marker(pointer, status, file.digest or "")
    pointer.unlink()
    if blob is not None and any(_blob(other) == blob for other in folder.parent.rglob("*")):
        return 0
    marker.unlink(missing_ok=True)
    if blob is not None:
        blob.unlink(missing_ok=True)
    return status.st_size


def _check_pins(repo: str, revision: str, files: Sequence[RemoteFile]) -> tuple[_Expected, ...]:
    check_repository_name(repo)
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise HubError(
            f"{repo} is pinned to {revision!r}, which is no commit; a manifest names the 40 "
            "hexadecimal digits of one"
        )
    if not files:
        raise HubError(f"{repo} is pinned without files; a manifest names size and sha256 of each")
    for file in files:
        _check_path(file.path, repo)
        if file.size < 0 or not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            raise HubError(
                f"{file.path} of {repo} is pinned without a proper size and sha256 (64 hexadecimal "
                "digits); correct the manifest"
            )
    return tuple(_Expected(file.path, file.size, file.sha256) for file in files)


def _check_path(path: str, repo: str) -> None:
    """Refuse every name that could lead out of the repository's folder, on any system."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\:\0]", path):
        raise HubError(
            f"{path!r} is no name of a file inside {repo}; names are relative, with '/' between "
            "folders and without '..'"
        )


def _obtain_all(
    repo: str,
    revision: str,
    files: Sequence[_Expected],
    name: str,
    progress: Progress | None,
) -> Literal["cache", "hub"]:
    folder = _snapshot(repo, revision)
    with explained(repo, f"read the cached files of {name}"):
        states = {file: _state(folder / file.path, file, hash_contents=True) for file in files}
    wanting = [file for file, state in states.items() if not _is_good(state, file)]
    if not wanting:
        return "cache"
    if is_offline():
        for file in wanting:
            with suppress(OSError):  # whatever stays is not trusted by the next call either
                _discard(folder / file.path)
        raise HubError(_offline_sentence(name, wanting, states))
    with explained(repo, f"write the files of {name} into the cache"), _lock(repo):
        downloaded = [_obtain(repo, revision, file, progress) for file in wanting]
    # Another process may have brought everything while this one waited for the lock.
    return "hub" if any(downloaded) else "cache"


def _offline_sentence(
    name: str, wanting: Sequence[_Expected], states: dict[_Expected, State]
) -> str:
    damaged = [file.path for file in wanting if states[file] == "damaged"]
    what = (
        f"were damaged in the cache ({', '.join(damaged)})" if damaged else "are not in the cache"
    )
    return (
        f"the weights of {name} {what} and HF_HUB_OFFLINE forbids to download them; unset it, with "
        f"a network, and run `ganzoo fetch {name}`"
    )


def _obtain(repo: str, revision: str, file: _Expected, progress: Progress | None) -> bool:
    """Make one file good, and return whether it had to be downloaded for that."""
    pointer = _snapshot(repo, revision) / file.path
    if _is_good(_state(pointer, file, hash_contents=True), file):
        return False
    for again in (False, True):
        _discard(pointer)
        _download(repo, revision, file, progress, force=again)
        if _is_good(_state(pointer, file, hash_contents=True), file):
            return True
    _discard(pointer)
    raise HubError(
        f"{file.path} of {repo} at {revision[:12]} came damaged from {endpoint()}, twice, and was "
        f"removed: its size or hash is not what was announced ({file.size} bytes, {file.digest}); "
        "try again over another network or HF_ENDPOINT, or else tell the authors of the weights"
    )


def _download(
    repo: str, revision: str, file: _Expected, progress: Progress | None, *, force: bool
) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    # Older clients draw a bar of their own and cannot be told of another.
    takes_reporter = "tqdm_class" in inspect.signature(hf_hub_download).parameters
    reporting = {"tqdm_class": _reporter(file, progress)} if takes_reporter else {}
    url = hf_hub_url(repo, file.path, revision=revision)
    with explained(repo, f"download {file.path} of {repo} at {revision[:12]}"):
        # Asked first, because before a download the client is not patient at all or, where a
        # server accepts connections and then says nothing, for more than six minutes.
        patiently(lambda: get_hf_file_metadata(url, timeout=answer_timeout()))
        patiently(
            lambda: hf_hub_download(
                repo, file.path, revision=revision, force_download=force, **reporting
            )
        )


def _reporter(file: _Expected, progress: Progress | None) -> Any:
    """Return what the client takes for a class of progress bars.

    It draws nothing and tells `progress`. Plain transfers and those by Xet use a bar differently;
    `update` is what both call with the bytes that have reached the disk.
    """

    class Reporter:
        def __init__(self, *_: object, initial: int = 0, total: int | None = None, **__: object):
            self.n = initial
            self.total = file.size or total or 0

        def __enter__(self) -> "Reporter":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            # Captions, colours, refreshes: whatever else one can do to a bar changes nothing here.
            return lambda *_, **__: None

        def update(self, more: float | None = 1) -> None:
            self.n += int(more or 0)
            if progress is not None:
                progress(file.path, self.n, self.total)

        def update_transfer(self, more: float | None = 1) -> None:
            return None

    return Reporter


def _list_files(repo: str, revision: str, allow: Sequence[str]) -> _Listing:
    """Return the commit that a revision is and what its files must be."""
    remembered = _remembered_listing(repo, revision)
    if remembered and (is_offline() or revision == remembered.revision):
        return remembered
    if is_offline():
        found = _listing_left_by_others(repo, revision, allow)
        if found is None:
            name = repo if revision == "main" else f"{repo}@{revision}"
            raise HubError(
                f"{name} is not in the cache and HF_HUB_OFFLINE forbids to ask for it; unset it, "
                f"with a network, and run `ganzoo fetch {name}`"
            )
        return found
    try:
        listing = _ask_for_listing(repo, revision)
    except UnreachableHubError:
        if remembered:
            return remembered
        raise
    _remember_listing(repo, revision, listing)
    return listing


def _ask_for_listing(repo: str, revision: str) -> _Listing:
    from huggingface_hub import HfApi

    with explained(repo, f"look up {repo} at {revision}"):
        info = patiently(
            lambda: HfApi().model_info(
                repo, revision=revision, files_metadata=True, timeout=answer_timeout()
            )
        )
    files = tuple(
        _Expected(file.rfilename, file.size, file.lfs.sha256 if file.lfs else file.blob_id)
        for file in info.siblings or ()
    )
    if info.sha is None or not re.fullmatch(r"[0-9a-f]{40}", info.sha):
        raise HubError(f"{endpoint()} does not say which commit {repo} is at; check HF_ENDPOINT")
    return _Listing(info.sha, files)


def _listing_path(repo: str, revision: str) -> Path:
    # `quote` keeps the slash of a branch such as feature/x out of the file's name.
    return _own_cache() / "listings" / _folder_name(repo) / f"{quote(revision, safe='')}.json"


def _remember_listing(repo: str, revision: str, listing: _Listing) -> None:
    with suppress(RunError):  # a cache that cannot be written only costs the next call a request
        for known_as in {revision, listing.revision}:
            write_json(
                _listing_path(repo, known_as),
                {"revision": listing.revision, "files": [list(file) for file in listing.files]},
            )


def _remembered_listing(repo: str, revision: str) -> _Listing | None:
    try:
        stored = json.loads(_listing_path(repo, revision).read_text(encoding="utf-8"))
        files = tuple(_Expected(*file) for file in stored["files"])
        return _Listing(stored["revision"], files)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or unreadable; the Hub knows


def _listing_left_by_others(repo: str, revision: str, allow: Sequence[str]) -> _Listing | None:
    """Return what another tool, such as `hf download`, has cached; a blob's name is its hash."""
    from huggingface_hub import try_to_load_from_cache

    found: dict[str, Path] = {}
    for path in allow:
        cached = try_to_load_from_cache(repo, path, revision=revision)
        if isinstance(cached, str):
            found[path] = Path(cached)
    if not found:
        return None
    path, pointer = next(iter(found.items()))
    commit = pointer.parents[len(PurePosixPath(path).parts) - 1].name
    files = []
    for path, pointer in found.items():
        blob = _blob(pointer)
        named = blob is not None and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name)
        files.append(_Expected(path, None, blob.name if blob and named else None))
    return _Listing(commit, tuple(files))


def _own_cache() -> Path:
    return Path(cache_folder())


def _folder_name(repo: str) -> str:
    from huggingface_hub import constants

    return constants.REPO_ID_SEPARATOR.join(["models", *repo.split("/")])


def _snapshot(repo: str, revision: str) -> Path:
    """Return the folder of the Hub's cache in which the files of a commit are."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / _folder_name(repo) / "snapshots" / revision


def _blob(pointer: Path) -> Path | None:
    """Return the file that a link of the cache points at; None where files lie there themselves."""
    if not pointer.is_symlink():
        return None
    return Path(os.path.normpath(pointer.parent / pointer.readlink()))


def _state(path: Path, expected: _Expected, *, hash_contents: bool) -> State:
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            if expected.size is not None and before.st_size != expected.size:
                return "damaged"
            if expected.digest is None:
                return "unverified"
            marker = _marker(path, before, expected.digest)
            with suppress(OSError):
                if marker.exists():
                    return "verified"
            if not hash_contents:
                return "unverified"
            if _content_hash(file, before.st_size, expected.digest) != expected.digest:
                return "damaged"
            after = os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    except IsADirectoryError:
        return "damaged"
    if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
        with suppress(OSError):  # a cache that cannot be written only costs the next call a hash
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
    return "verified"


def _is_good(state: State, expected: _Expected) -> bool:
    return state == "verified" or (state == "unverified" and expected.digest is None)


def _content_hash(file: BufferedReader, size: int, like: str) -> str:
    if len(like) == 64:
        return hashlib.file_digest(file, "sha256").hexdigest()
    git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    while piece := file.read(1 << 20):
        git.update(piece)
    return git.hexdigest()


def _marker(path: Path, status: os.stat_result, digest: str) -> Path:
    """Return the empty file whose presence says that this very content has been hashed before."""
    identity = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{digest}"
    return _own_cache() / "verified" / hashlib.sha256(identity.encode()).hexdigest()


def _discard(pointer: Path) -> None:
    """Remove a file that cannot be trusted, with the content that other links may share."""
    blob = _blob(pointer)
    if blob is not None:
        blob.unlink(missing_ok=True)
    with suppress(FileNotFoundError, NotADirectoryError):
        pointer.unlink()


def _remove_empty_folders(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                path.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _lock(repo: str) -> Any:
    """Return a lock that one process at a time holds for a repository; it ends with its process."""
    from filelock import FileLock

    path = _own_cache() / "locks" / f"{_folder_name(repo)}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)
