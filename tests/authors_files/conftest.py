import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real checkpoints and data, which not every machine has."""
    folder = Path(os.environ.get("GANZOO_SHARED", Path(__file__).parents[2] / "../shared"))
    if not (folder / "checkpoints").is_dir():
        pytest.skip(f"no real checkpoints in {folder}; set GANZOO_SHARED to the folder that has")
    return folder


@pytest.fixture
def foreign_module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., types.ModuleType]:
    """Makes a module of the authors' code importable, for writing its pickles only."""

    def make(name: str, **members: object) -> types.ModuleType:
        module = types.ModuleType(name)
        for key, member in members.items():
            setattr(module, key, member)
            if isinstance(member, type | types.FunctionType):
                member.__module__, member.__qualname__ = name, key
        monkeypatch.setitem(sys.modules, name, module)
        child = module
        while "." in name:
            name, _, attribute = name.rpartition(".")
            parent = sys.modules.get(name, types.ModuleType(name))
            monkeypatch.setitem(sys.modules, name, parent)
            monkeypatch.setattr(parent, attribute, child, raising=False)
            child = parent
        return module

    return make


@pytest.fixture
def same() -> Callable[[object, object], bool]:
    """Compares two contents: types, order, and every bit of every tensor."""

    def compare(a: object, b: object) -> bool:
        if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
            return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
        if isinstance(a, dict) and isinstance(b, dict):
            return list(a) == list(b) and all(compare(a[key], b[key]) for key in a)
        if isinstance(a, list | tuple) and isinstance(b, list | tuple):
            pairs = zip(a, b, strict=True)
            return type(a) is type(b) and len(a) == len(b) and all(compare(x, y) for x, y in pairs)
        return type(a) is type(b) and a == b

    return compare
