"""Writing a new plugin: its template's files under other names."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ganzoo_core.errors import ConfigError, RunError, UnknownNameError
from ganzoo_core.files import whole_folder
from ganzoo_core.scaffold.licenses import checked_license, license_text
from ganzoo_core.scaffold.names import check_name

KINDS = {
    "gan": "a generator and a discriminator of its own",
    "autoencoder": "an encoder, a decoder and a trainer of its own",
    "loss": "an adversarial loss over the networks of DCGAN",
    "translator": "networks that translate images, learned from pairs",
}
"""What a new plugin can begin with."""

TEMPLATES = Path(__file__).parent / "templates"


def write_plugin(
    name: str,
    *,
    kind: str = "gan",
    out: Path | str | None = None,
    author: str = "",
    license: str = "Apache-2.0",
) -> Path:
    """Write a complete plugin with one variant, which passes every check as it stands.

    Args:
        name: of the variant; the distribution is `ganzoo-plugin-NAME`.
        kind: what to begin with, one of `KINDS`.
        out: folder to write, which must not exist; `ganzoo-plugin-NAME` unless given.
        author: who owns the copyright; "The NAME authors" unless given.
        license: SPDX identifier of the code's licence.

    Returns:
        the folder that was written.

    Raises:
        GanzooError: a name or a licence that cannot be, or a folder that exists or cannot be
            written.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    check_name(name, kind)
    license = checked_license(license)
    author = author.strip() or f"The {name} authors"
    if not author.isprintable():
        raise ConfigError(f"the author {author!r} must be a single line of printable characters")
    folder = Path(out) if out is not None else Path(f"ganzoo-plugin-{name}")
    if os.path.lexists(folder):
        raise RunError(f"{folder} exists already; choose another --out")
    names = _replacements(name, kind) | {"Apache-2.0": license}
    with whole_folder(folder) as partial:
        for path, text in _template(kind, license):
            # A quotation mark in the author's name must not end a string of the project's file.
            quoted = json.dumps(author, ensure_ascii=False)[1:-1]
            owner = quoted if path.suffix == ".toml" else author
            owners = {f"The my-{stem} authors": owner for stem in (kind, "variant")}
            file = partial / _replaced(path.as_posix(), names)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_replaced(text, names | owners), encoding="utf-8")
    return folder


def _template(kind: str, license: str) -> Iterator[tuple[Path, str]]:
    """Yield path and text of each file; one that all kinds have continues the kind's own."""
    own, common = (dict(_files(TEMPLATES / folder)) for folder in (f"my-{kind}", "common"))
    for path in sorted(own.keys() | common.keys()):
        yield path, "\n".join(files[path] for files in (own, common) if path in files)
    yield Path("LICENSE"), license_text(license)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        # Installers compile templates too, and tools leave their caches.
        leftover = any("cache" in part for part in path.relative_to(folder).parts)
        if path.is_file() and not leftover:
            yield path.relative_to(folder), path.read_text(encoding="utf-8")


def _replacements(name: str, kind: str) -> dict[str, str]:
    """Return what the templates say instead of the variant's name, and what to write for it."""
    words = name.split("-")
    camel = "".join(word.capitalize() for word in words)
    pairs: dict[str, str] = {}
    for stem in (kind, "variant"):
        pairs |= {
            f"my-{stem}": name,
            f"my_{stem}": "_".join(words),
            f"My{stem.capitalize()}": camel,
            f"My {stem}": " ".join(words).capitalize(),
        }
    return pairs


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    """Replace all at once, so that nothing is replaced in what was put in."""
    longest_first = sorted(pairs, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(pattern, lambda match: pairs[match[0]], text)
