"""What is installed: every plugin's manifest, read without running any of its code.

This module is on the path of `ganzoo list` and of shell completion, so it imports almost nothing:
it scans the `entry_points.txt` of the installed distributions and opens the JSON file beside each
plugin's package. It decides what can be decided from that alone (readable, the right API version,
no clash of names) and notes the reason for whatever it leaves out.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal, NamedTuple

from ganzoo_core.errors import PluginError, UnknownNameError
from ganzoo_core.places import cache_folder

ENTRY_POINT_GROUP = "ganzoo.plugins"
MANIFEST_NAME = "ganzoo-plugin.json"
API_VERSION = (1, 0)
"""Major and minor version of the hooks; a plugin needs the same major and at most this minor."""

Kind = Literal[
    "generator",
    "discriminator",
    "code_discriminator",
    "encoder",
    "composer",
    "predictor",
    "prior",
    "reranker",
    "loss",
    "regularizer",
    "trainer",
]
KINDS: dict[Kind, str] = {
    "generator": "generators",
    "discriminator": "discriminators",
    "code_discriminator": "code_discriminators",
    "encoder": "encoders",
    "composer": "composers",
    "predictor": "predictors",
    "prior": "priors",
    "reranker": "rerankers",
    "loss": "losses",
    "regularizer": "regularizers",
    "trainer": "trainers",
}
"""The kinds of component, each with the manifest's list of them."""

DEFAULT_SEEDS = 3
"""How many trainings measure a claim whose manifest does not say."""

Manifest = dict[str, Any]


class Plugin(NamedTuple):
    """One installed plugin: where it comes from, what it says it has, and what is wrong with it."""

    distribution: str
    """Normalised name of the distribution, such as `ganzoo-plugin-dcgan`."""
    version: str
    entry_point: str
    module: str
    """Dotted name of the module that holds the hook implementations."""
    folder: str
    """Folder of the plugin's top-level package; empty where it could not be found."""
    manifest: Manifest
    """The manifest as read, `{}` where it could not be read."""
    problem: str
    """Why the plugin is left out, in one sentence; empty where it is usable."""
    failure: str
    """Why its last import failed; it is tried again when it is next asked for."""


class Variant(NamedTuple):
    """One variant of the zoo, as its plugin's manifest declares it."""

    plugin: Plugin
    entry: Manifest
    """The variant's entry in the manifest."""
    short_name_taken_by: str
    """Distribution that owns the short name instead; empty where the short name is this one's."""

    @property
    def name(self) -> str:
        """Name within the plugin, such as `dcgan`."""
        return str(self.entry["name"])

    @property
    def full_name(self) -> str:
        """Name that no other plugin can claim, such as `ganzoo-plugin-dcgan/dcgan`."""
        return f"{self.plugin.distribution}/{self.name}"


class Installed:
    """The plugins of this Python environment and the names that they own."""

    def __init__(
        self,
        plugins: tuple[Plugin, ...],
        first_party: frozenset[str],
        reserved: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.plugins = plugins
        self.first_party = first_party
        self._reserved = reserved or {}
        self._variants: dict[str, list[Variant]] = {}
        self._components: dict[tuple[str, str], list[Plugin]] = {}
        for plugin in self.usable:
            for entry in plugin.manifest["variants"]:
                for name in (entry["name"], *entry.get("aliases", ())):
                    self._variants.setdefault(name, []).append(Variant(plugin, entry, ""))
            for kind, listed in KINDS.items():
                for component in plugin.manifest.get("components", {}).get(listed, ()):
                    self._components.setdefault((kind, component["name"]), []).append(plugin)

    @property
    def usable(self) -> tuple[Plugin, ...]:
        """Plugins with nothing wrong that reading alone can find."""
        return tuple(plugin for plugin in self.plugins if not plugin.problem)

    @property
    def broken(self) -> tuple[Plugin, ...]:
        """Plugins that are left out, each with its `problem`."""
        return tuple(plugin for plugin in self.plugins if plugin.problem)

    def plugin(self, distribution: str) -> Plugin:
        """Return the plugin of a distribution, broken or not.

        Raises:
            UnknownNameError: no plugin of that distribution is installed.
        """
        wanted = normalised(distribution)
        for plugin in self.plugins:
            if plugin.distribution == wanted:
                return plugin
        raise UnknownNameError("plugin", distribution, [p.distribution for p in self.plugins])

    def variants(self) -> list[Variant]:
        """Return every usable variant once, by name; clashing ones say who owns the short name."""
        found = []
        for plugin in self.usable:
            for entry in plugin.manifest["variants"]:
                claims = [variant.plugin for variant in self._variants[entry["name"]]]
                owner = self._owner("variant", entry["name"], claims)
                ours = self._reserved_for("variant", entry["name"])
                taken_by = "" if owner == plugin else _others(claims, plugin) or ours
                found.append(Variant(plugin, entry, taken_by))
        return sorted(found, key=lambda variant: variant.full_name.partition("/")[::-1])

    def names(self) -> list[str]:
        """Return every short name and alias that resolves to one variant."""
        return sorted(
            name
            for name, claims in self._variants.items()
            if self._owner("variant", name, [variant.plugin for variant in claims])
        )

    def variant(self, name: str) -> Variant:
        """Return the variant that `name` (short, alias, or `distribution/name`) stands for.

        Raises:
            UnknownNameError: no usable plugin has it; the message suggests the nearest name.
            PluginError: two plugins claim the short name, or its plugin is left out.
        """
        distribution, _, short = name.rpartition("/")
        claims = self._variants.get(short, [])
        if distribution:
            wanted = normalised(distribution)
            claims = [variant for variant in claims if variant.plugin.distribution == wanted]
        if not claims:
            self._refuse_broken(short, distribution)
            raise UnknownNameError("variant", name, self.names(), _environment(self.plugins))
        owners = [variant.plugin for variant in claims]
        # A full name says whose it is; `claims` are that plugin's then.
        owner = owners[0] if distribution else self._owner("variant", short, owners)
        if owner is None:
            raise self._ambiguous("variant", short, owners)
        return next(variant for variant in claims if variant.plugin == owner)

    def component(self, kind: Kind, name: str) -> tuple[Plugin, str]:
        """Return the plugin that owns a component and the component's name within it.

        Raises:
            UnknownNameError: no usable plugin has such a component.
            PluginError: two plugins claim the short name.
        """
        distribution, _, short = name.rpartition("/")
        claims = self._components.get((kind, short), [])
        if distribution:
            claims = [p for p in claims if p.distribution == normalised(distribution)]
        if not claims:
            raise UnknownNameError(kind, name, self.component_names(kind))
        owner = claims[0] if distribution else self._owner(kind, short, claims)
        if owner is None:
            raise self._ambiguous(kind, short, claims)
        return owner, short

    def component_names(self, kind: Kind) -> list[str]:
        """Return the short names of all usable components of one kind."""
        return sorted(name for (its_kind, name) in self._components if its_kind == kind)

    def _reserved_for(self, kind: str, name: str) -> str:
        """Return the official plugin that owns a name, installed or not; empty where none does."""
        return self._reserved.get(kind, {}).get(name, "")

    def _owner(self, kind: str, name: str, claims: list[Plugin]) -> Plugin | None:
        """Return who may use a short name: the official plugin that is listed with it, or else
        its only claimant, or else the only first-party one.
        """
        if listed := self._reserved_for(kind, name):
            return next((plugin for plugin in claims if plugin.distribution == listed), None)
        if len(claims) == 1:
            return claims[0]
        official = [plugin for plugin in claims if plugin.distribution in self.first_party]
        return official[0] if len(official) == 1 else None

    def _ambiguous(self, kind: str, name: str, claims: list[Plugin]) -> PluginError:
        full_names = " or ".join(sorted(f"{plugin.distribution}/{name}" for plugin in claims))
        if ours := self._reserved_for(kind, name):
            return PluginError(
                f"the {kind} {name!r} is that of {ours}, which is not installed or is left out; "
                f"install it, or say that you mean {full_names}"
            )
        return PluginError(
            f"the {kind} {name!r} is claimed by {len(claims)} plugins; "
            f"say which one you mean: {full_names}"
        )

    def _refuse_broken(self, short: str, distribution: str) -> None:
        for plugin in self.broken:
            if distribution and plugin.distribution != normalised(distribution):
                continue
            if short in _claimed_names(plugin) or short == plugin.entry_point:
                raise PluginError(
                    f"{short!r} belongs to {plugin.distribution} {plugin.version}, "
                    f"which is left out: {plugin.problem}"
                )


def read_installed() -> Installed:
    """Read the manifests of all installed plugins, running none of their code.

    `GANZOO_PLUGINS` narrows them to a comma-separated list of distributions; wildcards are allowed.
    """
    plugins: list[Plugin] = []
    seen: set[str] = set()
    first_party: frozenset[str] = frozenset()
    wanted = os.environ.get("GANZOO_PLUGINS")
    patterns = None if wanted is None else [part.strip() for part in wanted.split(",")]
    for name, version, info_folder in _distributions():
        if name in seen:
            continue
        seen.add(name)
        if name == "ganzoo-core":
            first_party = _extra_all(info_folder)
        if patterns is not None and not any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        plugins.extend(plugins_of(name, version, info_folder))
    ordered = tuple(sorted(plugins, key=lambda plugin: plugin[:4]))
    return Installed(ordered, first_party, _reserved_names())


def normalised(distribution: str) -> str:
    """Return a distribution's name in the form that package indexes compare (PEP 503)."""
    name = distribution.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def read_manifest(path: str) -> tuple[Manifest, str]:
    """Read one manifest and return it with the reason why it cannot be used, if there is one.

    Only what `ganzoo list` needs is checked here; `ganzoo_core.plugins.schema` is the authority.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs milliseconds here
            text = file.read(_LARGEST_MANIFEST + 1)
        manifest = json.loads(text)
    except FileNotFoundError:
        return {}, f"its manifest {path} is missing; reinstall the plugin"
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"its manifest {path} cannot be read ({error}); reinstall the plugin"
    problem = _text_problem(text, manifest) or _shape_problem(manifest)
    if problem:
        return {}, f"its manifest {path} is malformed ({problem}); ask its author to mend it"
    return manifest, api_problem(manifest["api"])


def api_problem(api: str) -> str:
    """Return why a plugin written for this API version does not fit the core, or nothing."""
    major, minor = (int(part) for part in api.split("."))
    ours = ".".join(map(str, API_VERSION))
    if major == API_VERSION[0] and minor <= API_VERSION[1]:
        return ""
    older = (major, minor) < API_VERSION
    advice = "install a newer release of the plugin" if older else "upgrade ganzoo-core"
    return f"it is written for plugin API {api} and this ganzoo-core has API {ours}; {advice}"


def _distributions() -> Iterator[tuple[str, str, str]]:
    """Yield name, version and metadata folder of each distribution, in the order of sys.path."""
    for entry in sys.path:
        try:
            with os.scandir(entry or ".") as found:
                folders = [item.path for item in found if item.name.endswith(_INFO_SUFFIXES)]
        except OSError:
            continue
        for folder in sorted(folders):
            stem = os.path.basename(folder).rpartition(".")[0]  # noqa: PTH119
            if stem.startswith("~"):
                continue  # an upgrade by pip that was interrupted has left it behind
            name, _, version = stem.partition("-")
            yield normalised(name), version.partition("-py")[0], folder


_INFO_SUFFIXES = (".dist-info", ".egg-info")


def plugins_of(distribution: str, version: str, info_folder: str) -> Iterator[Plugin]:
    """Yield the plugins, at most one in a sane distribution, that its metadata declares."""
    for entry_point, module in _entry_points(info_folder):
        package = module.partition(".")[0]
        folder = _package_folder(package, os.path.dirname(info_folder))  # noqa: PTH120
        if not folder:
            manifest: Manifest = {}
            problem = f"its package {package!r} is not installed; reinstall the plugin"
        else:
            manifest, problem = read_manifest(f"{folder}{os.sep}{MANIFEST_NAME}")
        failure = _remembered_failure(distribution, folder)
        yield Plugin(distribution, version, entry_point, module, folder, manifest, problem, failure)


def _entry_points(info_folder: str) -> Iterator[tuple[str, str]]:
    """Yield name and module of each of our entry points; a sane file is a few dozen lines."""
    try:
        with open(f"{info_folder}{os.sep}entry_points.txt", encoding="utf-8") as file:  # noqa: PTH123
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return
    if ENTRY_POINT_GROUP not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == ENTRY_POINT_GROUP and "=" in line and not line.startswith("#"):
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].partition(":")[0].strip()


def _package_folder(package: str, beside: str) -> str:
    """Return the folder of a package without importing it, or nothing where there is none."""
    for root in (beside, *sys.path):
        folder = f"{root or '.'}{os.sep}{package}"
        if os.path.isfile(f"{folder}{os.sep}__init__.py"):  # noqa: PTH113
            return folder
    # Some build backends install an editable project behind an import hook of their own.
    from importlib.util import find_spec

    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return ""
    return os.path.dirname(spec.origin) if spec and spec.origin else ""  # noqa: PTH120


def _extra_all(info_folder: str) -> frozenset[str]:
    """Return the first-party plugins: those that `ganzoo-core[all]` names."""
    names = set()
    try:
        with open(f"{info_folder}{os.sep}METADATA", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                if not line.strip():
                    break
                if line.startswith("Requires-Dist: ganzoo-plugin-") and "extra" in line:
                    requirement = line.partition(": ")[2]
                    end = next(i for i, c in enumerate(requirement + " ") if c in " <>=!~;[(")
                    names.add(normalised(requirement[:end]))
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(names)


def _reserved_names() -> dict[str, dict[str, str]]:
    """Return which official plugin owns which name, as the registry of this release lists them."""
    here = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    try:
        with open(f"{here}{os.sep}registry{os.sep}reserved.json", "rb") as file:  # noqa: PTH123
            reserved: dict[str, dict[str, str]] = json.load(file)
    except (OSError, ValueError):
        return {}
    return reserved


def _text_problem(text: str, manifest: object) -> str:
    """Find characters that would command a terminal or that cannot be written at all."""
    if "\\u" not in text and text.isascii() and "\x7f" not in text:
        return ""  # the usual case, in which JSON has already refused them
    import re

    escaped = r"\\u(00[01][0-9a-f]|007f|00[89][0-9a-f]|202[a-e]|206[6-9])"
    written = "[\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
    if re.search(f"{escaped}|{written}", text, re.IGNORECASE):
        return "it has control characters"
    try:
        json.dumps(manifest, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "it has halves of characters"
    return ""


_LARGEST_MANIFEST = 16 * 2**20


def _shape_problem(manifest: object) -> str:
    if not isinstance(manifest, dict):
        return "it is not a JSON object"
    api = manifest.get("api")
    if not isinstance(api, str) or [_is_number(part) for part in api.split(".")] != [True, True]:
        return "'api' must be a version such as \"1.0\""
    if not _is_named_list(manifest.get("variants")):
        return "'variants' must be a list of objects, each with a 'name'"
    for entry in manifest["variants"]:
        for key, (described, is_so) in _SHAPES.items():
            if key in entry and not is_so(entry[key]):
                return f"{key!r} of variant {entry['name']!r} must be {described}"
    components = manifest.get("components", {})
    if not isinstance(components, dict) or not all(map(_is_named_list, components.values())):
        return "'components' must hold lists of objects, each with a 'name'"
    return ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _is_object_of_objects(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())


def _each_is(right: Callable[[dict[str, Any]], bool], value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and right(each) for each in value)


def _is_claim(value: dict[str, Any]) -> bool:
    texts = ("name", "metric", "data", "better")
    runs = [run for run in (value.get("full"), value.get("small")) if run is not None]
    return (
        all(isinstance(value.get(key), str) for key in texts)
        and isinstance(value.get("value"), int | float)
        and all(map(_is_run, runs))
    )


def _is_run(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    tables = (value.get(key, {}) for key in ("components", "settings"))
    lengths = [value[key] for key in ("steps", "epochs") if value.get(key) is not None]
    return (
        all(isinstance(table, dict) for table in tables)
        and len(lengths) == 1
        and all(isinstance(number, int | float) for number in (*lengths, value.get("seeds", 1)))
    )


def _is_recipe(value: object) -> bool:
    if not isinstance(value, dict) or not _is_object_of_objects(value.get("networks", {})):
        return False
    return all(
        isinstance(part.get("component"), str) for part in value.get("networks", {}).values()
    )


# What `ganzoo list` and `ganzoo info` look into; the rest they only print.
_SHAPES: dict[str, tuple[str, Callable[[object], bool]]] = {
    "aliases": ("a list of names", partial(_is_list_of, str)),
    "paper": ("an object", lambda value: isinstance(value, dict)),
    "verbs": ("a list of names", partial(_is_list_of, str)),
    "recipe": ("an object with 'networks', each with a 'component'", _is_recipe),
    "image_sizes": ("a list", lambda value: value is None or isinstance(value, list)),
    "presets": ("an object of objects", _is_object_of_objects),
    "pretrained": ("a list of objects", partial(_is_list_of, dict)),
    "claims": (
        "a list of objects, each with a name, metric, data, value and runs",
        partial(_each_is, _is_claim),
    ),
}


def _is_named_list(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in value
    )


def _claimed_names(plugin: Plugin) -> set[str]:
    return {
        name
        for entry in plugin.manifest.get("variants", ())
        for name in (entry["name"], *entry.get("aliases", ()))
    }


def _others(claims: list[Plugin], plugin: Plugin) -> str:
    return ", ".join(sorted({p.distribution for p in claims if p != plugin}))


def _environment(plugins: tuple[Plugin, ...]) -> str:
    return "" if plugins else "an environment without plugins (pip install ganzoo-core[all])"


# A plugin whose import failed cannot be found out by reading. Whoever tries to import it notes the
# failure here, so that `ganzoo list` can show it; the note lapses when the plugin's files change.


def note_import(distribution: str, folder: str, failure: str) -> None:
    """Remember that importing a plugin failed, or with an empty `failure` that it succeeded."""
    path = _failures_path()
    notes = _read_failures()
    if failure == notes.get(distribution, {}).get("failure", ""):
        return
    notes.pop(distribution, None)
    if failure:
        notes[distribution] = {"stamp": _stamp(folder), "failure": failure}
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        partial = f"{path}.{os.getpid()}"
        with open(partial, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(notes, file)
        os.replace(partial, path)  # noqa: PTH105
    except OSError:
        pass  # A note is a convenience: a read-only home must not stop anything.


def _remembered_failure(distribution: str, folder: str) -> str:
    note = _read_failures().get(distribution)
    return str(note["failure"]) if note and note.get("stamp") == _stamp(folder) else ""


def _read_failures() -> dict[str, Any]:
    try:
        with open(_failures_path(), encoding="utf-8") as file:  # noqa: PTH123
            notes = json.load(file)
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _failures_path() -> str:
    return f"{cache_folder()}{os.sep}plugin-failures.json"


def _stamp(folder: str) -> list[list[Any]]:
    """Return names and times of the plugin's modules: they change when it is mended."""
    try:
        with os.scandir(folder) as found:
            return sorted(
                [item.name, item.stat().st_mtime_ns] for item in found if item.name.endswith(".py")
            )
    except OSError:
        return []
