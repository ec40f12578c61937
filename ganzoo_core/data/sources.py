"""The names that `--data` takes, and which source each of them stands for."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from ganzoo_core.data import domains
from ganzoo_core.data.blended import BlendedSource
from ganzoo_core.data.builtin import DigitsSource
from ganzoo_core.data.captions import find_captions
from ganzoo_core.data.changed import CHANGES, Changed
from ganzoo_core.data.compound import PREFIXES, blend_of, domains_of, some_of, worded_of
from ganzoo_core.data.domains import Apart, Pairs
from ganzoo_core.data.drawn import DrawnSource
from ganzoo_core.data.folder import find_folder
from ganzoo_core.data.hub import HubSource
from ganzoo_core.data.idx import find_idx, looks_like_idx
from ganzoo_core.data.mnist_m import find_mnist_m
from ganzoo_core.data.moving import MovingSource, find_moving
from ganzoo_core.data.npz import NpzClips, find_npz
from ganzoo_core.data.scenes import ScenesSource
from ganzoo_core.data.source import DataInfo, Source, listed, present, single_split
from ganzoo_core.data.video import VideoSource, find_video
from ganzoo_core.data.worded import WordedSource
from ganzoo_core.errors import DataError, UnknownNameError

SOURCES = (
    *("digits", "digit-outlines", "scenes", "mnist", "fashion-mnist", "cifar10", "usps"),
    *("hub:", "folder:", "captions:", "idx:", "npz:", "mnist-m:", "unpaired:", "paired:"),
    *("video:", "moving-mnist:", "some:", "blended:", "domains:", "worded:"),
    *(f"{change}:" for change in CHANGES),
)
"""Every name, and every prefix that a path or a name of the Hub follows."""

SPLITS = ("train", "test")

Videos = VideoSource | NpzClips | MovingSource
_Finder = Callable[[Path, str, str], Source | NpzClips]
_VideoFinder = Callable[[Path, str, str, str], VideoSource | MovingSource]

_FINDERS: dict[str, _Finder] = {
    "folder": find_folder,
    "captions": find_captions,
    "idx": find_idx,
    "npz": find_npz,
    "mnist-m": find_mnist_m,
}
_VIDEO_FINDERS: dict[str, _VideoFinder] = {"video": find_video, "moving-mnist": find_moving}
"""Those whose path may be followed by a colon and more."""

_ON_THE_HUB = {
    "mnist": ("ylecun/mnist", 28, 1, {"train": 60_000, "test": 10_000}),
    "fashion-mnist": ("zalando-datasets/fashion_mnist", 28, 1, {"train": 60_000, "test": 10_000}),
    "cifar10": ("uoft-cs/cifar10", 32, 3, {"train": 50_000, "test": 10_000}),
    "usps": ("flwrlabs/usps", 16, 1, {"train": 7_291, "test": 2_007}),
}
"""Short name: repository, side, channels and images per split; each has ten classes."""


def find_source(source: str, root: Path | None, split: str) -> Source | Apart | Pairs | Videos:
    """Find what a `--data` name stands for, reading headers at most.

    Args:
        source: One of `SOURCES`, a prefix followed by its path or name.
        root: The folder that relative paths are resolved against, and that Hub data are kept in.
        split: "train" or "test".

    Raises:
        UnknownNameError: Nothing answers to the name or split.
        DataError: What it names is missing, empty, or not what its prefix says.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    root = root.expanduser() if root else None
    if source == "digit-outlines":
        return find_source("outlined:digits", root, split)
    if source == "digits":
        single_split(split, source, "take another data set to evaluate on, such as mnist")
        return DigitsSource()
    if source == "scenes":
        return ScenesSource(split)
    if source in _ON_THE_HUB:
        repository, side, channels, counts = _ON_THE_HUB[source]
        return HubSource(repository, split, root, DataInfo(side, channels, 10, counts[split]))
    prefix, colon, rest = source.partition(":")
    named = ("hub", *_FINDERS, *_VIDEO_FINDERS, *domains.PREFIXES, *PREFIXES, *CHANGES)
    if colon and prefix in named and not rest:
        what = "name, as in hub:ORG/NAME" if prefix == "hub" else f"path, as in {prefix}:PATH"
        what = f"parts, as in {_EXAMPLES[prefix]}" if prefix in PREFIXES else what
        what = f"data set, as in {prefix}:digits" if prefix in CHANGES else what
        raise DataError(f"{source!r} lacks its {what}")
    if colon and prefix == "hub":
        return HubSource(rest, split, root)
    if colon and prefix in _FINDERS:
        return _FINDERS[prefix](_resolved(rest, root), source, split)
    if colon and prefix in _VIDEO_FINDERS:
        where, _, argument = rest.partition(":")
        return _VIDEO_FINDERS[prefix](_resolved(where, root), argument, source, split)
    if colon and prefix in domains.PREFIXES:
        return domains.find_domains(prefix, rest, source, lambda path: _resolved(path, root), split)
    if colon and prefix in PREFIXES:
        return _compound(source, root, split)
    if colon and prefix in CHANGES:
        return Changed(_single(rest, root, split), prefix)
    path = _resolved(source, root)
    if source and present(path):
        raise DataError(f"{source!r} is a path; say what is there, as in {_kind(path)}:{source}")
    raise UnknownNameError("data set", f"{prefix}:" if colon else source, SOURCES)


def scored_split(source: str, root: Path | None) -> str:
    """Return "test" where a data set has a test set, else "train".

    Raises:
        GanzooError: it has neither.
    """
    try:
        find_source(source, root, "test").look()
    except DataError:
        find_source(source, root, "train").look()
        return "train"
    return "test"


def _compound(source: str, root: Path | None, split: str) -> Source | Apart:
    if some := some_of(source):
        whole = _single(some.name, root, split)
        # Few images are learned from, and judged by all there are.
        return whole if split == "test" else DrawnSource(whole, some.count, some.seed)
    if worded := worded_of(source):
        return WordedSource(_single(worded.name, root, split), worded.sentences)
    if blend := blend_of(source):
        own = scored_split(blend.textures, root) == "test"
        textures = _single(blend.textures, root, split if own else "train")
        return BlendedSource(_single(blend.digits, root, split), textures, blend.seed, split, own)
    both = domains_of(source)
    assert both is not None
    if split == "train":
        return Apart(_single(both.source, root, split), _single(both.target, root, split))
    tests = (both.source, both.target_test or both.target)
    return Apart(*(_single(name, root, scored_split(name, root)) for name in tests))


def _single(source: str, root: Path | None, split: str) -> Source:
    found = find_source(source, root, split)
    if isinstance(found, Apart | Pairs | Videos):
        raise DataError(f"{source!r} is no single set of images, and only one can stand here")
    return found


_EXAMPLES = {
    "some": "some:2000:mnist",
    "blended": "blended:mnist+folder:photos",
    "domains": "domains:mnist,usps",
    "worded": "'worded:a handwritten {}:mnist'",
}


def _resolved(path: str, root: Path | None) -> Path:
    return (root or Path()) / Path(path).expanduser()


def _kind(path: Path) -> str:
    """Guess which prefix a bare path lacks."""
    names = [child.name for child in listed(path)] if path.is_dir() else [path.name]
    if any(looks_like_idx(name) for name in names):
        return "idx"
    if path.suffix == ".npz" and zipfile.is_zipfile(path):
        return "npz"
    return "folder"
