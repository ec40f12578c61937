"""Wheels: of this repository's projects, and made-up ones without a build."""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))

# The hooks by which every installer builds (PEP 517), for many projects in one process.
_BUILD = """
import os, sys
from hatchling import build
folder, *projects = sys.argv[1:]
for project in projects:
    os.chdir(project)
    print(build.build_sdist(folder))
    print(build.build_wheel(folder))
"""


def build(*projects: Path, into: Path) -> list[Path]:
    """Build source distribution and wheel of each project and return their paths."""
    into.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(into), *map(str, projects)],
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [into / name for name in done.stdout.split()]


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    entry_points: str = "",
    metadata: str = "License-Expression: MIT\nSummary: For tests\nAuthor: Nobody\n",
    requires: tuple[str, ...] = (),
    altered: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a wheel; `altered` replaces files after the record has been made."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    needed = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    contents = {path: _bytes(content) for path, content in files.items()} | {
        f"{info}/METADATA": _bytes(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}{needed}\n"
        ),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        contents[f"{info}/entry_points.txt"] = _bytes(entry_points)
    record = "".join(
        f"{path},{_digest(content)},{len(content)}\n" for path, content in contents.items()
    )
    contents[f"{info}/RECORD"] = _bytes(f"{record}{info}/RECORD,,\n")
    path = folder / f"{stem}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (contents | dict(altered or {})).items():
            # A fixed time, so that the same content has the same hash.
            member = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    path.write_bytes(buffer.getvalue())
    return path


def plugin_wheel(
    folder: Path,
    name: str,
    version: str,
    manifest: dict[str, Any] | None,
    *,
    hooks: str = "",
    requires: tuple[str, ...] = ("ganzoo-core",),
    **options: Any,
) -> Path:
    """Write the wheel of a made-up plugin; None for `manifest` leaves the manifest out."""
    package = name.replace("-", "_")
    files: dict[str, str | bytes] = {f"{package}/__init__.py": "", f"{package}/hooks.py": hooks}
    if manifest is not None:
        files[f"{package}/ganzoo-plugin.json"] = json.dumps(manifest)
    points = f"[ganzoo.plugins]\ntoy = {package}.hooks\n"
    return make_wheel(
        folder, name, version, files, entry_points=points, requires=requires, **options
    )


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
