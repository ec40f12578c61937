"""Image files of any kind and size in a folder, or in a zip archive that is never unpacked."""

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from ganzoo_core.data.pixels import BrokenImageError, Bytes, PixelFormat, read_header, read_image
from ganzoo_core.data.source import (
    Broken,
    DataInfo,
    Labels,
    existing,
    listed,
    single_split,
    stat_signature,
)
from ganzoo_core.errors import DataError

SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".dib"),
        *(".webp", ".avif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
        *(".j2k", ".ico", ".pcx", ".sgi", ".dds", ".qoi"),
    )
)
"""Files that end otherwise are not images: they are passed over without a word."""

HEADERS_LOOKED_AT = 256
"""How many files are opened to guess the size and channels of all."""

LARGEST_MEMBER = 1 << 30
"""An image file in an archive that claims more bytes than this is not unpacked into memory."""

Opener = Callable[[PurePosixPath], IO[bytes]]


@dataclass(frozen=True)
class FolderSource:
    """Image files under a folder or in an archive, named relative to it, in sorted order."""

    path: Path
    names: tuple[PurePosixPath, ...]
    classes: tuple[str, ...]
    class_level: int

    @property
    def place(self) -> str:
        """The path of the folder or archive."""
        return str(self.path)

    def __len__(self) -> int:
        return len(self.names)

    def look(self) -> DataInfo:
        """Return what the headers of a bounded number of files, spread evenly, have in common."""
        chosen = np.linspace(0, len(self) - 1, min(len(self), HEADERS_LOOKED_AT)).astype(int)
        headers = []
        with opened_files(self.path) as opened:
            for number in chosen:
                try:
                    with opened(self.names[number]) as stream:
                        headers.append(read_header(stream))
                except (BrokenImageError, OSError):
                    continue  # decoding counts and names it
        if not headers:
            raise DataError(
                f"{self.path}: none of {len(chosen)} image files can be read, the first being "
                f"{self.names[0]}; check that they are whole"
            )
        sizes = {header.size for header in headers}
        return DataInfo(
            image_size=max(sizes.pop()) if len(sizes) == 1 else None,
            channels=1 if all(header.grey for header in headers) else 3,
            classes=len(self.classes),
            count=len(self),
        )

    def signature(self) -> list[object]:
        """Return the state of the archive, or of every image file."""
        if self.path.is_dir():
            files = stat_signature([self.path / name for name in self.names])
        else:
            files = stat_signature([self.path])
        return ["folder", [str(name) for name in self.names], list(self.classes), files]

    def labels(self) -> tuple[Labels | None, tuple[str, ...]]:
        """Return the class of every image by its subfolder, or (None, ())."""
        if not self.classes:
            return None, ()
        numbers = {name: number for number, name in enumerate(self.classes)}
        values = [numbers[name.parts[self.class_level]] for name in self.names]
        return np.array(values, dtype=np.int64), self.classes

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield every file as a block of one image, or as broken."""
        yield from self.decode_by(lambda stream: read_image(stream, target))

    def decode_by(self, read: Callable[[IO[bytes]], Bytes]) -> Iterator[Bytes | Broken]:
        """Yield what `read` makes of every file, as a block of one, or the file as broken."""
        with opened_files(self.path) as opened:
            for name in self.names:
                try:
                    with opened(name) as stream:
                        image = read(stream)
                except BrokenImageError as error:
                    yield Broken(f"{self.path}/{name}", str(error))
                except OSError as error:
                    yield Broken(f"{self.path}/{name}", error.strerror or str(error))
                else:
                    yield image[None]


def find_folder(path: Path, source: str, split: str) -> FolderSource:
    """Find the image files of one split, and their classes, in a folder or zip archive.

    Classes are the subfolders of the first level; one that holds everything is looked through,
    since it tells nothing apart. With images beside the subfolders there are no classes. Where
    `train` and `test` are such subfolders, they are the splits.

    Raises:
        DataError: There is nothing of that name, it is not a folder or zip, or holds no images.
    """
    if existing(path, source).is_dir():
        names = sorted(_walk(path, PurePosixPath(), ()))
    else:
        names = sorted({PurePosixPath(member) for member in _members(path)})
    names = [name for name in names if _is_image(name)]
    if not names:
        raise DataError(
            f"{path} holds no image files; name a folder or .zip with files such as .png or .jpg"
        )
    level = _wrapping(names)
    if {"train", "test"} <= _subfolders(names, level):
        both = [name for name in names if name.parts[level] in ("train", "test")]
        names = [name for name in both if name.parts[level] == split]
        level += 1
    else:
        both = names
        single_split(
            split, str(path), "put the images into its subfolders 'train' and 'test' to have both"
        )
    # The classes of both splits, so that a number means the same in either.
    classes = sorted(_subfolders(both, level))
    labelled = len(classes) > 1 and all(len(name.parts) > level + 1 for name in both)
    return FolderSource(path, tuple(names), tuple(classes) if labelled else (), level)


def _is_image(name: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not hidden


def _wrapping(names: Sequence[PurePosixPath]) -> int:
    """Return how many levels of folders hold all of the images and nothing beside them."""
    level = 0
    while all(len(name.parts) > level + 1 for name in names):
        if len(_subfolders(names, level)) > 1:
            break
        level += 1
    return level


def _subfolders(names: Sequence[PurePosixPath], level: int) -> set[str]:
    return {name.parts[level] for name in names if len(name.parts) > level + 1}


def _walk(root: Path, inner: PurePosixPath, above: tuple[str, ...]) -> Iterator[PurePosixPath]:
    """Yield all files under a folder; links are followed, but not into a folder above them."""
    real = os.path.realpath(root / inner)
    if real in above:
        return
    for entry in listed(root / inner):
        if entry.is_dir():
            yield from _walk(root, inner / entry.name, (*above, real))
        elif entry.is_file():
            yield inner / entry.name


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [member.filename for member in archive.infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        if path.suffix.lower() == ".zip":
            reason = f"is not a whole zip archive ({error}); download or pack it again"
        else:
            reason = "is a file, not a folder or .zip archive; name the folder that it lies in"
        raise DataError(f"{path} {reason}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


@contextmanager
def opened_files(path: Path) -> Iterator[Opener]:
    """Give the function that opens one file of the folder or archive for reading."""
    if path.is_dir():
        yield lambda name: (path / name).open("rb")
        return
    with zipfile.ZipFile(path) as archive:
        yield lambda name: _unpacked(archive, str(name))


def _unpacked(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    size = archive.getinfo(name).file_size
    if size > LARGEST_MEMBER:
        raise BrokenImageError(f"it claims to unpack to {size} bytes")
    try:
        return BytesIO(archive.read(name))
    except Exception as error:  # damaged, encrypted, or packed in a way this Python cannot read
        raise BrokenImageError(str(error) or type(error).__name__) from error
