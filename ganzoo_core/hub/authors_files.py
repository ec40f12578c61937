"""Reads the checkpoints that papers' authors publish, without running anything in them.

Old checkpoints are pickles, and a pickle is a program: loading it the usual way runs whatever its
maker wished. Here it is read as data. What names a class or function becomes two strings, what
would be an object becomes an `Inert` record of it, and only tensors, arrays and plain containers
are made. A file that is damaged, hostile or too large ends in one `CheckpointError`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub._inert.standins import Budget, Inert, Named, UnreadableError

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "AuthorsFile",
    "Constructor",
    "Inert",
    "Named",
    "constructor_of",
    "read_authors_file",
    "state_dict_of",
]

LARGEST_FILE = 16 * 2**30
"""Bytes; three times the largest checkpoint that any paper of the zoo publishes."""

_MOST_STEPS = 4_000_000
_BYTES_PER_BYTE = 8
"""What a file of many copies may grow to: each tensor is read, and may be viewed and copied."""
_SPARE_BYTES = 64 * 2**20

_MOST_VISITS = 200_000
_DEEPEST_MODULE = 100
_LONGEST_KEY = 2000

_AGAIN = "get it again from where its authors publish it, and do not open it with anything else"

_OTHER_FORMATS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89HDF", "it is an HDF5 file", "convert it with the program that wrote it"),
    (0, b"\x1f\x8b", "it is compressed with gzip", "unpack it first"),
    (0, b"BZh", "it is compressed with bzip2", "unpack it first"),
    (0, b"\x93NUMPY", "it is a single numpy array", "convert it with the program that wrote it"),
    (
        0,
        b"version https://git-lfs",
        "it is a Git LFS pointer",
        "fetch the file with `git lfs pull`",
    ),
    (0, b"<!", "it is a web page", "download the file itself"),
    (0, b"<html", "it is a web page", "download the file itself"),
    (0, b"\x03\x00\x00\x00", "it is a file of Lua torch", "convert it to a pickle of torch first"),
    (0, b"\x04\x00\x00\x00", "it is a file of Lua torch", "convert it to a pickle of torch first"),
    (257, b"ustar", "it is a tar archive", "unpack it, or save it again with torch 0.4 or newer"),
)


@dataclass(frozen=True)
class AuthorsFile:
    """A checkpoint that somebody published, as data.

    `format` says what it was, in words for people. `content` is made of plain Python containers and
    values, `torch.Tensor` (on the CPU, in the stored type), numpy arrays, `Inert` and `Named`.
    Ordered and default dictionaries come as `dict`.
    """

    path: Path
    format: str
    content: object = field(repr=False)


@dataclass(frozen=True)
class Constructor:
    """How the authors' code built an object, as far as the file says.

    `path` is the dotted path of the class or function, `args` and `kwargs` what it was called with
    where the file keeps that (NVlabs networks do, most others do not), `attributes` its public
    attributes that are neither tensors nor modules, `source` the code that NVlabs put beside it,
    as text to tell versions apart by, never to run.
    """

    path: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    attributes: dict[str, object]
    source: str | None


def read_authors_file(path: Path, *, max_bytes: int = LARGEST_FILE) -> AuthorsFile:
    """Read a checkpoint of any layout as data.

    Reads what torch saved before and since 1.6 (state dicts, whole modules, TorchScript), plain
    pickles such as NVlabs' networks, and safetensors.

    Raises:
        CheckpointError: the file is missing, larger than `max_bytes`, damaged, hostile, or of
            another format.
    """
    path = Path(path)
    try:
        return _read(path, max_bytes)
    except UnreadableError as error:
        raise _unreadable(path, error.reason, error.advice) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise _unreadable(path, reason, "check the path and its permissions") from error
    except MemoryError as error:
        raise _unreadable(path, "it needs more memory than there is") from error
    except Exception as error:
        # A damaged file fails in as many ways as there are bytes in it; none of them is ours.
        raise _unreadable(path, f"it is damaged ({type(error).__name__})") from error


def _unreadable(path: Path, reason: str, advice: str = "") -> CheckpointError:
    return CheckpointError(f"cannot read {path}: {reason}; {advice or _AGAIN}")


def state_dict_of(content: object, *keys: str | int) -> "dict[str, torch.Tensor]":
    """Return the tensors of a network by dotted name, in the types that they are stored in.

    `content` is an `AuthorsFile` or anything in its content; `keys` lead from there to the network:
    dictionary keys, attributes, positions in a tuple. What they lead to is a dictionary of tensors,
    or a whole pickled module, of which parameters and buffers are collected as `state_dict()` does,
    or a network of NVlabs' TensorFlow code. The prefix `module.` that DataParallel adds is taken
    off when all names have it.

    Raises:
        CheckpointError: `keys` lead nowhere, or to something without tensors.
    """
    where = f"in {content.path}" if isinstance(content, AuthorsFile) else "in the checkpoint"
    found = _follow(content.content if isinstance(content, AuthorsFile) else content, keys, where)
    if isinstance(found, Mapping):
        tensors = dict(_named_tensors(found.items(), "", _Visits(where)))
    elif isinstance(found, Inert):
        tensors = dict(_module_tensors(found, "", 0, _Visits(where)))
    else:
        tensors = {}
    if not tensors:
        raise CheckpointError(
            f"{_place(where, keys)} there are no named tensors but {_described(found)}; "
            "name the entry that holds the network"
        )
    if all(name.startswith("module.") for name in tensors):
        return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def constructor_of(content: object, *keys: str | int) -> Constructor:
    """Return the class and the constructor's arguments of a pickled object, as far as kept.

    Raises:
        CheckpointError: `keys` lead nowhere, or to something that is not a pickled object.
    """
    where = f"in {content.path}" if isinstance(content, AuthorsFile) else "in the checkpoint"
    found = _follow(content.content if isinstance(content, AuthorsFile) else content, keys, where)
    if not isinstance(found, Inert):
        raise CheckpointError(
            f"{_place(where, keys)} there is no pickled object but {_described(found)}; "
            "name the entry that holds one"
        )
    path, source = found.path, found.get("build_module_src")
    args: object = found.args
    kwargs: object = found.kwargs
    if found.of.module == "torch_utils.persistence":
        path, source = found.of.name, _entry(found.args[0] if found.args else None, "module_src")
        args, kwargs = found.get("_init_args"), found.get("_init_kwargs")
    elif isinstance(build := found.get("build_func_name"), str):
        path, kwargs = build, found.get("static_kwargs")
    return Constructor(
        path=path,
        args=tuple(args) if isinstance(args, tuple | list) else (),
        kwargs=_attributes(kwargs),
        attributes={k: v for k, v in found.attributes().items() if _is_setting(k, v)},
        source=source if isinstance(source, str) else None,
    )


def _read(path: Path, max_bytes: int) -> AuthorsFile:
    # Imported here: whoever only lists plugins or parses arguments must not wait for torch.
    from ganzoo_core.hub._inert.torch_files import read_stream

    if path.exists() and not path.is_file():
        raise UnreadableError("it is not a file", "name the file itself")
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        if size > max_bytes:
            raise UnreadableError(f"it has {size} bytes, more than {max_bytes}", "raise the limit")
        stream.seek(0)
        start = stream.read(512)
        stream.seek(0)
        _refuse_other_formats(start)
        if _is_safetensors(start, size):
            from safetensors.torch import load_file

            return AuthorsFile(path, "safetensors", load_file(path))
        budget = Budget(_MOST_STEPS, _BYTES_PER_BYTE * size + _SPARE_BYTES)
        format_name, content = read_stream(stream, size, budget)
        return AuthorsFile(path, format_name, content)


def _refuse_other_formats(start: bytes) -> None:
    if not start:
        raise UnreadableError("it is empty")
    for at, magic, what, advice in _OTHER_FORMATS:
        if start[at : at + len(magic)].lower() == magic.lower():
            raise UnreadableError(f"{what}, which ganzoo does not read", advice)


def _is_safetensors(start: bytes, size: int) -> bool:
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def _follow(content: object, keys: tuple[str | int, ...], where: str) -> object:
    found = content
    for depth, key in enumerate(keys):
        missing = object()
        inner = _entry(found, key, missing)
        if inner is missing:
            raise CheckpointError(
                f"{_place(where, keys[:depth])} there is no {key!r} but {_described(found)}; "
                "the file is of another layout than expected"
            )
        found = inner
    return found


def _entry(holder: object, key: str | int, default: object = None) -> object:
    if isinstance(holder, Mapping):
        return holder.get(key, default)
    if isinstance(holder, list | tuple) and isinstance(key, int):
        return holder[key] if -len(holder) <= key < len(holder) else default
    if isinstance(holder, Inert) and isinstance(key, str):
        children = holder.get("_modules")
        if isinstance(children, Mapping) and key in children:
            return children[key]
        return holder.get(key, default)
    return default


class _Visits:
    """Counts what a walk passes, because shared parts can make a small file's tree endless."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._left = _MOST_VISITS
        self._tensors: dict[int, tuple[object, torch.Tensor]] = {}

    def count(self, name: str, depth: int) -> None:
        """Pay for passing one module or entry."""
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST_MODULE or len(name) > _LONGEST_KEY:
            raise CheckpointError(
                f"{self.where} a module contains itself or far too many others; {_AGAIN}"
            )

    def tensor_of(self, array: "np.ndarray[Any, Any]") -> "torch.Tensor":
        """Return a tensor of its own memory, one for each array however often it is named."""
        import torch

        if id(array) not in self._tensors:
            native = array.astype(array.dtype.newbyteorder("="))
            # The array is kept beside its tensor, so that no other can come to have its id.
            self._tensors[id(array)] = (array, torch.from_numpy(native))
        return self._tensors[id(array)][1]


def _module_tensors(
    module: Inert, prefix: str, depth: int, visits: _Visits
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Yield the tensors of a pickled module and of those within it, as `state_dict()` orders them.

    The attributes of torch's modules are `_parameters`, `_buffers`, `_modules`; NVlabs' TensorFlow
    networks have `variables` and `components`; TorchScript's have tensors and modules directly.
    """
    visits.count(prefix, depth)
    fleeting = module.get("_non_persistent_buffers_set")
    skipped = fleeting if isinstance(fleeting, set | frozenset) else frozenset()
    buffers = (item for item in _items(module.get("_buffers")) if item[0] not in skipped)
    yield from _named_tensors(_items(module.get("_parameters")), prefix, visits)
    yield from _named_tensors(buffers, prefix, visits)
    yield from _named_tensors(_variables(module.get("variables")), prefix, visits)
    if _is_script(module):
        yield from _named_tensors(_items(module.state), prefix, visits)
    for name, child in _children(module):
        yield from _module_tensors(child, prefix + name, depth + 1, visits)


def _children(module: Inert) -> Iterator[tuple[str, Inert]]:
    """Yield the modules within a module, each with the prefix that its tensors get."""
    modules = module.state if _is_script(module) else module.get("_modules")
    for name, child in _items(modules):
        if isinstance(name, str) and isinstance(child, Inert):
            yield f"{name}.", child
    for _, network in _items(module.get("components")):
        if isinstance(network, Inert) and isinstance(name := network.get("name"), str):
            yield f"{name}/", network


def _is_script(module: Inert) -> bool:
    return module.path.startswith("__torch__.")


def _items(value: object) -> Iterator[tuple[object, object]]:
    entries = value.entries if isinstance(value, Inert) else value
    yield from entries.items() if isinstance(entries, Mapping) else ()


def _variables(value: object) -> Iterator[tuple[object, object]]:
    """Yield the pairs of a list of variables; TensorFlow gives those without a shape as numbers."""
    import numpy as np

    for pair in value if isinstance(value, list) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            yield pair[0], np.asarray(pair[1]) if isinstance(pair[1], np.generic) else pair[1]


def _named_tensors(
    items: Iterable[tuple[object, object]], prefix: str, visits: _Visits
) -> "Iterator[tuple[str, torch.Tensor]]":
    """Yield the entries that are tensors or arrays, under their full names."""
    import numpy as np
    import torch

    for name, value in items:
        visits.count(prefix, 0)
        if not isinstance(name, str):
            continue
        visits.count(prefix + name, 0)
        if isinstance(value, torch.Tensor):
            yield prefix + name, value
        elif isinstance(value, np.ndarray):
            yield prefix + name, visits.tensor_of(value)


def _attributes(value: object) -> dict[str, object]:
    if isinstance(value, Inert):
        return value.attributes()
    if isinstance(value, Mapping):
        return {key: entry for key, entry in value.items() if isinstance(key, str)}
    return {}


def _is_setting(name: str, value: object) -> bool:
    import torch

    if name.startswith("_") or isinstance(value, torch.Tensor):
        return False
    return name not in ("variables", "components", "build_module_src")


def _place(where: str, keys: tuple[str | int, ...]) -> str:
    return where + "".join(f"[{key!r}]" for key in keys)


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        names = [ascii(key)[:60] for _, key in zip(range(8), value, strict=False)]
        more = ", …" if len(value) > len(names) else ""
        return f"a dictionary of {', '.join(names)}{more}" if names else "an empty dictionary"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value) if isinstance(value, Inert | Named) else f"a {type(value).__name__}"
