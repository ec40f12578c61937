"""The functions that run while a pickle is read: they make data, from checked arguments.

Each stands for one that pickles name. What a function cannot make safely from its arguments it
either refuses (sizes that do not fit: the file is wrong) or leaves as an inert record (kinds of
data that are no weights, such as arrays of Python objects).
"""

import math
import re
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch

from ganzoo_core.hub._inert.keys import checked_key
from ganzoo_core.hub._inert.machine import Finisher, Maker
from ganzoo_core.hub._inert.standins import Budget, Inert, Named, UnreadableError, named

_MOST_DIMENSIONS = 64
_LARGEST_SIZE = 2**62

STORAGE_TYPES = {
    "UntypedStorage": torch.uint8,
    "_UntypedStorage": torch.uint8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}

_STORAGE_MODULES = ("torch", "torch.cuda", "torch.storage")

# The types that have no storage class of their own: their tensors are kept as plain bytes.
_BYTE_KEPT_TYPES = (
    *("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"),
    "float8_e5m2fnuz",
)
_TENSOR_TYPES: dict[Named, torch.dtype] = {
    Named("torch", str(dtype).removeprefix("torch.")): dtype
    for dtype in (
        *STORAGE_TYPES.values(),
        *(getattr(torch, name) for name in _BYTE_KEPT_TYPES if hasattr(torch, name)),
    )
}


def storage_type(of: object) -> torch.dtype:
    """Return the element type of a storage class, on whatever device it was."""
    if isinstance(of, Named) and of.module in _STORAGE_MODULES and of.name in STORAGE_TYPES:
        return STORAGE_TYPES[of.name]
    raise UnreadableError(f"it stores tensors as {of!r}, which is not a kind that ganzoo reads")


def whole(value: object) -> int:
    """Return the value if it is a size or an offset."""
    if type(value) is not int or not 0 <= value < _LARGEST_SIZE:
        raise UnreadableError("it has a size or an offset that is not a whole number, or absurd")
    return value


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > _MOST_DIMENSIONS:
        raise UnreadableError("it has a shape that is not a list of sizes")
    shape = tuple(whole(size) for size in value)
    if math.prod(max(size, 1) for size in shape) >= _LARGEST_SIZE:
        raise UnreadableError("it has a shape of absurd size")
    return shape


# --- torch -------------------------------------------------------------------------------------
# A storage is a flat tensor here, so that nothing but tensors and records is ever on the stack.


def _tensor(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `_rebuild_tensor(storage, offset, size, stride)` and its second version."""
    storage, offset, size, stride, *rest = args
    if len(rest) > 2 and rest[2]:
        raise UnreadableError(
            "it has a tensor that is kept conjugated or negated, which is not read"
        )
    return _view(storage, offset, size, stride, budget)


def _tensor_of_type(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `_rebuild_tensor_v3`, which views bytes as a type that has no storage class."""
    storage, offset, size, stride, _, _, dtype, *metadata = args
    if not isinstance(dtype, Named) or dtype not in _TENSOR_TYPES:
        return None
    if any(metadata):
        raise UnreadableError(
            "it has a tensor that is kept conjugated or negated, which is not read"
        )
    if not isinstance(storage, torch.Tensor) or storage.dtype != torch.uint8:
        raise UnreadableError("it has a tensor without a storage")
    element = torch.empty(0, dtype=_TENSOR_TYPES[dtype]).element_size()
    if storage.numel() % element:
        raise UnreadableError("it has a tensor that does not fit its storage")
    return _view(storage.view(_TENSOR_TYPES[dtype]), offset, size, stride, budget)


def _view(storage: object, offset: object, size: object, stride: object, budget: Budget) -> object:
    if not isinstance(storage, torch.Tensor) or storage.dim() != 1 or not storage.is_contiguous():
        raise UnreadableError("it has a tensor without a storage")
    sizes, strides, start = _shape(size), _shape_of_strides(stride), whole(offset)
    if len(sizes) != len(strides):
        raise UnreadableError("it has a tensor with more sizes than strides, or fewer")
    elements = math.prod(sizes)
    last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if start > storage.numel() or (elements and last >= storage.numel()):
        raise UnreadableError("it has a tensor that reaches beyond its storage")
    # Views cost nothing, but whoever copies them pays: count each as if it were copied, so that
    # neither one expanded tensor nor a thousand views of the same storage grow out of hand.
    budget.spend_bytes(elements * storage.element_size())
    return torch.as_strided(storage, sizes, strides, storage.storage_offset() + start)


def _shape_of_strides(value: object) -> tuple[int, ...]:
    if not isinstance(value, tuple | list) or len(value) > _MOST_DIMENSIONS:
        raise UnreadableError("it has strides that are not a list of steps")
    return tuple(whole(step) for step in value)


def _parameter(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for a parameter, a buffer or an old Variable: its tensor."""
    return args[0] if args and isinstance(args[0], torch.Tensor) else None


def _subclassed(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `_rebuild_from_type_v2(function, type, args, state)`: the tensor without state."""
    of, _, inner, *_ = args
    maker = _TENSOR_MAKERS.get(of.path) if isinstance(of, Named) else None
    return maker(inner, budget) if maker and isinstance(inner, tuple) else None


def _size(args: tuple[object, ...], budget: Budget) -> object:
    return _shape(args[0]) if args else ()


_TENSOR_MAKERS: dict[str, Maker] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_type,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
}

# --- numpy -------------------------------------------------------------------------------------

_ARRAY_TYPE = re.compile(r"b1|[iu][1248]|f[248]|c8|c16")


def _array_type(pending: Inert, state: object, budget: Budget) -> object:
    """Stand for `numpy.dtype(code).__setstate__((version, byte order, …))`, of plain numbers."""
    code = pending.args[0] if pending.args else None
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if not isinstance(code, str) or not _ARRAY_TYPE.fullmatch(code):
        return None
    if not isinstance(order, str) or order not in ("<", ">", "|", "="):
        return None
    return np.dtype(order + code)


def _array(pending: Inert, state: object, budget: Budget) -> object:
    """Stand for `_reconstruct(ndarray, …).__setstate__((version, shape, type, order, data))`."""
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise UnreadableError("it has an array without a shape and data")
    shape, dtype, by_columns, data = state[-4:]
    return _array_of(data, dtype, shape, isinstance(by_columns, int) and by_columns != 0, budget)


def _array_from_buffer(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for numpy's `_frombuffer(data, type, shape, order)`, of pickle protocol 5.

    Since 2.3 an array whose axes are in another order comes as it lies, with that order.
    """
    data, dtype, shape, order, *axes = args
    array = _array_of(data, dtype, shape, isinstance(order, str) and order == "F", budget)
    if order != "K" or not axes or axes[0] is None or not isinstance(array, np.ndarray):
        return array
    places = _shape(axes[0])
    if sorted(places) != list(range(array.ndim)):
        raise UnreadableError("it has an array whose axes are in no order")
    return array.transpose(places)


def _array_of(
    data: object, dtype: object, shape: object, by_columns: bool, budget: Budget
) -> object:
    if not isinstance(dtype, np.dtype):
        return None
    sizes = _shape(shape)
    elements = math.prod(sizes)
    raw = _raw(data, budget)
    if len(raw) != elements * dtype.itemsize:
        raise UnreadableError("it has an array whose data does not fill its shape")
    budget.spend_bytes(len(raw))
    if not elements:
        return np.empty(sizes, dtype)
    return np.frombuffer(raw, dtype).reshape(sizes, order="F" if by_columns else "C")


def _scalar(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for numpy's `scalar(type, data)`."""
    dtype, *data = args
    if not isinstance(dtype, np.dtype) or len(data) != 1:
        return None
    raw = _raw(data[0], budget)
    if len(raw) != dtype.itemsize:
        raise UnreadableError("it has a number whose data does not fill its type")
    return cast(object, np.frombuffer(raw, dtype)[0])


def _raw(data: object, budget: Budget) -> bytes | bytearray:
    if isinstance(data, str):  # Python 2 kept bytes in strings
        budget.spend_bytes(len(data))
        return data.encode("latin-1")
    if not isinstance(data, bytes | bytearray):
        raise UnreadableError("it has an array without a shape and data")
    return data


# --- plain containers --------------------------------------------------------------------------


def _copied(args: tuple[object, ...], budget: Budget) -> list[object] | None:
    """Return the items of the one argument as a new list, paid for; None if it has no items."""
    if not args:
        return []
    items = args[0]
    if len(args) > 1 or not isinstance(items, list | tuple | set | frozenset):
        return None
    budget.spend_steps(len(items))
    return list(items)


def _list(args: tuple[object, ...], budget: Budget) -> object:
    return _copied(args, budget)


def _tuple(args: tuple[object, ...], budget: Budget) -> object:
    items = _copied(args, budget)
    return None if items is None else tuple(items)


def _set(args: tuple[object, ...], budget: Budget) -> object:
    items = _copied(args, budget)
    return None if items is None else {checked_key(item, budget) for item in items}


def _frozenset(args: tuple[object, ...], budget: Budget) -> object:
    items = _copied(args, budget)
    return None if items is None else frozenset(checked_key(item, budget) for item in items)


def _dict(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `dict` and `OrderedDict`, empty or of pairs, which Python 2 and 3 pickle so."""
    pairs = _copied(args, budget)
    if pairs is None:
        return None
    entries: dict[object, object] = {}
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            return None
        entries[checked_key(pair[0], budget)] = pair[1]
    return entries


def _default_dict(args: tuple[object, ...], budget: Budget) -> object:
    return {}  # the factory would be called for what is missing: here that is just missing


def _complex(args: tuple[object, ...], budget: Budget) -> object:
    real, imaginary = args
    if isinstance(real, int | float) and isinstance(imaginary, int | float):
        return complex(real, imaginary)
    return None


def _bytes(args: tuple[object, ...], budget: Budget) -> object:
    return None if args else b""  # how protocols before 3 say "no bytes"


def _bytearray(args: tuple[object, ...], budget: Budget) -> object:
    if not args:
        return bytearray()
    if not isinstance(args[0], str | bytes):
        return None
    budget.spend_bytes(len(args[0]))
    return bytearray(_raw(args[0], budget))


def _encoded(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `_codecs.encode(text, "latin1")`, which is how protocols before 3 keep bytes."""
    text, encoding = args
    if not isinstance(text, str) or not isinstance(encoding, str):
        return None
    return bytes(_raw(text, budget)) if encoding in ("latin1", "latin-1") else None


# --- records -----------------------------------------------------------------------------------


def _old_object(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for `copyreg._reconstructor(class, base, base's state)`, of protocols 0 and 1."""
    if len(args) != 3 or not isinstance(args[0], Named):
        return None
    return Inert(args[0], () if args[2] is None else (args[2],))


def _nvlabs_object(args: tuple[object, ...], budget: Budget) -> object:
    """Stand for NVlabs' objects that carry the source of their class, which is not run."""
    description = args[0] if args else None
    if not isinstance(description, dict) or "class_name" not in description:
        return None
    of = named("torch_utils.persistence", description["class_name"])
    return Inert(of, (description,), state=description.get("state"))


MAKERS: Mapping[str, Maker] = {
    **_TENSOR_MAKERS,
    "torch._tensor._rebuild_from_type_v2": _subclassed,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.parameter.Buffer": _parameter,
    "torch.autograd.variable.Variable": _parameter,
    "torch.Size": _size,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _array_from_buffer,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _default_dict,
    "builtins.dict": _dict,
    "builtins.list": _list,
    "builtins.tuple": _tuple,
    "builtins.set": _set,
    "builtins.frozenset": _frozenset,
    "builtins.complex": _complex,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _old_object,
    "torch_utils.persistence._reconstruct_persistent_obj": _nvlabs_object,
}

FINISHERS: Mapping[str, Finisher] = {
    "numpy.dtype": _array_type,
    "numpy.core.multiarray._reconstruct": _array,
}
