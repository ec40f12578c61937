"""A reader of zip archives that trusts nothing an archive says about itself.

The standard library's reader takes a directory of any size into memory, and accepts duplicate and
overlapping entries; torch writes a narrow kind of archive, and only that kind is read here: entries
stored or deflated, each name once, no two sharing a byte. Nothing is ever written to disk.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from ganzoo_core.hub._inert.standins import Budget, UnreadableError

_LARGEST_DIRECTORY = 16 * 2**20  # of some hundred thousand tensors
_LONGEST_COMMENT = 2**16
_CHUNK = 2**20

_ENTRY = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_LARGE_LOCATOR = struct.Struct("<4sIQI")
_LARGE_END = struct.Struct("<4sQ2H2I4Q")

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True)
class _Entry:
    offset: int
    stored_size: int
    size: int
    checksum: int
    method: int


class Archive:
    """The entries of a zip archive: names first, contents when asked for."""

    def __init__(self, stream: BinaryIO, size: int, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._entries = _directory(stream, size, budget)

    @property
    def names(self) -> list[str]:
        """The names of all entries, in the order of the directory."""
        return list(self._entries)

    def size(self, name: str) -> int | None:
        """Return the announced size of an entry in bytes, or None if there is no such entry."""
        return self._entries[name].size if name in self._entries else None

    def read(self, name: str) -> bytearray:
        """Return the content of an entry, of exactly the announced size and checksum."""
        entry = self._entries[name]
        self._budget.spend_bytes(entry.size)
        self._stream.seek(_start_of_data(self._stream, name, entry))
        read = _read_stored if entry.method == _STORED else _read_deflated
        content = read(self._stream, entry)
        if zlib.crc32(content) != entry.checksum:
            raise UnreadableError(f"its record {name!r} does not have the checksum that it had")
        return content


def _read_stored(stream: BinaryIO, entry: _Entry) -> bytearray:
    content = bytearray(entry.size)
    if stream.readinto(content) != entry.size:  # type: ignore[attr-defined]
        raise UnreadableError("it ends in the middle of a record")
    return content


def _read_deflated(stream: BinaryIO, entry: _Entry) -> bytearray:
    content = bytearray()
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    left = entry.stored_size
    while left and not inflate.eof:
        packed = stream.read(min(left, _CHUNK))
        if not packed:
            raise UnreadableError("it ends in the middle of a record")
        left -= len(packed)
        while packed and not inflate.eof:
            content += inflate.decompress(packed, _CHUNK)
            packed = inflate.unconsumed_tail
            if len(content) > entry.size:
                raise UnreadableError("it has a record that unpacks to more than it announces")
    if len(content) != entry.size or not inflate.eof:
        raise UnreadableError("it has a record that unpacks to less than it announces")
    return content


def _start_of_data(stream: BinaryIO, name: str, entry: _Entry) -> int:
    stream.seek(entry.offset)
    signature, *_, name_size, extra_size = _unpack(_LOCAL, stream)
    if signature != b"PK\x03\x04" or stream.read(name_size) != name.encode():
        raise UnreadableError("its directory and its records do not agree")
    return entry.offset + _LOCAL.size + int(name_size) + int(extra_size)


def _directory(stream: BinaryIO, size: int, budget: Budget) -> dict[str, _Entry]:
    start, length, count = _find_directory(stream, size)
    budget.spend_steps(count)
    stream.seek(start)
    raw = stream.read(length)
    entries: dict[str, _Entry] = {}
    at = 0
    for _ in range(count):
        name, entry, at = _read_entry(raw, at)
        if name in entries:
            raise UnreadableError(f"it has two records of the name {name[:80]!r}")
        entries[name] = entry
    if at != length:
        raise UnreadableError("its directory does not end where it says")
    _require_disjoint(stream, entries, start)
    return entries


def _find_directory(stream: BinaryIO, size: int) -> tuple[int, int, int]:
    """Return where the directory starts, its length in bytes, and how many entries it has."""
    tail_start = max(0, size - _LONGEST_COMMENT - _END.size)
    stream.seek(tail_start)
    tail = stream.read(size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise UnreadableError("it is a zip archive without its end")
    _, disk, first_disk, here, count, length, start, comment = _END.unpack_from(tail, at)
    end = tail_start + at
    if end + _END.size + comment != size:
        raise UnreadableError("it does not end where its directory says")
    said = (disk, first_disk, here, count, length, start)
    large = _large_end(stream, end)
    if large is not None:
        # torch always writes the form for large archives too: the two must not contradict.
        *meant, end = large
        saturated = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        if any(a not in (b, most) for a, b, most in zip(said, meant, saturated, strict=True)):
            raise UnreadableError("its two directories do not agree")
        disk, first_disk, here, count, length, start = meant
    if disk or first_disk or here != count:
        raise UnreadableError("it is one part of an archive in several parts")
    if start + length != end or length > _LARGEST_DIRECTORY:
        raise UnreadableError("its directory is not where it says, or absurdly large")
    return start, length, count


def _large_end(stream: BinaryIO, end: int) -> tuple[int, ...] | None:
    """Return the end record in the form for archives of 4 GiB and more, and where it stands."""
    locator_at = end - _LARGE_LOCATOR.size
    if locator_at < 0:
        return None
    stream.seek(locator_at)
    signature, _, at, _ = _unpack(_LARGE_LOCATOR, stream)
    if signature != b"PK\x06\x07":
        return None
    if at + _LARGE_END.size > locator_at:
        raise UnreadableError("it is a zip archive without its end")
    stream.seek(at)
    signature, _, _, _, disk, first, here, count, length, start = _unpack(_LARGE_END, stream)
    if signature != b"PK\x06\x06":
        raise UnreadableError("it is a zip archive without its end")
    return disk, first, here, count, length, start, at


def _read_entry(raw: bytes, at: int) -> tuple[str, _Entry, int]:
    if at + _ENTRY.size > len(raw):
        raise UnreadableError("its directory does not end where it says")
    fields = _ENTRY.unpack_from(raw, at)
    signature, _, _, flags, method, _, _, checksum, stored_size, size = fields[:10]
    name_size, extra_size, comment_size, _, _, _, offset = fields[10:]
    name_end = at + _ENTRY.size + name_size
    end = name_end + extra_size + comment_size
    if signature != b"PK\x01\x02" or end > len(raw):
        raise UnreadableError("its directory does not end where it says")
    name = raw[at + _ENTRY.size : name_end].decode()
    if flags & _ENCRYPTED:
        raise UnreadableError("it is encrypted")
    if method not in (_STORED, _DEFLATED):
        raise UnreadableError("it is compressed in a way that torch does not use")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name:
        raise UnreadableError(f"its record {name[:80]!r} has a name that leads out of the archive")
    sizes = _large_sizes(raw[name_end : name_end + extra_size], [size, stored_size, offset])
    size, stored_size, offset = sizes
    if method == _STORED and size != stored_size:
        raise UnreadableError("it has a record of two sizes")
    return name, _Entry(offset, stored_size, size, checksum, method), end


def _large_sizes(extra: bytes, sizes: list[int]) -> list[int]:
    """Replace each size that is too large for 32 bits by its 64-bit form in the extra field."""
    if 0xFFFFFFFF not in sizes:
        return sizes
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, 4))
            return [next(wide, size) if size == 0xFFFFFFFF else size for size in sizes]
        extra = extra[4 + length :]
    return sizes


def _require_disjoint(stream: BinaryIO, entries: dict[str, _Entry], limit: int) -> None:
    """Refuse entries that share bytes, with each other or with the directory."""
    end = limit
    for name, entry in sorted(entries.items(), key=lambda item: -item[1].offset):
        if _start_of_data(stream, name, entry) + entry.stored_size > end:
            raise UnreadableError("it has records that overlap, as in an archive made to swell")
        end = entry.offset


def _unpack(layout: struct.Struct, stream: BinaryIO) -> tuple[Any, ...]:
    raw = stream.read(layout.size)
    if len(raw) != layout.size:
        raise UnreadableError("it ends in the middle of a record")
    return layout.unpack(raw)
