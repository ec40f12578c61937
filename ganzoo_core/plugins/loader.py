"""Calling a plugin: its hooks, imported once, and a boundary around whatever goes wrong in them."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from ganzoo_core.errors import GanzooError, PluginError
from ganzoo_core.plugins import hookspecs
from ganzoo_core.plugins.installed import MANIFEST_NAME, Kind, Plugin, note_import
from ganzoo_core.plugins.schema import Manifest, check_manifest

if TYPE_CHECKING:
    from ganzoo_core.components import AuthorsWeights, Config

_loaded: dict[tuple[str, str], "Hooks"] = {}


class Hooks:
    """The hooks of one plugin, each call checked and its failures named after the plugin."""

    def __init__(self, plugin: Plugin, manifest: Manifest, manager: pluggy.PluginManager) -> None:
        self.plugin = plugin
        self.manifest = manifest
        self._manager = manager

    @property
    def implemented(self) -> list[str]:
        """Names of the hooks that the plugin implements."""
        callers = vars(self._manager.hook).items()
        return sorted(name for name, caller in callers if caller.get_hookimpls())

    def config(self, kind: Kind, component: str) -> type["Config"]:
        """Return the config model of a component."""
        from ganzoo_core.components.config import Config

        model: type[Config] | None = self._call("ganzoo_config", component=f"{kind}/{component}")
        if not (isinstance(model, type) and issubclass(model, Config)):
            raise self._wrong("ganzoo_config", f"{kind}/{component}", "a subclass of Config", model)
        return model

    def build(self, kind: Kind, component: str, config: "Config", **parts: Any) -> Any:
        """Return a network, loss or trainer, checked to be what its hook promises."""
        from ganzoo_core import components

        contract = getattr(components, kind.title().replace("_", ""))
        built = self._call(f"ganzoo_{kind}", component=component, config=config, **parts)
        if not isinstance(built, contract):
            raise self._wrong(f"ganzoo_{kind}", component, f"a {contract.__name__}", built)
        return built

    def read_checkpoint(self, variant: str, file: Path) -> "AuthorsWeights":
        """Return the authors' weights in `file`, read by the plugin."""
        from ganzoo_core.components import AuthorsWeights

        weights: object = self._call("ganzoo_read_checkpoint", variant=variant, file=file)
        if not isinstance(weights, AuthorsWeights):
            raise self._wrong("ganzoo_read_checkpoint", variant, "AuthorsWeights", weights)
        return weights

    def _call(self, hook: str, **arguments: Any) -> Any:
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except GanzooError:
            raise
        except (Exception, SystemExit) as error:
            subject = next(iter(arguments.values()))
            raise PluginError(
                f"the hook {hook} of {self.plugin.distribution} failed for {subject!r} "
                f"({_described(error)}); report it to the plugin's author"
            ) from error

    def _wrong(self, hook: str, subject: str, wanted: str, got: object) -> PluginError:
        found = "nothing" if got is None else f"an object of type {type(got).__name__}"
        return PluginError(
            f"the hook {hook} of {self.plugin.distribution} must return {wanted} "
            f"for {subject!r} and returned {found}; report it to the plugin's author"
        )


def load_plugin(plugin: Plugin) -> Hooks:
    """Import one plugin's hooks, after its manifest has been checked in full.

    Raises:
        PluginError: the plugin is left out, its manifest is malformed, its import fails, or a hook
            has another signature than the specification.
    """
    key = (plugin.distribution, plugin.module)
    if key in _loaded and _loaded[key].plugin == plugin:
        return _loaded[key]
    title = f"the plugin {plugin.distribution} {plugin.version}"
    if plugin.problem:
        raise PluginError(f"{title} is left out: {plugin.problem}")
    manifest = check_manifest(plugin.manifest, str(Path(plugin.folder, MANIFEST_NAME)))
    try:
        module = import_module(plugin.module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(plugin.module, None)
        failure = f"importing {plugin.module} failed ({_described(error)})"
        note_import(plugin.distribution, plugin.folder, failure)
        raise PluginError(
            f"{title} cannot be used: {failure}; reinstall it or report it to its author"
        ) from error
    note_import(plugin.distribution, plugin.folder, "")
    manager = pluggy.PluginManager(hookspecs.PROJECT_NAME)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, plugin.distribution)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        reason = " ".join(str(error).split())
        raise PluginError(f"{title} does not keep the hooks' signatures: {reason}") from None
    _loaded[key] = Hooks(plugin, manifest, manager)
    return _loaded[key]


def _described(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
