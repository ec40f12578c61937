"""Videos in a folder or zip: strips of frames, animations, movies, and folders of frames.

video:PATH           every file is a clip; or every folder, where the pictures are single frames
video:PATH:COLUMN    the clips with the same value in this column of index.csv are one, in the order
                     of their names
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from ganzoo_core.data.clips import Piece, numbered
from ganzoo_core.data.folder import SUFFIXES, FolderSource, find_folder, opener
from ganzoo_core.data.pixels import (
    BrokenImageError,
    Bytes,
    Header,
    PixelFormat,
    fit_block,
    read_clip_header,
    read_frames,
    read_image,
)
from ganzoo_core.data.source import Broken, DataInfo, Labels, existing, single_split
from ganzoo_core.errors import DataError

MOVIES = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"))
INDEX = "index.csv"
LOOKED_AT = 64
"""How many clips are opened to guess the size and channels of all."""

Names = tuple[PurePosixPath, ...]


@dataclass(frozen=True)
class VideoSource:
    """Clips, each of one file or of the single frames of one folder, in the order of their names.

    `columns` are what index.csv says of them, by the name of the column; `joined` is the column
    whose equal values make one clip, or empty.
    """

    folder: FolderSource
    clips: tuple[Names, ...]
    columns: dict[str, tuple[str, ...]]
    joined: str

    @property
    def place(self) -> str:
        """The path of the folder or archive."""
        return self.folder.place

    def __len__(self) -> int:
        return len(self.clips)

    def look(self) -> DataInfo:
        """Return what the headers of a bounded number of clips, spread evenly, have in common."""
        chosen = np.linspace(0, len(self) - 1, min(len(self), LOOKED_AT)).astype(int)
        headers = []
        with opener(self.folder.path) as opened:
            for number in chosen:
                name = self.clips[number][0]
                try:
                    with opened(name) as stream:
                        headers.append(_header(name, stream))
                except (BrokenImageError, OSError):
                    continue  # decoding counts and names it
        if not headers:
            raise DataError(
                f"{self.place}: none of {len(chosen)} videos can be read, the first being "
                f"{self.clips[0][0]}; check that they are whole"
            )
        sizes = {header.size for header in headers}
        return DataInfo(
            image_size=max(sizes.pop()) if len(sizes) == 1 else None,
            channels=1 if all(header.grey for header in headers) else 3,
            classes=len(self.folder.classes),
            count=None,
            clips=len(set(self._clip_of.tolist())),
        )

    def signature(self) -> list[object]:
        """Return the state of the files and what the index says of them."""
        return ["video", self.joined, sorted(self.columns.items()), *self.folder.signature()]

    def described(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
        """Return the folders as classes, and the columns that tell clips apart as factors."""
        sizes = tuple(size for _, size in self._factors.values())
        return self.folder.classes, tuple(self._factors), sizes

    def pieces(self, target: PixelFormat) -> Iterator[Piece | Broken]:
        """Yield each clip, or why it is broken."""
        with opener(self.folder.path) as opened:
            for number, names in enumerate(self.clips):
                place = names[0] if len(names) == 1 else names[0].parent
                try:
                    frames = _frames(names, opened, target)
                except BrokenImageError as error:
                    yield Broken(f"{self.place}/{place}", str(error))
                except OSError as error:
                    yield Broken(f"{self.place}/{place}", error.strerror or str(error))
                else:
                    row = [values[number] for values, _ in self._factors.values()]
                    factors = np.tile(np.array(row, dtype=np.int64), (len(frames), 1))
                    label = self._class_of(names[0])
                    yield Piece(int(self._clip_of[number]), frames, label, factors)

    @cached_property
    def _clip_of(self) -> Labels:
        """Which clip each piece belongs to."""
        if self.joined:
            return numbered(self.columns[self.joined])[0]
        return np.arange(len(self))

    @cached_property
    def _factors(self) -> dict[str, tuple[Labels, int]]:
        """The columns by name, numbered; what is alike or different everywhere tells nothing."""
        columns = {name: numbered(values) for name, values in self.columns.items()}
        return {name: (v, size) for name, (v, size) in columns.items() if 1 < size < len(self)}

    def _class_of(self, name: PurePosixPath) -> int | None:
        classes = self.folder.classes
        return classes.index(name.parts[self.folder.class_level]) if classes else None


def find_video(path: Path, column: str, source: str, split: str) -> VideoSource:
    """Find the clips of one split in a folder or archive, or in one file.

    Raises:
        DataError: there is nothing of that name, no video in it, or no such column.
    """
    suffixes = SUFFIXES | MOVIES
    if existing(path, source).is_file() and path.suffix.lower() in suffixes:
        single_split(split, str(path), "name a folder with the subfolders 'train' and 'test'")
        folder = FolderSource(path.parent, (PurePosixPath(path.name),), (), 0)
    else:
        folder = find_folder(path, source, split, suffixes)
    clips = _clips(folder)
    columns = _index(path, clips)
    if column and column not in columns:
        known = ", ".join(columns) or f"there is no {INDEX} that lists these clips"
        raise DataError(f"{source!r}: no column {column!r} says which clips are one ({known})")
    if column:
        order = np.argsort(numbered(columns[column])[0], kind="stable").tolist()
        clips = tuple(clips[number] for number in order)
        columns = {n: tuple(values[k] for k in order) for n, values in columns.items()}
    return VideoSource(folder, clips, columns, column)


def _clips(folder: FolderSource) -> tuple[Names, ...]:
    """Tell files that are clips from folders of single frames, by the first picture."""
    movies = [name for name in folder.names if name.suffix.lower() in MOVIES]
    pictures = [name for name in folder.names if name.suffix.lower() not in MOVIES]
    if not pictures or _moves(folder, pictures[0]):
        return tuple((name,) for name in folder.names)
    frames: dict[PurePosixPath, list[PurePosixPath]] = {}
    for name in pictures:
        frames.setdefault(name.parent, []).append(name)
    clips = [tuple(sorted(names, key=_by_number)) for names in frames.values()]
    return tuple(sorted([*clips, *((name,) for name in movies)]))


def _moves(folder: FolderSource, name: PurePosixPath) -> bool:
    with opener(folder.path) as opened:
        try:
            with opened(name) as stream:
                return read_clip_header(stream)[1] > 1
        except (BrokenImageError, OSError):
            return True  # decoding counts and names it


def _by_number(name: PurePosixPath) -> list[tuple[int, str]]:
    """Order frame-2 before frame-10."""
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in re.split(r"(\d+)", name.name) if p]


def _header(name: PurePosixPath, stream: IO[bytes]) -> Header:
    if name.suffix.lower() not in MOVIES:
        return read_clip_header(stream)[0]
    for frame in _movie(stream):
        return Header((frame.width, frame.height), False)
    raise BrokenImageError("it holds no frames")


def _frames(names: Names, opened: Any, target: PixelFormat) -> Bytes:
    """Return a clip's frames: uint8 [T, size, size, channels], at least two."""
    if len(names) == 1:
        with opened(names[0]) as stream:
            if names[0].suffix.lower() in MOVIES:
                blocks = [
                    fit_block(frame.to_ndarray(format="rgb24")[None], target)
                    for frame in _movie(stream)
                ]
                frames = np.concatenate(blocks) if blocks else np.empty((0,), dtype=np.uint8)
            else:
                frames = read_frames(stream, target)
    else:
        frames = _folder_of_frames(names, opened, target)
    if len(frames) < 2:
        raise BrokenImageError("a single frame is no video" if len(frames) else "it has no frames")
    return frames


def _folder_of_frames(names: Names, opened: Any, target: PixelFormat) -> Bytes:
    frames, sizes = [], set()
    for name in names:
        with opened(name) as stream:
            content = io.BytesIO(stream.read())
        try:
            sizes.add(read_clip_header(content)[0].size)
            content.seek(0)
            frames.append(read_image(content, target))
        except BrokenImageError as error:
            raise BrokenImageError(f"{name.name}: {error}") from error
        if len(sizes) > 1:
            shown = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
            raise BrokenImageError(f"its frames are of mixed sizes, {shown}")
    return np.stack(frames)


def _movie(stream: IO[bytes]) -> Iterator[Any]:
    """Yield the frames of a movie as PyAV gives them."""
    from ganzoo_core.clips import pyav

    av = pyav()
    try:
        with av.open(stream) as file:
            yield from file.decode(video=0)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BrokenImageError(f"the movie cannot be decoded ({said})") from error


def _index(path: Path, clips: Sequence[Names]) -> dict[str, tuple[str, ...]]:
    """Return the columns of the index.csv within or beside the clips that lists all of them."""
    for text in _index_texts(path):
        reader = csv.DictReader(io.StringIO(text))
        if "file" not in (reader.fieldnames or ()):
            continue
        rows = {PurePosixPath(row["file"]).name: row for row in reader if row["file"]}
        keys = [names[0].name if len(names) == 1 else names[0].parent.name for names in clips]
        if all(key in rows for key in keys):
            columns = [name for name in (reader.fieldnames or ()) if name != "file"]
            return {name: tuple(rows[key][name] or "" for key in keys) for name in columns}
    return {}


def _index_texts(path: Path) -> Iterator[str]:
    beside = [path / INDEX, path.parent / INDEX] if path.is_dir() else [path.parent / INDEX]
    if path.is_file() and path.suffix.lower() == ".zip":
        with opener(path) as opened:
            try:
                with opened(PurePosixPath(INDEX)) as stream:
                    yield stream.read().decode("utf-8", "replace")
            except (KeyError, BrokenImageError):
                pass  # it may lie beside the archive
    for file in beside:
        if file.is_file():
            try:
                yield file.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise DataError(f"{file} cannot be read: {error.strerror}") from error
