"""The arrays of a NumPy archive, read a piece at a time and never unpickled."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganzoo_core.errors import DataError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ArrayHeader:
    """What a stored array says of itself before its values are read."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


@contextmanager
def reading(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive, with everything that can be wrong with it as a DataError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{path} is not a whole .npz file ({error}); write it again with numpy.savez"
        ) from error
    except (EOFError, OSError, RuntimeError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); write it again") from error


def read_header(stream: IO[bytes], place: str) -> ArrayHeader:
    """Read what comes before an array's values; a DataError refuses Python objects."""
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        header = ArrayHeader(*read(stream))
    except ValueError as error:
        raise DataError(f"{place} is not a NumPy array ({error}); write it again") from error
    if header.dtype.hasobject:
        raise DataError(
            f"{place} holds pickled Python objects, which ganzoo does not read because they can "
            "run code; store plain uint8 or float arrays"
        )
    return header


def read_values(
    stream: IO[bytes], shape: tuple[int, ...], header: ArrayHeader, place: str
) -> Array:
    """Read the next values of an array, as many as `shape` holds."""
    size = math.prod(shape) * header.dtype.itemsize
    content = stream.read(size)
    if len(content) != size:
        raise DataError(f"{place} is truncated: it ends before the values that it names")
    values = np.frombuffer(content, dtype=header.dtype)
    return values.reshape(shape, order="F" if header.fortran else "C")


def read_array(path: Path, key: str) -> tuple[str, Array]:
    """Read one array of an archive whole, and name its place for error messages."""
    place = f"{path} ({key!r})"
    with reading(path) as archive, archive.open(f"{key}.npy") as stream:
        header = read_header(stream, place)
        return place, read_values(stream, header.shape, header, place)
