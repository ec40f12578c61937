"""Files written whole or not at all, and errors of the disk said in one sentence."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganzoo_core.errors import GanzooError, RunError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a hidden path to write to, which becomes `path` once the block has succeeded."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            _sync(partial)
            partial.replace(path)
            _sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a hidden folder to fill, which becomes `path` once the block has succeeded.

    A folder that was there before is replaced; a crash leaves the old one or the new one, or, at
    the instant between two renames, neither.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with disk_errors(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            yield partial
            for file in partial.rglob("*"):
                # safetensors makes its files readable by their owner alone.
                file.chmod(0o755 if file.is_dir() else 0o644)
                _sync(file)
            _sync(partial)
            old = _set_aside(path) if path.exists() else None
            partial.rename(path)
            _sync(path.parent)
            if old:
                shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def alone(lock_file: Path, busy: str) -> Iterator[None]:
    """Keep every other process out while the block runs, by a lock that ends with the process.

    Raises:
        RunError: another process is there, as the sentence `busy` says, or the lock's file cannot
            be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file, timeout=0)
    with disk_errors(lock_file.parent):
        try:
            lock.acquire()
        except Timeout:
            raise RunError(busy) from None
        except RuntimeError:  # a file system without locks: unguarded is better than not at all
            pass
    try:
        yield
    finally:
        lock.release()


def discard_folder(path: Path) -> None:
    """Remove a folder so that a crash midway leaves no half of it under its own name."""
    shutil.rmtree(_set_aside(path), ignore_errors=True)


def discard_leftovers(folder: Path) -> None:
    """Remove what a process that was killed left half-written or half-removed in `folder`."""
    with disk_errors(folder):
        for path in filter(is_leftover, folder.glob(".*")):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Say whether a path is a hidden one of this module, which no finished writing leaves."""
    return path.name.startswith(".") and path.suffix in (".partial", ".old")


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(aside)
    return aside


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted lines that people can read, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        RunError: the file is missing, unreadable or malformed.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not valid JSON ({error}); it may be damaged") from None


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says while `path` is written into a sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path} cannot be written: {reason(error)}{_advice(error)}") from error
    except GanzooError:
        raise
    except Exception as error:
        # safetensors reports the operating system's errors under a class of its own.
        if "os error" not in str(error):
            raise
        raise RunError(f"{path} cannot be written: {error}") from error


def reason(error: OSError) -> str:
    """Return what the operating system says is wrong, in lower case."""
    said = error.strerror or str(error)
    return said[:1].lower() + said[1:]


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "; free some space or choose another --out"
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
        return "; choose another --out"
    return ""


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync folders
            raise
    finally:
        os.close(descriptor)
