"""Making `registry.json`: an entry from a wheel, papers linked to variants, and the file's text."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from ganzoo_core.errors import RegistryError
from ganzoo_core.files import whole_file
from ganzoo_core.plugins.installed import KINDS
from ganzoo_core.plugins.schema import check_manifest
from ganzoo_core.registry.reading import SCHEMA, Entry, load_json
from ganzoo_core.registry.schema import check_content
from ganzoo_core.registry.searching import squeezed
from ganzoo_core.registry.validation import problems
from ganzoo_core.registry.wheels import Facts, WheelFile, read_wheel


def empty() -> dict[str, Any]:
    """Return a registry without entries."""
    return {"schema": SCHEMA, "plugins": [], "papers": []}


def with_plugin(
    registry: dict[str, Any],
    wheel: WheelFile,
    *,
    tier: str | None = None,
    published: bool = True,
    yanked: Iterable[str] = (),
) -> dict[str, Any]:
    """Return a registry with a plugin's entry, new or brought up to date from its wheel.

    Args:
        registry: the content of a registry; it is not changed.
        wheel: of the plugin's latest version.
        tier: `official` or `listed`; by default what it was, and `listed` for a new one.
        published: whether the wheel is the very file that an index serves; its hash is kept then.
        yanked: versions that must not be installed any more, in addition to those known before.

    Raises:
        RegistryError: the wheel is no usable plugin, is older than what is listed, or differs from
            the file that is listed for its version.
        PluginError: its manifest is malformed.
    """
    name, version = wheel.facts.name, wheel.facts.version
    before = next((entry for entry in registry["plugins"] if entry["name"] == name), None)
    pinned = {"sha256": wheel.sha256, "size": wheel.size} if published else None
    if before:
        _check_succession(before["latest"], version, pinned, name)
        if pinned is None and before["latest"]["version"] == version:
            pinned = before["latest"]["wheel"]
    known = before.get("yanked", ()) if before else ()
    entry = _entry(wheel.facts) | {
        "tier": tier or (before["tier"] if before else "listed"),
        "latest": {"version": version, "wheel": pinned},
        "yanked": sorted({*known, *yanked}, key=Version),
    }
    ordered = {key: entry[key] for key in _FIELDS if key in entry}
    others = [other for other in registry["plugins"] if other["name"] != name]
    plugins = sorted([*others, ordered], key=lambda plugin: str(plugin["name"]))
    return registry | {"plugins": plugins, "papers": linked(registry["papers"], plugins)}


def add_to_file(
    path: Path, wheel: Path, *, tier: str | None, published: bool, yanked: Iterable[str]
) -> Entry:
    """Make or renew the entry of a wheel's plugin in a registry's file, and return the entry.

    Raises:
        GanzooError: the file or the wheel is not what it must be, or the registry would not be
            valid with it; the file is left as it was.
    """
    before = load_json(str(path)) if path.exists() else empty()
    check_content(before, str(path))
    found = read_wheel(wheel)
    for version in yanked:
        _check_version(version)
    registry = with_plugin(before, found, tier=tier, published=published, yanked=yanked)
    known = set(check(before, str(path)))
    new = [problem for problem in check(registry, str(path)) if problem not in known]
    if new:
        raise RegistryError(f"{path} would not be valid with {wheel.name}: {new[0]}")
    write(registry, path)
    return next(entry for entry in registry["plugins"] if entry["name"] == found.facts.name)


def _check_version(version: str) -> None:
    try:
        Version(version)
    except InvalidVersion:
        raise RegistryError(f"{version!r} is no version that could be yanked") from None


_FIELDS = (
    "name",
    "summary",
    "homepage",
    "maintainer",
    "tier",
    "api",
    "license",
    "latest",
    "yanked",
    "variants",
    "components",
)


def _entry(facts: Facts) -> Entry:
    plugin = facts.plugin
    if plugin is None:
        raise RegistryError(
            f"{facts.name} is no plugin: its pyproject.toml declares nothing under "
            '[project.entry-points."ganzoo.plugins"]'
        )
    if plugin.problem:
        raise RegistryError(f"{facts.name} {facts.version} cannot be listed: {plugin.problem}")
    check_manifest(plugin.manifest, f"of {facts.name}")
    for field, said in {
        "description": facts.summary,
        "authors": facts.maintainer,
        "license": facts.license,
    }.items():
        if not said:
            raise RegistryError(
                f"{facts.name} says nothing under {field!r}; add it to [project] in its "
                "pyproject.toml and build it again"
            )
    return {
        "name": facts.name,
        "summary": facts.summary,
        "homepage": facts.homepage or None,
        "maintainer": facts.maintainer,
        "api": plugin.manifest["api"],
        "license": facts.license,
        "variants": plugin.manifest["variants"],
        "components": plugin.manifest.get("components", {}),
    }


def _check_succession(
    latest: Entry, version: str, pinned: dict[str, Any] | None, name: str
) -> None:
    listed = latest["version"]
    if Version(version) < Version(listed):
        raise RegistryError(f"{name} {version} is older than {listed}, which is listed already")
    if version == listed and pinned and latest["wheel"] not in (None, pinned):
        raise RegistryError(
            f"this wheel of {name} {version} is not the one that is listed; a published version "
            "never changes, so give it a new one"
        )


def linked(papers: list[Entry], plugins: list[Entry]) -> list[Entry]:
    """Return the papers, each with the full name of the variant that cites it, or None.

    Where several variants cite a paper, the one that is named like it is meant, else the first.
    """
    citing: dict[str, list[str]] = {}
    for plugin in sorted(plugins, key=lambda plugin: plugin["tier"] != "official"):
        for variant in plugin["variants"]:
            full_name = f"{plugin['name']}/{variant['name']}"
            citing.setdefault(_identity(variant["paper"]["url"]), []).append(full_name)
    return [paper | {"variant": _variant_of(paper, citing)} for paper in papers]


def _variant_of(paper: Entry, citing: dict[str, list[str]]) -> str | None:
    candidates = citing.get(_identity(paper["link"]), [])
    named_alike = (
        name
        for name in candidates
        if squeezed(name.rpartition("/")[2]) == squeezed(paper["abbreviation"])
    )
    return next(named_alike, next(iter(candidates), None))


def _identity(link: str) -> str:
    """Return what is the same for all links to a paper: of arXiv's, the number without version."""
    found = re.search(r"arxiv\.org/(?:abs|pdf)/([0-9.]+|[a-z.-]+/\d+)", link.lower())
    number = re.sub(r"v\d+$", "", found[1].rstrip(".")) if found else ""
    return f"arxiv:{number}" if number else link.lower().rstrip("/")


def papers_of_table(table: str) -> Iterator[Entry]:
    """Yield the papers of the GAN Zoo's table, whose columns are separated by tabs."""
    for line in table.splitlines()[1:]:
        cells = [" ".join(cell.split()).strip('"') for cell in line.split("\t")]
        year, month, abbreviation, title, link, code = cells[:6]
        yield {
            "year": int(year),
            "month": int(month),
            "abbreviation": abbreviation,
            "title": title,
            "link": _encrypted(link),
            "code": None if code in ("", "-") else _encrypted(code),
            "variant": None,
        }


def _encrypted(link: str) -> str:
    # All hosts of the table speak https too.
    return link.replace("http://", "https://", 1)


def reserved_names(registry: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return who owns each name of an official plugin: by kind, then name to distribution."""
    reserved: dict[str, dict[str, str]] = {"variant": {}, **{kind: {} for kind in KINDS}}
    for plugin in registry["plugins"]:
        if plugin["tier"] != "official":
            continue
        for variant in plugin["variants"]:
            for name in (variant["name"], *variant.get("aliases", ())):
                reserved["variant"][name] = plugin["name"]
        for kind, listed in KINDS.items():
            for component in plugin.get("components", {}).get(listed, ()):
                reserved[kind].setdefault(component["name"], plugin["name"])
    return reserved


def check(registry: object, where: str) -> list[str]:
    """Check a registry in full and return a sentence for everything that is wrong with names,
    licences, links and versions.

    Raises:
        RegistryError: its form is wrong, so that nothing more can be said of it.
    """
    return problems(check_content(registry, where))


def to_text(registry: dict[str, Any]) -> str:
    """Return the file's text: plugins that people can read, and a paper a line."""
    plugins = [_indented(plugin) for plugin in registry["plugins"]]
    papers = [f"    {json.dumps(paper, ensure_ascii=False)}" for paper in registry["papers"]]
    head = [f'  "schema": {registry["schema"]}']
    if "$schema" in registry:
        head.insert(0, f'  "$schema": {json.dumps(registry["$schema"])}')
    lists = [
        f'  "{key}": [\n{joined}\n  ]' if (joined := ",\n".join(entries)) else f'  "{key}": []'
        for key, entries in (("plugins", plugins), ("papers", papers))
    ]
    return "{\n" + ",\n".join([*head, *lists]) + "\n}\n"


def write(registry: dict[str, Any], path: Path) -> None:
    """Write a registry, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(to_text(registry), encoding="utf-8")


def _indented(entry: Entry) -> str:
    text = json.dumps(entry, indent=2, ensure_ascii=False)
    return "\n".join(f"    {line}" for line in text.splitlines())
