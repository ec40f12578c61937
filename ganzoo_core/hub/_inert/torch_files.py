"""The three forms in which torch and pickle keep checkpoints, read without running anything."""

import io
import struct
from collections.abc import Mapping
from typing import BinaryIO

import torch

from ganzoo_core.hub._inert.archive import Archive
from ganzoo_core.hub._inert.machine import Machine, Maker, PersistentLoad, Source
from ganzoo_core.hub._inert.rebuild import FINISHERS, MAKERS, storage_type, whole
from ganzoo_core.hub._inert.standins import LONGEST_NAME, Budget, Named, UnreadableError

ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DEEPEST_NESTING = 3
_NESTED_FILE_STEPS = 100


def read_stream(stream: BinaryIO, size: int, budget: Budget) -> tuple[str, object]:
    """Return the format, in words, and the content of a torch file or a plain pickle."""
    start = stream.read(len(ZIP_MAGIC))
    stream.seek(0)
    if start == ZIP_MAGIC:
        return _read_zip(Archive(stream, size, budget), budget)
    source = Source(stream, size)
    first = _unpickle(source, budget)
    if type(first) is int and first == _LEGACY_MAGIC:
        return "torch file from before 1.6", _read_legacy(source, budget)
    _require_end(source)
    return "pickle", first


def _unpickle(source: Source, budget: Budget, load: PersistentLoad | None = None) -> object:
    return Machine(source, budget, _ALL_MAKERS, FINISHERS, load).run()


def _read_nested(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `torch.storage._load_from_bytes(data)`: a whole torch file within a pickle."""
    data = args[0] if args else None
    if not isinstance(data, bytes | bytearray):
        return None
    if budget.nesting >= _DEEPEST_NESTING:
        raise UnreadableError("it has files within files within files")
    budget.spend_bytes(len(data))
    budget.spend_steps(_NESTED_FILE_STEPS)
    budget.nesting += 1
    _, content = read_stream(io.BytesIO(data), len(data), budget)
    budget.nesting -= 1
    return content


_ALL_MAKERS: Mapping[str, Maker] = {**MAKERS, "torch.storage._load_from_bytes": _read_nested}


def _read_zip(archive: Archive, budget: Budget) -> tuple[str, object]:
    roots = [name.removesuffix("data.pkl") for name in archive.names if _is_object_pickle(name)]
    if len(roots) != 1:
        raise UnreadableError(
            "it is a zip archive, but not one that torch.save or torch.jit.save wrote"
        )
    root = roots[0]
    if (
        archive.size(f"{root}byteorder") == len(b"big")
        and archive.read(f"{root}byteorder") == b"big"
    ):
        raise UnreadableError("it was written on a big-endian machine, which is not read")
    storages: dict[tuple[str, torch.dtype], torch.Tensor] = {}

    def load(saved_id: object) -> object:
        dtype, key, numel = _storage_id(saved_id, 5)[:3]
        if (key, dtype) not in storages:
            name = f"{root}data/{key}"
            if archive.size(name) != numel * dtype.itemsize:
                raise UnreadableError(
                    f"its record {name!r} is missing or not as long as its tensors need"
                )
            storages[key, dtype] = _typed(archive.read(name), dtype)
        if storages[key, dtype].numel() != numel:
            raise UnreadableError("it gives one storage two sizes")
        return storages[key, dtype]

    pickle = archive.read(f"{root}data.pkl")
    source = Source(io.BytesIO(pickle), len(pickle))
    content = _unpickle(source, budget, load)
    _require_end(source)
    is_script = archive.size(f"{root}constants.pkl") is not None
    return "TorchScript archive" if is_script else "torch zip archive", content


def _is_object_pickle(name: str) -> bool:
    return name.endswith("/data.pkl") and name.count("/") == 1


def _read_legacy(source: Source, budget: Budget) -> object:
    """Read what follows the magic number: three pickles, the storages' names, their contents."""
    version = _unpickle(source, budget)
    if type(version) is not int or version != _LEGACY_PROTOCOL:
        raise UnreadableError("it is of a version of torch's old format that torch never wrote")
    system = _unpickle(source, budget)
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise UnreadableError("it was written on a big-endian machine, which is not read")
    buffers: dict[str, bytearray] = {}
    dtypes: dict[str, torch.dtype] = {}
    promised = 0

    def load(saved_id: object) -> object:
        nonlocal promised
        if (of := _class_with_source(saved_id)) is not None:
            return of
        dtype, key, numel, view = _storage_id(saved_id, 6)
        size = numel * dtype.itemsize
        if key not in buffers:
            promised += size
            if promised > source.left:
                raise UnreadableError("it ends before the data that it announces")
            budget.spend_bytes(size)
            buffers[key], dtypes[key] = bytearray(size), dtype
        if len(buffers[key]) != size or dtypes[key] != dtype:
            raise UnreadableError("it gives one storage two sizes or types")
        whole_storage = _typed(buffers[key], dtype)
        return whole_storage if view is None else _part(whole_storage, view)

    content = _unpickle(source, budget, load)
    keys = _unpickle(source, budget)
    if not isinstance(keys, list) or sorted(map(_key, keys)) != sorted(buffers):
        raise UnreadableError("it does not keep the storages that its tensors need")
    for key in map(_key, keys):
        (count,) = struct.unpack("<q", source.read(8))
        if count * dtypes[key].itemsize != len(buffers[key]):
            raise UnreadableError("it gives one storage two sizes")
        source.read_into(buffers[key])
    _require_end(source)
    return content


def _storage_id(saved_id: object, length: int) -> tuple[torch.dtype, str, int, object]:
    """Return element type, key, number of elements and view of `("storage", type, key, …)`."""
    if not isinstance(saved_id, tuple) or len(saved_id) != length:
        raise UnreadableError("it refers to data outside its pickle in a way that torch does not")
    kind, of, key, _, numel, *view = saved_id
    if not isinstance(kind, str) or kind != "storage":
        raise UnreadableError("it refers to data outside its pickle in a way that torch does not")
    return storage_type(of), _key(key), whole(numel), view[0] if view else None


def _key(key: object) -> str:
    if type(key) is int and abs(key) < 2**64:
        return str(key)
    if not isinstance(key, str) or len(key) > LONGEST_NAME:
        raise UnreadableError("it names a storage by something other than a short string")
    return key


def _typed(buffer: bytearray, dtype: torch.dtype) -> torch.Tensor:
    """Return a flat tensor over the buffer, without a copy."""
    return torch.frombuffer(buffer, dtype=dtype) if buffer else torch.empty(0, dtype=dtype)


def _part(storage: torch.Tensor, view: object) -> torch.Tensor:
    if not isinstance(view, tuple) or len(view) != 3:
        raise UnreadableError("it has a storage within a storage without a place")
    start, length = whole(view[1]), whole(view[2])
    if start + length > storage.numel():
        raise UnreadableError("it has a storage that reaches beyond the one that it is part of")
    return storage[start : start + length]


def _class_with_source(saved_id: object) -> Named | None:
    """Return the class of `("module", class, file, source)`; the source is for people to read."""
    if not isinstance(saved_id, tuple) or len(saved_id) != 4:
        return None
    kind, of, _, _ = saved_id
    return of if isinstance(of, Named) and isinstance(kind, str) and kind == "module" else None


def _require_end(source: Source) -> None:
    if source.left:
        raise UnreadableError("it goes on where its pickle has ended")
