"""What a plugin's wheel says about itself, read without importing or installing it."""

import base64
import csv
import hashlib
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from ganzoo_core.errors import RegistryError
from ganzoo_core.files import reason
from ganzoo_core.plugins.installed import MANIFEST_NAME, Plugin, normalised, plugins_of
from ganzoo_core.registry.reading import printable

_LARGEST_TEXT = 16 * 2**20
_LARGEST_CONTENT = 4 * 2**30


class Facts(NamedTuple):
    """What a distribution's metadata says of it, and its manifest where it is a plugin."""

    name: str
    version: str
    summary: str
    homepage: str
    """Empty where it names none."""
    maintainer: str
    license: str
    """An SPDX expression where it has one, else what its authors wrote; empty where nothing."""
    plugin: Plugin | None
    """None where it has no entry point of ours."""


class WheelFile(NamedTuple):
    """A wheel, identified by its content."""

    facts: Facts
    sha256: str
    size: int
    """Bytes."""


def read_wheel(path: Path) -> WheelFile:
    """Return what a plugin's wheel says; every file in it is held against the wheel's own record.

    Raises:
        RegistryError: it is no wheel, damaged, or contains what no plugin may contain.
    """
    try:
        name, version, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        raise RegistryError(
            f"{path} is not named as a wheel is; build one with: python -m build"
        ) from None
    try:
        with path.open("rb") as file, tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            with zipfile.ZipFile(file) as archive:
                _check_record(archive)
                _unpack_what_is_said(archive, Path(folder))
            facts = read_unpacked(Path(folder), name)
    except OSError as error:
        raise RegistryError(f"the wheel {path} cannot be read: {reason(error)}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        # Encrypted members, unknown compression, lengths that lie: what zipfile says varies.
        raise RegistryError(f"the wheel {path} is damaged: {printable(str(error))}") from None
    if (facts.name, facts.version) != (name, str(version)):
        raise RegistryError(
            f"the wheel {path} is {facts.name} {facts.version} by its metadata and not by its name"
        )
    return WheelFile(facts, digest, size)


def read_unpacked(folder: Path, distribution: str) -> Facts:
    """Return what a distribution says that was unpacked into `folder`.

    Raises:
        RegistryError: its metadata is missing or malformed.
    """
    for info in folder.glob("*.dist-info"):
        if normalised(info.name.partition("-")[0]) == normalised(distribution):
            break
    else:
        raise RegistryError(f"the wheel of {distribution} has no metadata; build it again")
    metadata = _metadata(info / "METADATA")
    name, version = normalised(metadata.get("Name", "")), printable(metadata.get("Version", ""))
    plugins = list(plugins_of(name, version, str(info)))
    if len(plugins) > 1:
        raise RegistryError(f"{name} has {len(plugins)} entry points; a plugin has one")
    return Facts(
        name,
        version,
        printable(metadata.get("Summary", "")),
        _homepage(metadata),
        _maintainer(metadata),
        _license(metadata),
        _of_this_folder(plugins[0], folder) if plugins else None,
    )


def _metadata(path: Path) -> Message:
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_TEXT).decode("utf-8", errors="replace")
    except OSError as error:
        raise RegistryError(f"{path.parent.name} has no METADATA: {reason(error)}") from None
    return HeaderParser().parsestr(text)


def _of_this_folder(plugin: Plugin, folder: Path) -> Plugin:
    """Return the plugin, left out where its package is not in the wheel but found elsewhere."""
    if Path(plugin.folder).parent == folder or plugin.problem:
        return plugin
    missing = f"its package {plugin.module.partition('.')[0]!r} is not in its wheel"
    return plugin._replace(manifest={}, problem=missing)


def _homepage(metadata: Message) -> str:
    """Return the link that the project calls its home, or else its source."""
    links = {}
    for line in metadata.get_all("Project-URL", []):
        label, _, link = str(line).partition(",")
        links["".join(filter(str.isalnum, label.lower()))] = printable(link)
    for label in ("homepage", "repository", "source", "sourcecode", "github", "documentation"):
        if label in links:
            return links[label]
    return printable(metadata.get("Home-page", ""))


def _maintainer(metadata: Message) -> str:
    """Return who maintains it, by name; an address only where no name is given."""
    for field in ("Maintainer", "Maintainer-email", "Author", "Author-email"):
        said = printable(metadata.get(field, ""))
        if said:
            return said.partition("<")[0].strip().strip('"') or said
    return ""


def _license(metadata: Message) -> str:
    for field in ("License-Expression", "License"):
        said = printable(metadata.get(field, ""))
        if not said:
            continue
        try:
            return str(canonicalize_license_expression(said))
        except InvalidLicenseExpression:
            # Some put the licence's whole text there.
            if len(said) <= 60:
                return said
    return ""


def _check_record(archive: zipfile.ZipFile) -> None:
    """Check that the record lists each file with its hash.

    Raises:
        ValueError: a file is missing, additional or altered, or its name leads elsewhere.
    """
    members = [member for member in archive.infolist() if not member.is_dir()]
    if sum(member.file_size for member in members) > _LARGEST_CONTENT:
        raise ValueError(f"it unpacks to more than {_LARGEST_CONTENT // 2**30} GiB")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ValueError("it contains a file twice")
    for name in names:
        if name.startswith("/") or re.search(r"[\\:\0]", name) or ".." in name.split("/"):
            raise ValueError(f"{name!r} would be written elsewhere")
        if name.partition("/")[0] in ("ganzoo_core", "torch"):
            raise ValueError(f"{name!r} would overwrite a file that is not the plugin's")
    recorded = dict(_record(archive, names))
    for member in members:
        name = member.filename
        if name.endswith((".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")):
            recorded.pop(name, None)
        elif recorded.pop(name, None) != _digest(archive, member):
            raise ValueError(f"{name!r} is not what its RECORD says")
    if recorded:
        raise ValueError(f"{next(iter(recorded))!r} is in its RECORD and not in the wheel")


def _record(archive: zipfile.ZipFile, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the hash of each file that the record lists."""
    records = [name for name in names if name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise ValueError("it has no RECORD, so it is no wheel")
    text = _member(archive, records[0]).decode("utf-8")
    for row in csv.reader(io.StringIO(text)):
        if len(row) != 3:
            raise ValueError("its RECORD is malformed")
        yield row[0], row[1]


def _digest(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    with archive.open(member) as file:
        digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_LARGEST_TEXT + 1)
    if len(content) > _LARGEST_TEXT:
        raise ValueError(f"{name!r} has more than {_LARGEST_TEXT // 2**20} MiB")
    return content


def _unpack_what_is_said(archive: zipfile.ZipFile, folder: Path) -> None:
    """Write metadata and manifest into a folder; an empty module stands for each package."""
    metadata = r"[\w.+!-]+\.dist-info/(METADATA|entry_points\.txt)"
    package = rf"\w+/({re.escape(MANIFEST_NAME)}|__init__\.py)"
    for name in archive.namelist():
        if re.fullmatch(f"{metadata}|{package}", name, re.ASCII):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"" if name.endswith(".py") else _member(archive, name))
