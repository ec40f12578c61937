"""Which registry is in use, and what it says, read without pydantic.

In the order of precedence: the file that `GANZOO_REGISTRY` names; the copy that
`ganzoo registry update` has checked and stored; the snapshot that came with this release.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ganzoo_core.errors import RegistryError
from ganzoo_core.places import cache_folder
from ganzoo_core.plugins.installed import normalised

SCHEMA = 1
"""Version of the file's layout; a higher one needs a newer ganzoo-core."""

HUB_REPOSITORY = "ganzoo/registry"
"""The Hub's data set repository that holds the public registry."""

FILE_NAME = "registry.json"
LARGEST = 64 * 2**20
"""Bytes; a larger file is refused before it is read."""

SNAPSHOT = f"{os.path.dirname(__file__)}{os.sep}{FILE_NAME}"  # noqa: PTH120 - light, as its callers

Entry = dict[str, Any]


class Source(NamedTuple):
    """Where the registry comes from: a repository of the Hub, or a file of the user's."""

    name: str
    is_file: bool


class Registry(NamedTuple):
    """What a registry says, and where it lies."""

    plugins: list[Entry]
    papers: list[Entry]
    path: str
    note: str
    """Why a newer copy could not be used, in one sentence; empty where nothing is wrong."""

    def plugin(self, distribution: str) -> Entry | None:
        """Return the entry of a distribution, or None where it is not listed."""
        wanted = normalised(distribution)
        return next((entry for entry in self.plugins if entry["name"] == wanted), None)

    def named(self, name: str) -> list[Entry]:
        """Return the plugins that `name` may stand for: a distribution, a variant or an alias."""
        distribution, _, short = name.rpartition("/")
        if not distribution and (listed := self.plugin(name)):
            return [listed]
        return [
            entry
            for entry in self.plugins
            if short in variant_names(entry) and distribution in ("", entry["name"])
        ]

    def names(self) -> Iterator[str]:
        """Yield every name that can be installed."""
        for entry in self.plugins:
            yield entry["name"]
            yield from variant_names(entry)


def variant_names(plugin: Entry) -> list[str]:
    """Return the names and aliases of a plugin's variants."""
    names = []
    for variant in plugin["variants"]:
        names += [variant["name"], *variant.get("aliases", ())]
    return names


def source() -> Source:
    """Return where the registry comes from: `GANZOO_REGISTRY` or the public one."""
    chosen = os.environ.get("GANZOO_REGISTRY", "")
    is_file = chosen.endswith(".json") or os.path.isfile(chosen)  # noqa: PTH113
    return Source(chosen or HUB_REPOSITORY, is_file)


def stored_file(repository: str) -> str:
    """Return where the checked copy of a repository's registry is kept, within the cache."""
    from ganzoo_core.hub._client import check_repository_name

    check_repository_name(repository)
    folder = repository.replace("/", "--")
    return in_cache(folder, FILE_NAME)


def in_cache(*parts: str) -> str:
    """Return a path in the registry's part of the cache."""
    return os.sep.join([cache_folder(), "registry", *parts])  # noqa: PTH118


def registry_file() -> str:
    """Return the file of the registry in use.

    Raises:
        GanzooError: `GANZOO_REGISTRY` is neither a file nor the name of a repository.
    """
    name, is_file = source()
    if is_file:
        return os.path.expanduser(name)  # noqa: PTH111
    stored = stored_file(name)
    return stored if os.path.isfile(stored) else SNAPSHOT  # noqa: PTH113


def read_registry() -> Registry:
    """Read the registry in use; a stored copy that is damaged gives way to the snapshot.

    Raises:
        RegistryError: the file that `GANZOO_REGISTRY` names cannot be read or is malformed.
    """
    path = registry_file()
    try:
        return read_file(path)
    except RegistryError as error:
        if source().is_file or path == SNAPSHOT:
            raise
        note = f"{error}; the one that came with this release is used instead"
        return read_file(SNAPSHOT)._replace(note=note)


def read_file(path: str) -> Registry:
    """Read a registry as far as looking things up needs.

    Raises:
        RegistryError: it is missing, too large, no JSON, or not shaped as a registry.
    """
    content = load_json(path)
    problem = _shape_problem(content)
    if problem:
        raise RegistryError(f"the registry {path} is malformed: {problem}")
    return Registry(content["plugins"], content["papers"], path, "")


def load_json(path: str) -> Any:
    """Return the content of a JSON file of bounded size.

    Raises:
        RegistryError: it is missing, unreadable, too large, or no JSON.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise RegistryError(f"the registry {path} cannot be read: {reason}") from None
    return parse_json(text, path)


def parse_json(text: bytes, path: str) -> Any:
    """Return what JSON text says.

    Raises:
        RegistryError: it is too large or no JSON.
    """
    if len(text) > LARGEST:
        raise RegistryError(f"the registry {path} has more than {LARGEST // 2**20} MiB")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise RegistryError(f"the registry {path} is not valid JSON: {reason}") from None


def printable(text: object) -> str:
    """Return text that cannot move a terminal's cursor, change its colours or break a line."""
    if not isinstance(text, str):
        return ""
    # Every blank becomes a space; what else cannot be printed, a question mark.
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _shape_problem(content: object) -> str:
    if not isinstance(content, dict):
        return "it is not a JSON object"
    schema = content.get("schema")
    if not isinstance(schema, int) or schema < 1:
        return "'schema' must be a whole number"
    if schema > SCHEMA:
        return f"it has layout {schema} and this ganzoo-core reads {SCHEMA}; upgrade ganzoo-core"
    for key in ("plugins", "papers"):
        entries = content.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            return f"{key!r} must be a list of objects"
    for plugin in content["plugins"]:
        if not isinstance(plugin.get("name"), str):
            return "every plugin must have a 'name'"
        variants = plugin.get("variants")
        if not isinstance(variants, list) or not all(map(_is_variant, variants)):
            return f"'variants' of {plugin['name']!r} must be a list of objects with a 'name'"
    return ""


def _is_variant(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    aliases = entry.get("aliases", [])
    return isinstance(aliases, list) and all(isinstance(alias, str) for alias in aliases)
