"""Images with captions: `captions:PATH`, a table beside images, or a text file beside each.

captions:DIR         images, nested to any depth, and a table in DIR; or cat.txt beside cat.png
captions:DIR         a single zip of images and a table
captions:DIR.zip     the same within one archive
captions:TABLE.csv   a table, and the images beside it

A table is captions.csv, captions.jsonl, metadata.csv or metadata.jsonl. One of its columns names
the files, relative to the table, with their suffix or without; another one holds the captions.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ganzoo_core.data.folder import FolderSource, Opener, find_folder, opened_files
from ganzoo_core.data.pixels import BrokenImageError, Bytes, PixelFormat
from ganzoo_core.data.source import (
    Broken,
    DataInfo,
    Labels,
    existing,
    listed,
    stat_signature,
)
from ganzoo_core.errors import DataError

TABLES = ("captions.csv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
FILE_COLUMNS = ("file", "file_name", "filename", "path", "image", "id")
CAPTION_COLUMNS = ("caption", "text", "name", "title", "description", "caption1", "prompt")
"""In the order in which they are looked for."""

LONGEST = 100_000
"""Bytes of a text file beside an image; a caption is a sentence, not a book."""


@dataclass(frozen=True)
class CaptionedFolder:
    """Image files, each with its caption; an empty one where it has none."""

    folder: FolderSource
    texts: tuple[str, ...]
    tables: tuple[Path, ...] = ()
    """Files beside the images that the captions are from."""

    @property
    def place(self) -> str:
        """The path of the folder or archive."""
        return self.folder.place

    def __len__(self) -> int:
        return len(self.folder)

    def look(self) -> DataInfo:
        """Return what can be said without decoding."""
        return replace(self.folder.look(), classes=0)

    def signature(self) -> list[object]:
        """Return the state of the images, and the captions."""
        return [
            *("captions", list(self.texts)),
            *(self.folder.signature(), stat_signature(self.tables)),
        ]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Captions stand for classes."""
        return None, ()

    def captions(self) -> tuple[str, ...]:
        """Return the caption of every image."""
        return self.texts

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield every file as a block of one image, or as broken."""
        return self.folder.decode(target)


def find_captions(path: Path, source: str, split: str) -> CaptionedFolder:
    """Find images and their captions.

    Raises:
        DataError: there is nothing of that name, there are no images or no captions, or a table
            cannot be read or names files that are not there.
    """
    place = existing(path, source)
    if place.is_file() and place.suffix.lower() in (".csv", ".jsonl"):
        folder = _images(place.parent, source, split)
        return _by_table(folder, place.read_bytes, str(place), (place,))
    folder = _images(place, source, split)
    for name in TABLES:
        table = place / name if place.is_dir() else None
        if table is not None and table.is_file():
            return _by_table(folder, table.read_bytes, str(table), (table,))
    with opened_files(folder.path) as opened:
        for name in TABLES:
            if content := _content(opened, PurePosixPath(name)):
                return _by_table(folder, lambda: content, f"{folder.path}/{name}", ())
        texts = tuple(_beside(opened, name, folder.path) for name in folder.names)
    if not any(texts):
        raise DataError(
            f"{place} has no captions: neither a table such as {TABLES[0]} nor a .txt beside an "
            "image; add one, or use folder: for images without captions"
        )
    beside = [name.with_suffix(".txt") for name in folder.names]
    files = [folder.path / name for name in beside] if folder.path.is_dir() else []
    return CaptionedFolder(folder, texts, tuple(file for file in files if file.is_file()))


def tidy(text: str) -> str:
    """Return a caption on one line, without space at its ends."""
    return " ".join(text.split())


def _images(place: Path, source: str, split: str) -> FolderSource:
    """Find the images: in the folder or archive, or in the one archive that the folder holds."""
    if place.is_dir():
        archives = [file for file in listed(place) if file.suffix.lower() == ".zip"]
        try:
            return find_folder(place, source, split)
        except DataError:
            if len(archives) != 1:
                raise
        return find_folder(archives[0], source, split)
    return find_folder(place, source, split)


def _content(opened: Opener, name: PurePosixPath) -> bytes | None:
    try:
        with opened(name) as stream:
            return stream.read()
    except (OSError, KeyError, BrokenImageError):
        return None


def _beside(opened: Opener, name: PurePosixPath, where: Path) -> str:
    content = _content(opened, name.with_suffix(".txt"))
    if content is None:
        return ""
    if len(content) > LONGEST:
        raise DataError(
            f"{where}/{name.with_suffix('.txt')} has {len(content)} bytes; a caption has at most "
            f"{LONGEST}"
        )
    return tidy(_text(content, f"{where}/{name.with_suffix('.txt')}"))


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None


def _by_table(
    folder: FolderSource, read: Callable[[], bytes], where: str, tables: tuple[Path, ...]
) -> CaptionedFolder:
    try:
        text = _text(read(), where)
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from None
    rows = list(_json_rows(text, where) if where.endswith("jsonl") else _csv_rows(text, where))
    if not rows:
        raise DataError(f"{where} is empty; give a row for each image")
    file_column = _column(rows[0], FILE_COLUMNS, where, "files")
    caption_column = _column(rows[0], CAPTION_COLUMNS, where, "captions")
    known = _by_any_name(folder.names)
    captions: dict[PurePosixPath, str] = {}
    for number, row in enumerate(rows, 1):
        file, caption = row.get(file_column), row.get(caption_column)
        if not isinstance(file, str):
            raise DataError(f"{where} names no file in row {number}; give each row its file")
        found = known.get(file.strip().removeprefix("./"))
        if found is not None:
            captions.setdefault(found, tidy(caption) if isinstance(caption, str) else "")
        elif not _is_of_another_split(folder, file):
            raise DataError(
                f"{where} names {file!r} in row {number}, and there is no such image in "
                f"{folder.path}; correct the row, or leave it out"
            )
    texts = tuple(captions.get(name, "") for name in folder.names)
    if not any(texts):
        raise DataError(f"{where} has no caption for any image of {folder.path}; fill it in")
    return CaptionedFolder(folder, texts, tables)


def _csv_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    try:
        yield from csv.DictReader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        raise DataError(f"{where} is not a table of comma-separated values ({error})") from None


def _json_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{where} has no JSON object on line {number}; each line is one image")
        yield row


def _column(row: Mapping[str, object], wanted: Sequence[str], where: str, what: str) -> str:
    for name in wanted:
        if name in row:
            return name
    has = ", ".join(str(name) for name in row) or "none"
    raise DataError(
        f"{where} has no column of {what} (its columns: {has}); call it {wanted[0]!r}, such as in "
        "the header file,caption"
    )


def _by_any_name(names: Iterable[PurePosixPath]) -> dict[str, PurePosixPath]:
    """Return files by path and, where that is unique, by path without suffix and by last name."""
    every: dict[str, list[PurePosixPath]] = {}
    for name in names:
        for known in {str(name), str(name.with_suffix("")), name.name, name.stem}:
            every.setdefault(known, []).append(name)
    exact = {str(name): name for its in every.values() for name in its}
    return {known: its[0] for known, its in every.items() if len(its) == 1} | exact


def _is_of_another_split(folder: FolderSource, file: str) -> bool:
    """Say whether a row is of the split that was not asked for, whose files are not listed."""
    parts = PurePosixPath(file.strip().removeprefix("./")).parts
    return folder.class_level > 0 and parts[folder.class_level - 1 : folder.class_level] in (
        ("train",),
        ("test",),
    )
