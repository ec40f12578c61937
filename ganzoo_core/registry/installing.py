"""From a name to an installed plugin, and back.

The registry decides which distribution a name means, in which version and with which hash; the
index only delivers it. What arrives is read, unpacked in a folder of its own, before anything of it
is installed.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from ganzoo_core.errors import PluginError, RegistryError, UnknownNameError
from ganzoo_core.plugins.installed import Installed, Plugin, normalised, read_installed
from ganzoo_core.registry.entries import check
from ganzoo_core.registry.installers import Installer, Planned, installed_version
from ganzoo_core.registry.reading import SCHEMA, Entry, Registry, read_registry
from ganzoo_core.registry.searching import find
from ganzoo_core.registry.validation import PREFIX
from ganzoo_core.registry.wheels import Facts, read_unpacked

CORE = "ganzoo-core"
TORCH = ("torch", "torchvision")

RIGHTS = (
    "plugins are code: once installed, they run with all your rights; nobody but their authors "
    "vouches for them"
)


class Wanted(NamedTuple):
    """What a name stands for, before the index is asked."""

    distribution: str
    requirement: str
    entry: Entry | None
    """The registry's entry; None where the registry does not list it."""


class Plan(NamedTuple):
    """What would be installed, after every check."""

    wanted: Wanted
    items: tuple[Planned, ...]
    plugins: tuple[Facts, ...]
    """Those of the items that are plugins, as their wheels describe themselves."""


def read_checked_registry() -> Registry:
    """Return the registry in use, checked in full: what is installed from must be right.

    Raises:
        RegistryError: it is malformed or misleading.
    """
    registry = read_registry()
    content = {"schema": SCHEMA, "plugins": registry.plugins, "papers": registry.papers}
    problems = check(content, registry.path)
    if problems:
        raise RegistryError(f"the registry {registry.path} is not valid: {problems[0]}")
    return registry


def resolve(registry: Registry, name: str, *, unlisted: bool = False) -> Wanted:
    """Return what `name` stands for: a distribution, a variant, or, unlisted, a requirement.

    Raises:
        UnknownNameError: the registry lists nothing of that name; the message suggests the nearest.
        PluginError: several plugins are meant, it is a paper that nobody has implemented, or a
            version whose hash the registry does not know.
    """
    requirement = _requirement(name)
    candidates = registry.named(requirement.name if requirement else name)
    official = [entry for entry in candidates if entry["tier"] == "official"]
    if len(candidates) > 1:
        candidates = official if len(official) == 1 else candidates
    if len(candidates) > 1:
        names = " or ".join(sorted(entry["name"] for entry in candidates))
        raise PluginError(f"{name!r} is listed by {len(candidates)} plugins; say which: {names}")
    if not candidates:
        if unlisted and requirement:
            return Wanted(normalised(requirement.name), str(requirement), None)
        raise _unknown(registry, name)
    entry = candidates[0]
    distribution, latest = entry["name"], entry["latest"]
    if unlisted:
        chosen = str(requirement.specifier) if requirement else ""
        return Wanted(distribution, distribution + chosen, entry)
    if requirement and str(requirement.specifier) not in ("", f"=={latest['version']}"):
        raise PluginError(
            f"the registry lists {distribution} {latest['version']}; for another version, whose "
            "hash it does not know, add --unlisted"
        )
    if latest["wheel"] is None:
        raise PluginError(
            f"{distribution} {latest['version']} is listed but not published yet, so nobody knows "
            "what an index serves under its name; install it from its source, or trust the index "
            "with --unlisted"
        )
    return Wanted(distribution, f"{distribution}=={latest['version']}", entry)


def draw_up(
    registry: Registry,
    wanted: Wanted,
    installer: Installer,
    *,
    unlisted: bool = False,
    allow_torch_change: bool = False,
) -> Plan:
    """Return the plan for what is wanted; nothing is installed.

    The wheels of the plugins in it are downloaded and unpacked elsewhere, and read. Without
    `unlisted`, every plugin in it must be listed with the version and hash that the index serves.

    Raises:
        PluginError: the index has no such wheel, it is not what the registry lists, it is no plugin
            or does not fit this core, or the plan would change torch or ganzoo-core.
    """
    items = installer.plan(wanted.requirement, [] if unlisted else _constraints(registry))
    _check_untouched(items, allow_torch_change)
    for item in items:
        _check_listed(registry, item)
    unread = [item for item in items if _may_be_plugin(registry, wanted, item)]
    facts = _read(installer, unread)
    plugins = tuple(each for each in facts.values() if each.plugin)
    for each in plugins:
        _check_plugin(each, registry.plugin(each.name), unlisted)
    planned = tuple(
        item._replace(license=facts[item.name].license) if item.name in facts else item
        for item in items
    )
    if wanted.distribution in facts and facts[wanted.distribution].plugin is None:
        raise PluginError(
            f"{wanted.distribution} is no plugin of ganzoo's: it declares no entry point of the "
            "group ganzoo.plugins; install it with pip if that is what you want"
        )
    return Plan(wanted, planned, plugins)


def find_installed(installed: Installed, name: str) -> Plugin:
    """Return the installed plugin that a distribution's or variant's name means, broken or not.

    Raises:
        UnknownNameError: there is none.
        PluginError: several plugins are meant, or the core itself.
    """
    if normalised(name) == CORE:
        raise PluginError(
            f"{CORE} is not a plugin; to remove it with all of ganzoo, run: pip uninstall {CORE}"
        )
    by_distribution = [p for p in installed.plugins if p.distribution == normalised(name)]
    distribution, _, short = name.rpartition("/")
    found = by_distribution or [
        plugin
        for plugin in installed.plugins
        if short in _claimed(plugin) and normalised(distribution) in ("", plugin.distribution)
    ]
    names = sorted({plugin.distribution for plugin in found})
    if len(names) > 1:
        raise PluginError(f"{name!r} is claimed by {len(names)} plugins; say {' or '.join(names)}")
    if not names:
        known = {plugin.distribution for plugin in installed.plugins}
        raise UnknownNameError("plugin", name, known.union(installed.names()), "this environment")
    return found[0]


def dependents(installed: Installed, distribution: str) -> list[str]:
    """Return the other installed plugins that require a distribution."""
    from importlib.metadata import PackageNotFoundError, requires

    found = []
    for plugin in installed.plugins:
        try:
            needed = requires(plugin.distribution) or []
        except PackageNotFoundError:
            continue
        for line in needed:
            requirement = _requirement(line)
            if requirement and normalised(requirement.name) == distribution:
                found.append(plugin.distribution)
    return sorted({name for name in found if name != distribution})


def uninstall(plugin: Plugin, installer: Installer) -> None:
    """Remove a plugin's distribution.

    Raises:
        PluginError: the installer cannot remove it, or it lies outside this environment.
    """
    installer.uninstall(plugin.distribution)
    left = [p for p in read_installed().plugins if p.distribution == plugin.distribution]
    if left:
        place = left[0].folder or "a folder of sys.path"
        raise PluginError(
            f"{installer.name} did not remove {plugin.distribution}: it lies in {place}, outside "
            "this environment; remove it there"
        )


def _claimed(plugin: Plugin) -> set[str]:
    names = {plugin.entry_point}
    for entry in plugin.manifest.get("variants", ()):
        names |= {entry["name"], *entry.get("aliases", ())}
    return names


def _requirement(text: str) -> Requirement | None:
    """Return a requirement by name and perhaps version, or None; never a link or a file."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    return None if requirement.url else requirement


def _unknown(registry: Registry, name: str) -> PluginError | UnknownNameError:
    papers = [found for found in find(name) if found.kind == "paper"]
    if papers:
        return PluginError(
            f"nobody has written a plugin for {papers[0].name} ({papers[0].link}) yet; "
            f"see: ganzoo info {name}"
        )
    return UnknownNameError(
        "plugin",
        name,
        registry.names(),
        "the registry (--unlisted asks the "
        "package index for a name that the registry does not list)",
    )


def _constraints(registry: Registry) -> list[str]:
    """Return what keeps the plugins that a plugin needs to the versions whose hashes are known."""
    return [
        f"{entry['name']}=={entry['latest']['version']}"
        for entry in registry.plugins
        if entry["latest"]["wheel"] and not _is_newer(entry)
    ]


def _is_newer(entry: Entry) -> bool:
    """Say whether a newer version than the listed one is installed; it may stay."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(installed_version(entry["name"]) or "0") > Version(
            entry["latest"]["version"]
        )
    except InvalidVersion:
        return True


def _check_untouched(items: Sequence[Planned], allow_torch_change: bool) -> None:
    for item in items:
        if item.name in TORCH and item.installed and not allow_torch_change:
            raise PluginError(
                f"this would change {item.name} from {item.installed} to {item.version}, which may "
                "break other things that use it; to have it so, add --allow-torch-change"
            )
        if item.name == CORE and item.installed:
            raise PluginError(
                f"this needs {CORE} {item.version} and {item.installed} is installed and running; "
                f"change it first, with: pip install {CORE}=={item.version}"
            )


def _check_listed(registry: Registry, item: Planned) -> None:
    entry = registry.plugin(item.name)
    if entry is None:
        return
    if item.version in entry.get("yanked", ()):
        raise PluginError(
            f"{item.name} {item.version} is yanked in the registry; its maintainer does not want "
            "it to be installed"
        )
    latest = entry["latest"]
    if item.version == latest["version"] and latest["wheel"]:
        listed = latest["wheel"]["sha256"]
        if item.sha256 != listed:
            raise PluginError(
                f"the index serves {item.name} {item.version} with sha256 {item.sha256} and the "
                f"registry lists {listed}, so this is another file and nothing was installed; "
                "check your index, or tell the plugin's maintainer"
            )


def _may_be_plugin(registry: Registry, wanted: Wanted, item: Planned) -> bool:
    """Say whether an item's wheel must be read: a plugin needs the core or another plugin."""
    if item.requires is None or item.name == wanted.distribution:
        return True
    return any(
        name == CORE or name.startswith(PREFIX) or registry.plugin(name) is not None
        for name in (item.name, *item.requires)
    )


def _read(installer: Installer, items: Sequence[Planned]) -> dict[str, Facts]:
    if not items:
        return {}
    with tempfile.TemporaryDirectory(prefix="ganzoo-") as folder:
        installer.unpack(items, Path(folder))
        return {item.name: read_unpacked(Path(folder), item.name) for item in items}


def _check_plugin(facts: Facts, entry: Entry | None, unlisted: bool) -> None:
    assert facts.plugin is not None
    if facts.plugin.problem:
        raise PluginError(
            f"{facts.name} {facts.version} cannot be used here, so nothing was installed: "
            f"{facts.plugin.problem}"
        )
    if entry and facts.version == entry["latest"]["version"]:
        manifest = facts.plugin.manifest
        same = manifest["variants"] == entry["variants"]
        if not same or manifest.get("components", {}) != entry.get("components", {}):
            raise PluginError(
                f"the wheel of {facts.name} {facts.version} has other contents than the registry "
                "lists, so nothing was installed; tell its maintainer"
            )
    elif not unlisted:
        raise PluginError(
            f"this would also install the plugin {facts.name} {facts.version}, which the registry "
            "does not list; if you trust it, add --unlisted"
        )
