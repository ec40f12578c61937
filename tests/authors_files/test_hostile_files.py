"""No file, however made, runs anything, writes anything, or takes memory and time without bound.

Every file here is read by `watched_reader.py` in a process of its own, with an audit hook that
writes down every event of the interpreter (imports, opened files, processes, executed code, …) and
a limit on its memory. A file is harmless when nothing happened but that it was itself opened.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

STOP = b"."


class File(NamedTuple):
    """A hostile file: its bytes, given where a canary would appear, and what reading it ends in."""

    build: Callable[[Path], bytes]
    ends: str


# --- writing pickles by hand ---------------------------------------------------------------------


def name(path: str) -> bytes:
    module, _, attribute = path.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def number(value: int) -> bytes:
    return b"I%d\n" % value


def group(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def call(path: str, *args: bytes) -> bytes:
    return name(path) + group(*args) + b"R"


def touch(canary: Path) -> bytes:
    return text(f"touch {canary}")


def code(canary: Path) -> bytes:
    return text(f"open({str(canary)!r}, 'w').close()")


def storage(key: str, numel: int, kind: str = "FloatStorage", *more: bytes) -> bytes:
    parts = (text("storage"), name(f"torch.{kind}"), text(key), text("cpu"), number(numel), *more)
    return group(*parts) + b"Q"


def tensor(flat: bytes, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    numbers = (group(*map(number, size)), group(*map(number, stride)))
    return call(
        "torch._utils._rebuild_tensor_v2",
        *(flat, number(offset), *numbers, b"\x89", b"}"),
    )


def torch_zip(pickled: bytes, records: dict[str, bytes] | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for record, content in (records or {}).items():
            archive.writestr(record, content)
    return buffer.getvalue()


def tensor_zip(*args: Any, record: bytes = bytes(16), numel: int = 4) -> bytes:
    return torch_zip(tensor(storage("0", numel), *args) + STOP, {"archive/data/0": record})


def torch_legacy(pickled: bytes, keys: list[str], records: bytes) -> bytes:
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    start = b"".join(pickle.dumps(part, protocol=2) for part in head)
    return start + pickled + pickle.dumps(keys, protocol=2) + records


def numpy_type(code: str) -> bytes:
    made = call("numpy.dtype", text(code), number(0), number(1))
    return made + group(*map(number, (3,)), text("<"), b"N" * 3, *map(number, (-1, -1, 0))) + b"b"


def array(shape: tuple[int, ...], kind: str, content: bytes) -> bytes:
    empty = call(
        "numpy.core.multiarray._reconstruct",
        *(name("numpy.ndarray"), group(number(0)), data(b"b")),
    )
    state = group(number(1), group(*map(number, shape)), numpy_type(kind), b"\x89", content)
    return empty + state + b"b"


# --- files that try to run something -------------------------------------------------------------


def with_reduce(function: Callable[..., object], *args: object) -> bytes:
    """A pickle as Python itself writes it for an object with a hostile `__reduce__`."""

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return function, args

    return pickle.dumps(Hostile())


def script(canary: Path) -> Path:
    path = canary.parent.parent / "script.py"
    path.write_text(f"open({str(canary)!r}, 'w').close()")
    return path


def hidden_pickle(canary: Path) -> bytes:
    return call("os.system", touch(canary)) + STOP


def saved_hidden_pickle(canary: Path) -> bytes:
    return torch_zip(hidden_pickle(canary))


def getattr_chain(canary: Path) -> bytes:
    module = call("builtins.__import__", text("os"))
    return call("builtins.getattr", module, text("system")) + group(touch(canary)) + b"R."


def function_from_code(canary: Path) -> bytes:
    import marshal

    compiled = marshal.dumps(compile(f"open({str(canary)!r}, 'w').close()", "x", "exec"))
    body = call("marshal.loads", data(compiled))
    return call("types.FunctionType", body, call("builtins.globals")) + b")R."


def object_array(canary: Path) -> bytes:
    return array((1,), "O8", b"]" + call("os.system", touch(canary)) + b"a") + STOP


def npy_of_objects(canary: Path) -> Path:
    path = canary.parent.parent / "objects.npy"

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {canary}",)

    np.save(path, np.array([Hostile()], dtype=object), allow_pickle=True)
    return path


def nvlabs_object(canary: Path) -> bytes:
    described = b"}(" + text("type") + text("class") + text("version") + number(6)
    described += text("module_src") + code(canary) + text("class_name") + text("Generator")
    described += text("state") + b"}u"
    return call("torch_utils.persistence._reconstruct_persistent_obj", described) + STOP


def tensorflow_network(canary: Path) -> bytes:
    state = b"}(" + text("build_module_src") + code(canary) + text("build_func_name") + text("f")
    return name("dnnlib.tflib.network.Network") + b")\x81" + state + text("variables") + b"]ub."


CALLS = {
    "os-system": File(lambda c: with_reduce(os.system, f"touch {c}"), "<inert posix.system>"),
    "os-system-by-text": File(
        lambda c: b"cos\nsystem\n(S'touch %s'\ntR." % str(c).encode(), "<inert os.system>"
    ),
    "subprocess": File(
        lambda c: with_reduce(subprocess.Popen, ["touch", str(c)]), "<inert subprocess.Popen>"
    ),
    "subprocess-with-keywords": File(
        lambda c: (
            name("subprocess.Popen") + b")}(" + text("args") + touch(c) + b"\x8c\x05shell\x88u\x92."
        ),
        "<inert subprocess.Popen>",
    ),
    "eval": File(lambda c: call("builtins.eval", code(c)) + STOP, "<inert builtins.eval>"),
    "eval-of-python-2": File(lambda c: call("__builtin__.eval", code(c)) + STOP, "builtins.eval"),
    "exec": File(lambda c: call("builtins.exec", code(c)) + STOP, "<inert builtins.exec>"),
    "open-for-writing": File(
        lambda c: call("builtins.open", text(str(c)), text("w")) + STOP, "<inert builtins.open>"
    ),
    "path-touch": File(
        lambda c: call("pathlib.Path.touch", call("pathlib.Path", text(str(c)))) + STOP, "inert"
    ),
    "getattr-chain": File(getattr_chain, "calls something other than a named class"),
    "dotted-name": File(
        lambda c: (
            b"\x80\x04" + text("os") + text("path.os.system") + b"\x93" + group(touch(c)) + b"R."
        ),
        "<inert os.path.os.system>",
    ),
    "partial": File(
        lambda c: call("functools.partial", name("os.system"), touch(c)) + b")R.",
        "calls something other than a named class",
    ),
    "map-over-calls": File(
        lambda c: (
            call("builtins.list", call("builtins.map", name("os.system"), group(touch(c)))) + STOP
        ),
        "<inert builtins.list>",
    ),
    "import-module": File(
        lambda c: call("importlib.import_module", text("antigravity")) + STOP,
        "<inert importlib.import_module>",
    ),
    "import-by-global": File(lambda c: name("antigravity.fly") + STOP, "<named antigravity.fly>"),
    "run-path": File(
        lambda c: call("runpy.run_path", text(str(script(c)))) + STOP, "<inert runpy.run_path>"
    ),
    "web-browser": File(
        lambda c: call("webbrowser.open", text(f"file://{c}")) + STOP, "<inert webbrowser.open>"
    ),
    "marshal-and-function": File(function_from_code, "calls something other than a named class"),
    "code-object": File(lambda c: call("types.CodeType", number(0)) + STOP, "types.CodeType"),
    "foreign-library": File(
        lambda c: call("ctypes.CDLL", text("libc.so.6")) + STOP, "<inert ctypes.CDLL>"
    ),
    "timeit": File(lambda c: call("timeit.timeit", code(c)) + STOP, "<inert timeit.timeit>"),
    "remove-a-file": File(
        lambda c: call("os.remove", text(str(c.parent / "precious"))) + STOP, "<inert os.remove>"
    ),
    "pickle-in-pickle": File(
        lambda c: call("pickle.loads", data(hidden_pickle(c))) + STOP, "<inert pickle.loads>"
    ),
    "pickle-in-pickle-by-c": File(
        lambda c: call("_pickle.loads", data(hidden_pickle(c))) + STOP, "<inert _pickle.loads>"
    ),
    "torch-load": File(
        lambda c: call("torch.load", call("_io.BytesIO", data(saved_hidden_pickle(c)))) + STOP,
        "<inert torch.load>",
    ),
    "torch-bytes-of-pickle": File(
        lambda c: call("torch.storage._load_from_bytes", data(hidden_pickle(c))) + STOP,
        "<inert os.system>",
    ),
    "torch-bytes-of-zip": File(
        lambda c: call("torch.storage._load_from_bytes", data(saved_hidden_pickle(c))) + STOP,
        "<inert os.system>",
    ),
    "torch-bytes-of-legacy": File(
        lambda c: (
            call("torch.storage._load_from_bytes", data(torch_legacy(hidden_pickle(c), [], b"")))
            + STOP
        ),
        "<inert os.system>",
    ),
    "torch-zip": File(saved_hidden_pickle, "<inert os.system>"),
    "torch-legacy": File(lambda c: torch_legacy(hidden_pickle(c), [], b""), "<inert os.system>"),
    "torch-legacy-system-information": File(
        lambda c: (
            b"".join(pickle.dumps(x, protocol=2) for x in (0x1950A86A20F9469CFC6C, 1001))
            + hidden_pickle(c)
            + b"N.]."
        ),
        "but a NoneType",
    ),
    "torch-hub": File(
        lambda c: call("torch.hub.load_state_dict_from_url", text("http://127.0.0.1:9/x")) + STOP,
        "<inert torch.hub.load_state_dict_from_url>",
    ),
    "torch-subclass-of-a-call": File(
        lambda c: (
            call(
                "torch._tensor._rebuild_from_type_v2",
                *(name("os.system"), name("torch.Tensor"), group(touch(c)), b"}"),
            )
            + STOP
        ),
        "<inert torch._tensor._rebuild_from_type_v2>",
    ),
    "numpy-load": File(
        lambda c: call("numpy.load", text(str(npy_of_objects(c))), b"N", b"\x88") + STOP,
        "<inert numpy.load>",
    ),
    "numpy-objects": File(object_array, "<inert numpy.core.multiarray._reconstruct>"),
    "joblib": File(lambda c: call("joblib.load", text(str(c))) + STOP, "<inert joblib.load>"),
    "set-state": File(
        lambda c: (
            name("torch.nn.modules.module.Module")
            + b")\x81}"
            + text("__setstate__")
            + name("os.system")
            + b"sb}"
            + touch(c)
            + b"Nsb."
        ),
        "<inert torch.nn.modules.module.Module>",
    ),
    "set-state-on-a-class": File(
        lambda c: (
            name("torch.nn.modules.module.Module")
            + b"}"
            + text("forward")
            + name("os.system")
            + b"sb."
        ),
        "sets attributes on something that has none",
    ),
    "set-state-on-a-dictionary": File(
        lambda c: b"}" + text("w") + number(1) + b"s}" + text("items") + name("os.system") + b"sb.",
        "dictionary",
    ),
    "methods-on-an-object": File(
        lambda c: (
            name("collections.UserList")
            + b")\x81}"
            + text("append")
            + name("os.system")
            + b"sb"
            + touch(c)
            + b"a."
        ),
        "<inert collections.UserList>",
    ),
    "default-factory": File(
        lambda c: call("collections.defaultdict", name("os.abort")) + STOP, "dict"
    ),
    "old-style-instance": File(lambda c: b"(" + touch(c) + b"ios\nsystem\n.", "<inert os.system>"),
    "old-style-object": File(lambda c: b"(" + name("os.system") + touch(c) + b"o.", "os.system"),
    "copyreg-reconstructor": File(
        lambda c: (
            call("copy_reg._reconstructor", name("os._exit"), name("builtins.int"), number(3))
            + STOP
        ),
        "<inert os._exit>",
    ),
    "copyreg-extension": File(
        lambda c: b"\x82\xc8" + group(touch(c)) + b"R.", "extension registry"
    ),
    "copyreg-extension-4": File(lambda c: b"\x84\xc8\0\0\0.", "extension registry"),
    "persistent-line": File(lambda c: b"Pos.system\n.", "by a line of text"),
    "persistent-in-plain-pickle": File(lambda c: storage("0", 4) + STOP, "data outside it"),
    "persistent-of-another-kind": File(
        lambda c: torch_zip(group(text("exec"), code(c)) + b"Q."), "in a way that torch does not"
    ),
    "new-class": File(
        lambda c: (
            call("builtins.type", text("X"), b")", b"}" + text("__del__") + name("os.abort") + b"s")
            + STOP
        ),
        "<inert builtins.type>",
    ),
    "nvlabs-source": File(nvlabs_object, "<inert torch_utils.persistence.Generator>"),
    "tensorflow-source": File(tensorflow_network, "<inert dnnlib.tflib.network.Network>"),
}

# --- files that try to exhaust memory, the stack or patience -----------------------------


def laughs(levels: int, leaf: bytes, wrap: bytes) -> bytes:
    """A value that contains itself-like halves: tiny as a graph, 2 ** levels leaves as a tree."""
    return leaf + b"".join(wrap % {b"i": b"%d\n" % level} for level in range(levels))


TUPLE_OF_TWO = b"p%(i)sg%(i)s\x86"


def colliding_keys() -> bytes:
    # Multiples of CPython's hash modulus all hash to 0: inserting n of them takes n² / 2 steps.
    numbers = (k * (2**61 - 1) for k in range(1, 300_000))
    return b"}(" + b"".join(b"\x8a\x0b" + n.to_bytes(11, "little") + b"N" for n in numbers) + b"u."


def many_copies(of: bytes, function: str, *more: bytes) -> bytes:
    """Memoise one large value, and call a copying function on it again and again."""
    copy = name(function) + group(b"h\0", *more) + b"R"
    return of + b"q\0" + b"0(" + copy * 100_000 + b"l."


def nested_files(depth: int) -> bytes:
    inner = b"N."
    for _ in range(depth):
        inner = call("torch.storage._load_from_bytes", data(inner)) + STOP
    return inner


def zip_with_two_of(record: str) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return torch_zip(b"N.", {record: b"N.", "archive/data.pkl": b"K\x01."})


def patched(content: bytes, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in content
    return content.replace(old, new)


def overlapping_zip() -> bytes:
    """Two records of which the first contains the second, header and all."""

    def fields(content: bytes) -> tuple[int, ...]:
        return (20, 0, 0, 0, 0, zlib.crc32(content), len(content), len(content))

    def local(record: bytes, content: bytes) -> bytes:
        header = struct.pack("<4s5H3I2H", b"PK\3\4", *fields(content), len(record), 0)
        return header + record + content

    def entry(record: bytes, content: bytes, offset: int) -> bytes:
        sizes = (len(record), 0, 0, 0, 0, 0, offset)
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, *fields(content), *sizes) + record

    names = (b"archive/data.pkl", b"archive/data/0")
    inner = local(names[1], bytes(1000))
    whole = local(names[0], inner)
    directory = entry(names[0], inner, 0) + entry(names[1], bytes(1000), len(whole) - len(inner))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, len(directory), len(whole), 0)
    return whole + directory + end


def encrypted_zip() -> bytes:
    content = bytearray(torch_zip(b"N."))
    content[content.rindex(b"PK\1\2") + 8] |= 1
    return bytes(content)


def huge_zip_directory() -> bytes:
    content = bytearray(torch_zip(b"N."))
    end = content.rindex(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<I", 2**31)
    return bytes(content)


def announced(opcode: bytes, layout: str, size: int) -> Callable[[Path], bytes]:
    return lambda _: b"\x80\x04" + opcode + struct.pack(layout, size) + b"abc."


BOMBS = {
    "bytes-of-exabytes": File(announced(b"\x8e", "<Q", 2**62), "ends before the data"),
    "bytes-of-gigabytes": File(announced(b"B", "<I", 2**32 - 1), "ends before the data"),
    "text-of-exabytes": File(announced(b"\x8d", "<Q", 2**62), "ends before the data"),
    "bytearray-of-exabytes": File(announced(b"\x96", "<Q", 2**62), "ends before the data"),
    "frame-of-exabytes": File(announced(b"\x95", "<Q", 2**63), "ends before the data"),
    "string-of-negative-size": File(announced(b"T", "<i", -5), "negative size"),
    "integer-of-gigabytes": File(announced(b"\x8b", "<i", 2**31 - 1), "absurd length"),
    "integer-of-megabytes": File(
        lambda _: b"\x8b" + struct.pack("<i", 2**22) + b"\1" * 2**22 + STOP, "absurd length"
    ),
    "integer-of-many-digits": File(lambda _: b"L" + b"9" * 10**6 + b"L\n.", "absurd length"),
    "memo-index": File(lambda _: b"Nr\xff\xff\xff\xff.", "but a NoneType"),
    "memo-index-by-text": File(lambda _: b"Np99999999999999999999\n.", "but a NoneType"),
    "deep-lists": File(lambda _: b"]" * 400_000 + b"a" * 399_999 + STOP, "but a list of 1;"),
    "deep-tuples": File(lambda _: b")" + b"\x85" * 1_000_000 + STOP, "but a tuple of"),
    "deep-tuple-as-key": File(lambda _: b"})" + b"\x85" * 10**6 + b"Ns.", "dictionary key"),
    "deep-marks": File(lambda _: b"(" * 1_000_000 + STOP, "takes more from the stack"),
    "deep-calls": File(
        lambda _: name("a.b") * 100_000 + b")" + b"\x85R" * 100_000 + STOP, "<inert a.b>"
    ),
    "laughs-as-tuples": File(lambda _: laughs(64, b")", TUPLE_OF_TWO) + STOP, "but a tuple of"),
    "laughs-as-key": File(
        lambda _: b"}" + laughs(64, b")", TUPLE_OF_TWO) + b"Ns.", "dictionary key"
    ),
    "laughs-as-member": File(
        lambda _: b"\x8f(" + laughs(64, b")", TUPLE_OF_TWO) + b"\x90.", "dictionary key"
    ),
    "laughs-as-modules": File(
        lambda _: (
            laughs(
                40,
                name("m.M") + b")\x81",
                b"p%(i)s"
                + name("m.M")
                + b")\x81}"
                + text("_modules")
                + b"}("
                + text("a")
                + b"g%(i)s"
                + text("b")
                + b"g%(i)susb",
            )
            + STOP
        ),
        "contains itself or far too many others",
    ),
    "module-in-itself": File(
        lambda _: name("m.M") + b")\x81q\0}" + text("_modules") + b"}" + text("a") + b"h\0ssb.",
        "contains itself or far too many others",
    ),
    "list-in-itself": File(lambda _: b"]q\0h\0a.", "but a list of 1;"),
    "colliding-keys": File(lambda _: colliding_keys(), "dictionary key"),
    "unhashable-key": File(lambda _: b"}]Ns.", "dictionary key"),
    "too-many-instructions": File(lambda _: b"N0" * 3_000_000 + b"N.", "more steps"),
    "too-many-sets": File(lambda _: b"(" + b"\x8f" * 3_000_000 + b"l.", "more steps"),
    "copies-of-a-list": File(
        lambda _: many_copies(b"(" + b"N" * 100_000 + b"l", "builtins.list"), "more steps"
    ),
    "copies-of-a-set": File(
        lambda _: many_copies(b"(" + b"N" * 100_000 + b"l", "builtins.set"), "more steps"
    ),
    "copies-of-a-text": File(
        lambda _: many_copies(text("x" * 10**6), "_codecs.encode", text("latin1")), "far larger"
    ),
    "copies-of-a-bytearray": File(
        lambda _: many_copies(data(bytes(10**6)), "builtins.bytearray"), "far larger"
    ),
    "copies-of-a-file": File(
        lambda _: many_copies(data(torch_zip(b"N.")), "torch.storage._load_from_bytes"),
        "more steps",
    ),
    "long-names": File(
        lambda _: text("x" * 10**6) + b"q\0" + b"(" + b"h\0h\0\x93" * 1000 + b"l.", "characters"
    ),
    "nested-files": File(lambda _: nested_files(50), "files within files"),
    "tensor-beyond-storage": File(lambda _: tensor_zip(1, (2, 2), (2, 1)), "beyond its storage"),
    "tensor-beyond-by-stride": File(lambda _: tensor_zip(0, (2,), (2**61,)), "beyond its storage"),
    "tensor-of-negative-stride": File(lambda _: tensor_zip(3, (4,), (-1,)), "not a whole number"),
    "tensor-of-negative-offset": File(lambda _: tensor_zip(-4, (4,), (1,)), "not a whole number"),
    "tensor-of-terabytes": File(lambda _: tensor_zip(0, (2**40,), (0,)), "far larger"),
    "tensor-of-absurd-shape": File(lambda _: tensor_zip(0, (2**61, 8), (0, 0)), "absurd size"),
    "tensor-of-empty-absurd-shape": File(
        lambda _: tensor_zip(0, (0, 2**61, 2**61), (0, 0, 0)), "absurd size"
    ),
    "tensor-of-many-dimensions": File(
        lambda _: tensor_zip(0, (1,) * 1000, (1,) * 1000), "not a list of sizes"
    ),
    "tensor-without-storage": File(
        lambda _: torch_zip(tensor(b"]", 0, (1,), (1,)) + STOP), "without a storage"
    ),
    "tensors-of-one-storage": File(
        lambda _: torch_zip(
            storage("0", 2**20) + b"q\0(" + tensor(b"h\0", 0, (2**20,), (1,)) * 1000 + b"l.",
            {"archive/data/0": bytes(2**22)},
        ),
        "far larger",
    ),
    "storage-of-terabytes": File(lambda _: tensor_zip(0, (4,), (1,), numel=2**40), "not as long"),
    "storage-shorter-than-said": File(
        lambda _: tensor_zip(0, (4,), (1,), record=bytes(12)), "not as long"
    ),
    "storage-longer-than-said": File(
        lambda _: tensor_zip(0, (4,), (1,), record=bytes(20)), "not as long"
    ),
    "storage-missing": File(
        lambda _: torch_zip(tensor(storage("7", 4), 0, (4,), (1,)) + STOP), "is missing"
    ),
    "storage-outside-the-archive": File(
        lambda _: torch_zip(tensor(storage("../../../etc/passwd", 4), 0, (4,), (1,)) + STOP),
        "is missing",
    ),
    "legacy-storage-of-terabytes": File(
        lambda _: torch_legacy(storage("0", 2**40, "FloatStorage", b"N") + STOP, ["0"], bytes(24)),
        "ends before the data",
    ),
    "legacy-storage-never-filled": File(
        lambda _: torch_legacy(storage("0", 4, "FloatStorage", b"N") + STOP, [], bytes(24)),
        "does not keep the storages",
    ),
    "legacy-storage-of-two-sizes": File(
        lambda _: torch_legacy(
            storage("0", 4, "FloatStorage", b"N") + STOP, ["0"], struct.pack("<q", 3) + bytes(16)
        ),
        "two sizes",
    ),
    "legacy-view-beyond-storage": File(
        lambda _: torch_legacy(
            storage("0", 4, "FloatStorage", group(text("1"), number(2), number(3))) + STOP,
            *(["0"], struct.pack("<q", 4) + bytes(16)),
        ),
        "beyond the one that it is part of",
    ),
    "array-larger-than-its-data": File(
        lambda _: array((2**20, 2**20), "f4", data(bytes(16))) + STOP, "does not fill its shape"
    ),
    "array-of-absurd-shape": File(
        lambda _: array((2**61, 2**61), "f4", data(b"")) + STOP, "absurd size"
    ),
    "array-of-negative-shape": File(
        lambda _: array((-1, -4), "f4", data(bytes(16))) + STOP, "not a whole number"
    ),
    "zip-bomb": File(
        lambda _: torch_zip(b"N" * 100_000_000 + STOP, compression=zipfile.ZIP_DEFLATED),
        "far larger",
    ),
    "zip-bomb-that-lies": File(
        lambda _: patched(
            torch_zip(b"N" * 10**6 + STOP, compression=zipfile.ZIP_DEFLATED),
            *(struct.pack("<I", 10**6 + 1), struct.pack("<I", 10)),
        ),
        "unpacks to more than it announces",
    ),
    "zip-of-overlapping-records": File(lambda _: overlapping_zip(), "overlap"),
    "zip-with-a-path-upwards": File(
        lambda c: torch_zip(b"N.", {f"archive/../../../../..{c}": b"x"}), "leads out"
    ),
    "zip-with-an-absolute-path": File(lambda c: torch_zip(b"N.", {str(c): b"x"}), "leads out"),
    "zip-with-a-windows-path": File(
        lambda _: patched(torch_zip(b"N.", {"archive/A:B": b"x"}), b"A:B", b"A\\B"), "leads out"
    ),
    "zip-with-two-pickles-of-one-name": File(
        lambda _: zip_with_two_of("archive/data.pkl"), "two records of the name"
    ),
    "zip-with-two-roots": File(
        lambda _: torch_zip(b"N.", {"other/data.pkl": b"N."}), "not one that torch.save"
    ),
    "zip-of-something-else": File(lambda _: zip_of_arrays(), "not one that"),
    "zip-encrypted": File(lambda _: encrypted_zip(), "encrypted"),
    "zip-of-another-compression": File(
        lambda _: torch_zip(b"N.", compression=zipfile.ZIP_LZMA), "in a way that torch does not use"
    ),
    "zip-with-a-huge-directory": File(lambda _: huge_zip_directory(), "directory is not where"),
    "zip-with-a-tail": File(lambda _: torch_zip(b"N.") + b"more", "does not end where"),
    "zip-with-a-wrong-checksum": File(
        lambda _: patched(torch_zip(text("weights") + STOP), b"weights", b"wEights"), "checksum"
    ),
    "pickle-with-a-tail": File(lambda _: b"N.N.", "goes on where its pickle has ended"),
    "unknown-instruction": File(lambda _: b"N\xff.", "0xff"),
    "unknown-protocol": File(lambda _: b"\x80\x09N.", "protocol 9"),
    "empty-stack": File(lambda _: b"0.", "more from the stack than it put there"),
    "unopened-group": File(lambda _: b"t.", "ends a group that it did not begin"),
    "unknown-memo": File(lambda _: b"h\x07.", "refers to something that it has not said"),
    "append-to-a-number": File(lambda _: b"K\1K\2a.", "not a list"),
    "outside-buffer": File(lambda _: b"\x80\x05\x97.", "buffers that came beside it"),
    "safetensors-of-terabytes": File(
        lambda _: safetensors_header(
            {"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
        ),
        "damaged (SafetensorError)",
    ),
}


def zip_of_arrays() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("weights.npy", b"x")
    return buffer.getvalue()


def safetensors_header(header: dict[str, Any]) -> bytes:
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw


FILES = {**CALLS, **BOMBS}

# --- reading them under watch --------------------------------------------------------------------


def read_under_watch(root: Path, files: dict[str, File], reader: str) -> dict[str, Any]:
    folder, canaries = root / "files", root / "canaries"
    folder.mkdir()
    canaries.mkdir()
    (canaries / "precious").touch()
    for key, file in files.items():
        (folder / key).write_bytes(file.build(canaries / key))
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("watched_reader.py"), folder, canaries, reader],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read_under_watch(tmp_path_factory.mktemp("hostile"), FILES, "ganzoo")


def test_the_watch_sees_a_file_that_runs_something(tmp_path: Path) -> None:
    files = {key: CALLS[key] for key in ("os-system", "eval", "remove-a-file")}
    seen = read_under_watch(tmp_path, files, "pickle")
    assert seen["os-system"]["canaries"] == ["os-system"]
    assert any(event.startswith("os.system") for event in seen["os-system"]["events"])
    assert seen["eval"]["canaries"] == ["eval"]
    assert any(event.startswith("compile") for event in seen["eval"]["events"])
    assert seen["remove-a-file"]["missing"] == ["precious"]


@pytest.mark.parametrize("key", FILES)
def test_reading_a_hostile_file_runs_nothing(report: dict[str, Any], key: str) -> None:
    assert report[key]["events"] == []
    assert report[key]["canaries"] == [] and report[key]["missing"] == []


@pytest.mark.parametrize("key", FILES)
def test_reading_a_hostile_file_ends_in_records_or_in_one_sentence(
    report: dict[str, Any], key: str
) -> None:
    seen = report[key]
    assert seen["outcome"] in ("content", "sentence"), seen["said"]
    assert FILES[key].ends in seen["said"].replace(f"/{key}", "")
    if seen["outcome"] == "sentence":
        assert seen["said"].startswith("cannot read ") and key in seen["said"]
        assert "\n" not in seen["said"] and len(seen["said"]) < 600


def test_a_real_checkpoint_is_read_under_the_same_watch(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(3)}, buffer)
    seen = read_under_watch(tmp_path, {"real": File(lambda _: buffer.getvalue(), "")}, "ganzoo")
    assert (seen["real"]["outcome"], seen["real"]["events"]) == ("content", [])
