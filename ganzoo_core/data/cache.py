"""Decoded images on disk: written whole or not at all, found by content, opened by mapping.

    data/index/SIGNATURE.json    which content some files had when they were last decoded
    data/FINGERPRINT/            images.npy, labels.npy, factors.npy, captions.json and about.json:
                                 the content

Two processes that decode the same data at once write side by side; the first to finish gives the
entry its name, and the second finds it there and uses it.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Factors, Labels
from ganzoo_core.errors import DataError
from ganzoo_core.places import cache_folder

LAYOUT = 1
"""Raised whenever the same files would decode to other pixels, or be stored otherwise."""

ABANDONED_AFTER = 24 * 60 * 60
"""Seconds after which what a killed process was writing counts as left behind."""

_TEMPORARY = ".decoding-"


@dataclass(frozen=True)
class Stored:
    """A whole entry: images [N, H, W, C] mapped read-only, labels [N] or None, class names.

    Factors and captions are None where there are none; factors' values are mapped read-only too.
    """

    images: Bytes
    labels: Labels | None
    class_names: tuple[str, ...]
    factors: Factors | None
    captions: tuple[str, ...] | None


@dataclass(frozen=True)
class Decoding:
    """What decoding some files came to: the content's fingerprint, images seen and left out."""

    fingerprint: str
    seen: int
    skipped: tuple[str, ...]


def data_folder() -> Path:
    """Return the folder for decoded data."""
    return Path(cache_folder()) / "data"


def signature_key(signature: list[object], target: PixelFormat) -> str:
    """Return the name under which the decoding of some files to some format is remembered."""
    form = [target.image_size, target.channels, target.resize_filter]
    return _digest(json.dumps([LAYOUT, form, signature]).encode())


def recall(folder: Path, key: str) -> Decoding | None:
    """Return what an earlier decoding came to, or None if there was none or its record is bad."""
    try:
        record = json.loads((folder / "index" / f"{key}.json").read_text())
        return Decoding(record["fingerprint"], record["seen"], tuple(record["skipped"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, key: str, decoding: Decoding) -> None:
    """Record what a decoding came to, for the next start."""
    record = {
        "fingerprint": decoding.fingerprint,
        "seen": decoding.seen,
        "skipped": decoding.skipped,
    }
    with writing(folder):
        index = folder / "index"
        index.mkdir(parents=True, exist_ok=True)
        temporary = index / f".{key}-{secrets.token_hex(8)}"
        try:
            _write(temporary, json.dumps(record).encode())
            temporary.replace(index / f"{key}.json")
        finally:
            temporary.unlink(missing_ok=True)


def load(folder: Path, fingerprint: str, target: PixelFormat) -> Stored | None:
    """Map the entry of some content, or return None if it is missing or not whole."""
    entry = _entry(folder, fingerprint)
    try:
        about = json.loads((entry / "about.json").read_text())
        shape = (about["count"], target.image_size, target.image_size, target.channels)
        images = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
        size = (entry / "images.npy").stat().st_size
        labels = np.load(entry / "labels.npy", allow_pickle=False) if about["labels"] else None
        names = tuple(about["class_names"])
        factors = _load_factors(entry, about["factors"]) if "factors" in about else None
        captions = _load_captions(entry, shape[0]) if about.get("captions") else None
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    if not isinstance(images, np.memmap) or (images.shape, images.dtype) != (shape, np.uint8):
        return None
    if size != images.offset + images.nbytes:
        return None
    if factors is not None and len(factors.values) != len(images):
        return None
    if labels is not None:
        if (labels.shape, labels.dtype) != (shape[:1], np.int64):
            return None
        labels.setflags(write=False)
    return Stored(images, labels, names, factors, captions)


def _load_captions(entry: Path, count: int) -> tuple[str, ...]:
    """Read the captions of an entry; a ValueError says that they are not whole."""
    captions = json.loads((entry / "captions.json").read_text(encoding="utf-8"))
    if not isinstance(captions, list) or len(captions) != count:
        raise ValueError("captions and images are not equally many")
    return tuple(map(str, captions))


def _load_factors(entry: Path, about: dict[str, Any]) -> Factors:
    """Map the factors of an entry; a ValueError says that they are not whole."""
    names, sizes = tuple(about["names"]), tuple(about["sizes"])
    values = np.load(entry / "factors.npy", mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.memmap) or values.dtype != np.int64 or values.ndim != 2:
        raise ValueError("factors are no mapped array of whole numbers")
    if values.shape[1] != len(names) or len(names) != len(sizes):
        raise ValueError("factors and their names are not equally many")
    if (entry / "factors.npy").stat().st_size != values.offset + values.nbytes:
        raise ValueError("factors are cut off, or go on after their end")
    return Factors(values, names, sizes)


class EntryWriter:
    """An entry while it is being written, under a temporary name and without being held in memory.

    Use it as a context manager; what `commit` has not named is gone when the block is left.
    """

    def __init__(self, folder: Path, target: PixelFormat, most: int) -> None:
        """Begin an entry of at most `most` images; a DataError says if there is no room for it."""
        self._folder = folder
        self._target = target
        self._count = 0
        self._pixels = hashlib.sha256()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            _require_space(folder, most * target.image_size**2 * target.channels)
            self._temporary = _temporary_folder(folder)
            self._file = (self._temporary / "images.npy").open("wb")
            self._header_size = _write_header(self._file, self._shape(most))

    def __enter__(self) -> "EntryWriter":
        return self

    def __exit__(self, *_: object) -> None:
        # A full disk may fail once more here; the error that matters is already on its way.
        with contextlib.suppress(OSError):
            self._file.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def add(self, block: Bytes) -> None:
        """Append images [B, size, size, channels].

        Written, not mapped: on a full disk a write fails with an error, a mapping kills.
        """
        content = np.ascontiguousarray(block).data
        self._pixels.update(content)
        self._count += len(block)
        with writing(self._folder):
            self._file.write(content)

    def commit(
        self,
        labels: Labels | None,
        class_names: tuple[str, ...],
        factors: Factors | None = None,
        captions: tuple[str, ...] | None = None,
    ) -> tuple[str, Stored]:
        """Finish the entry, give it its name, and return its fingerprint and what it holds."""
        described: dict[str, object] = {
            "shape": self._shape(self._count),
            "pixels": self._pixels.hexdigest(),
            "labels": None if labels is None else _digest(labels.astype("<i8").tobytes()),
            "class_names": class_names,
        }
        if factors is not None:  # so that data without them keep the fingerprint they had
            described["factors"] = {
                "values": _digest(factors.values.astype("<i8").tobytes()),
                "names": factors.names,
                "sizes": factors.sizes,
            }
        if captions is not None:
            described["captions"] = _digest(json.dumps(captions).encode())
        fingerprint = "sha256:" + _digest(json.dumps(described).encode())
        about: dict[str, object] = {
            "count": self._count,
            "labels": labels is not None,
            "class_names": class_names,
        }
        if factors is not None:
            about["factors"] = {"names": factors.names, "sizes": factors.sizes}
        if captions is not None:
            about["captions"] = True
        with writing(self._folder):
            self._file.seek(0)
            if _write_header(self._file, self._shape(self._count)) != self._header_size:
                raise RuntimeError("numpy wrote an .npy header of another size than before")
            _flush(self._file)
            self._file.close()
            if labels is not None:
                _save(self._temporary / "labels.npy", labels)
            if factors is not None:
                _save(self._temporary / "factors.npy", factors.values)
            if captions is not None:
                _write(self._temporary / "captions.json", json.dumps(captions).encode())
            _write(self._temporary / "about.json", json.dumps(about).encode())
            return fingerprint, self._name(fingerprint)

    def _name(self, fingerprint: str) -> Stored:
        """Rename the finished entry, unless another process was first; replace a damaged one."""
        entry = _entry(self._folder, fingerprint)
        for _ in range(10):
            with contextlib.suppress(OSError):  # it exists: a folder with content is not replaced
                self._temporary.rename(entry)
                _flush_folder(self._folder)
            if stored := load(self._folder, fingerprint, self._target):
                return stored
            damaged = _temporary_folder(self._folder)
            with contextlib.suppress(FileNotFoundError):
                entry.rename(damaged)  # an empty folder gives way
            shutil.rmtree(damaged, ignore_errors=True)
        raise OSError(f"{entry} is damaged and cannot be replaced")

    def _shape(self, count: int) -> tuple[int, int, int, int]:
        return count, self._target.image_size, self._target.image_size, self._target.channels


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a failure to write the cache into a sentence that names the way out."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"decoded images cannot be written to {folder} ({error.strerror or error}); set "
            "GANZOO_CACHE to a folder that can be written and has room"
        ) from error


def _entry(folder: Path, fingerprint: str) -> Path:
    return folder / fingerprint.removeprefix("sha256:")


def _temporary_folder(folder: Path) -> Path:
    """Make a hidden folder beside the entries, with the permissions of any other folder."""
    temporary = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    temporary.mkdir()
    return temporary


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"decoding needs {needed / 1e9:.1f} GB in {folder}, where {free / 1e9:.1f} GB are "
            "free; choose a smaller image size, or set GANZOO_CACHE to a larger disk"
        )


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind, told by its age: nobody may be asked any more."""
    for left in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):
            written = max(path.stat().st_mtime for path in (left, *left.iterdir()))
            if time.time() - written > ABANDONED_AFTER:
                shutil.rmtree(left, ignore_errors=True)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    """Write an .npy header and return its size, which numpy pads so that the count may change."""
    description: dict[str, Any] = {"shape": shape, "fortran_order": False, "descr": "|u1"}
    np.lib.format.write_array_header_1_0(cast(Any, file), description)
    return file.tell()


def _save(path: Path, values: Labels) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(values), allow_pickle=False)
        _flush(file)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        _flush(file)


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename last through a power cut, on systems that can open a folder to say so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
