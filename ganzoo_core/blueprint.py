"""A variant's recipe with every component found and every setting decided, ready to be built."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from ganzoo_core.components.config import Config
from ganzoo_core.errors import ConfigError, PluginError, UnknownNameError
from ganzoo_core.plugins import API_VERSION, Hooks, Installed, Kind, Variant, load_plugin
from ganzoo_core.plugins.schema import Recipe, VariantEntry
from ganzoo_core.settings import Settings, accepted, by_path, checked, distributed
from ganzoo_core.training.settings import TrainingSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ganzoo_core.components import Loss, Regularizer, Trainer

SCHEMA_VERSION = 1
NONE = "none"
"""What stands for no regulariser where one could be named."""


@dataclass(frozen=True)
class Component:
    """A named component, the hooks that build it, and its config."""

    kind: Kind
    name: str
    hooks: Hooks
    config: Config

    @property
    def full_name(self) -> str:
        """Name with its distribution, such as `ganzoo-plugin-dcgan/dcgan`."""
        return f"{self.hooks.plugin.distribution}/{self.name}"


@dataclass(frozen=True)
class Given:
    """Where a network comes from that learns nothing, since it was given with its weights."""

    model: str
    """Name of the model, without the folders of the machine that it lay on."""
    sha256: str
    """Of the weights."""
    component: str
    """Full name."""
    config: Config


@dataclass(frozen=True)
class Blueprint:
    """What `ganzoo train … --dry-run` prints and a run or a model remembers."""

    variant: Variant
    entry: VariantEntry
    networks: Mapping[str, Component]
    loss: Component | None
    regularizers: Mapping[str, Component]
    """By their own names, under which they are set."""
    trainer: Component
    training: TrainingSettings
    given: Mapping[str, Given] = field(default_factory=dict)
    """By role."""

    @property
    def kept_roles(self) -> list[str]:
        """Roles of the networks that a trained model keeps."""
        return list(dict.fromkeys((*self.entry.recipe.inference, *self.training.keep)))

    def to_json(self) -> dict[str, Any]:
        """Return the blueprint as pure data, from which `restore` makes it again."""
        parts = {**self.networks, **self.regularizers, "trainer": self.trainer}
        if self.loss:
            parts["loss"] = self.loss
        return {
            "schema": SCHEMA_VERSION,
            "variant": self.variant.full_name,
            "plugin": {
                "distribution": self.variant.plugin.distribution,
                "version": self.variant.plugin.version,
                "api": ".".join(map(str, API_VERSION)),
            },
            "components": {
                role: {
                    "kind": part.kind,
                    "component": part.full_name,
                    "config": part.config.model_dump(mode="json"),
                }
                for role, part in parts.items()
            },
            "inference": list(self.entry.recipe.inference),
            "training": self.training.model_dump(mode="json"),
            **({"given": self._given_json()} if self.given else {}),
        }

    def _given_json(self) -> dict[str, Any]:
        return {
            role: {"model": its.model, "sha256": its.sha256} for role, its in self.given.items()
        }

    def build_networks(
        self, roles: list[str] | None = None, *, device: "torch.device | str" = "cpu"
    ) -> dict[str, "nn.Module"]:
        """Build the networks, initialised from the training seed; on "meta" without any memory.

        PyTorch's global random state is left as it was.
        """
        import torch

        from ganzoo_core.components import mixed_seed
        from ganzoo_core.nn.meta import without_initialisation

        built: dict[str, nn.Module] = {}
        no_draws = without_initialisation() if str(device) == "meta" else nullcontext()
        with torch.random.fork_rng(devices=[]), torch.device(device), no_draws:
            for number, (role, part) in enumerate(self.networks.items()):
                if roles is not None and role not in roles:
                    continue
                # Each network has a seed of its own, so that exchanging one leaves the others.
                torch.default_generator.manual_seed(mixed_seed(self.training.seed, number))
                built[role] = part.hooks.build(part.kind, part.name, part.config)
        return built

    def build_trainer(self, networks: Mapping[str, "nn.Module"]) -> "Trainer":
        """Build the loss and the trainer over `networks`."""
        from ganzoo_core.components import Parts

        loss: Loss | None = None
        if self.loss:
            loss = self.loss.hooks.build("loss", self.loss.name, self.loss.config)
        regularizers: list[Regularizer] = [
            part.hooks.build("regularizer", part.name, part.config)
            for part in self.regularizers.values()
        ]
        trainer: Trainer = self.trainer.hooks.build(
            "trainer",
            self.trainer.name,
            self.trainer.config,
            parts=Parts(networks, loss, regularizers, tuple(self.given)),
        )
        return trainer


def draw_up(
    installed: Installed,
    name: str,
    settings: Settings,
    *,
    components: Mapping[str, str] | None = None,
    preset: str | None = None,
    shape: Settings | None = None,
    given: Mapping[str, Given] | None = None,
) -> Blueprint:
    """Decide a variant's components and settings.

    Args:
        installed: the plugins to choose from.
        name: of the variant.
        settings: what the user set, by dotted path; it wins over everything else.
        components: components to use instead of the recipe's, by role, `loss`, `regularizer`
            (several with commas between, or `none`) or `trainer`.
        preset: name of one of the variant's presets.
        shape: `image_size`, `channels` and `classes` of the data, for the parts that have them, but
            for what the variant's defaults set.
        given: networks by role that keep their settings, which others agree with.

    Raises:
        GanzooError: an unknown name, a value that a setting cannot have, or a broken plugin.
    """
    variant = installed.variant(name)
    entry = _entry(variant)
    given = given or {}
    components = {**(components or {}), **_given_components(given, components or {})}
    chosen, arguments = _chosen(installed, entry, dict(components))
    models = {part: hooks.config(kind, its) for part, (kind, its, hooks) in chosen.items()}
    models_and_training: dict[str, type[Config]] = {**models, "training": TrainingSettings}
    if preset is not None and preset not in entry.presets:
        raise UnknownNameError("preset", preset, entry.presets, f"variant {entry.name!r}")
    exchanged = set(components)
    absent = {
        short
        for short in (name.rpartition("/")[2] for name in entry.recipe.regularizers)
        if short not in chosen
    }
    layers = (
        _applicable(entry.defaults, models_and_training, exchanged, absent),
        _told(
            accepted({k: v for k, v in (shape or {}).items() if k not in entry.defaults}, models),
            models,
            chosen,
            entry,
        ),
        _applicable(entry.presets[preset].settings, models_and_training, exchanged, absent)
        if preset
        else {},
        accepted(_agreed(given), models),
        by_path({role: its.config.model_dump() for role, its in given.items()}),
        arguments,
        settings,
    )
    handed = [distributed(layer, models_and_training) for layer in layers]
    configs = {
        part: checked(part, model, *(its[part] for its in handed))
        for part, model in models_and_training.items()
    }
    training = configs.pop("training")
    assert isinstance(training, TrainingSettings)
    for role, its in given.items():
        _check_kept(role, its, configs[role])
    unknown = [role for role in training.keep if role not in entry.recipe.networks]
    if unknown:
        raise ConfigError(
            f"training.keep cannot be {unknown[0]!r}: the networks of {entry.name} are "
            f"{', '.join(entry.recipe.networks)}"
        )
    parts = {
        part: Component(kind, its, hooks, configs[part])
        for part, (kind, its, hooks) in chosen.items()
    }
    return Blueprint(
        variant=variant,
        entry=entry,
        networks={role: parts[role] for role in entry.recipe.networks},
        loss=parts.get("loss"),
        regularizers={name: its for name, its in parts.items() if its.kind == "regularizer"},
        trainer=parts["trainer"],
        training=training,
        given=given,
    )


def _given_components(given: Mapping[str, Given], asked: Mapping[str, str]) -> dict[str, str]:
    for role, its in given.items():
        if asked.get(role, its.component) != its.component:
            raise ConfigError(
                f"the {role} is that of {its.model}, {its.component}; leave --{role} out"
            )
    return {role: its.component for role, its in given.items()}


def _agreed(given: Mapping[str, Given]) -> Settings:
    """Return the settings of given networks that other parts take over."""
    agreed: Settings = {}
    of: dict[str, str] = {}
    for role, its in given.items():
        for name in sorted(its.config.agreed & type(its.config).model_fields.keys()):
            value = getattr(its.config, name)
            if agreed.setdefault(name, value) != value:
                raise ConfigError(
                    f"the {of[name]} has {name} {agreed[name]} and the {role} of {its.model} has "
                    f"{value}; give networks that fit each other"
                )
            of.setdefault(name, f"{role} of {its.model}")
    return agreed


def _check_kept(role: str, given: Given, config: Config) -> None:
    """Check that nothing was set of a given network but what it has.

    Raises:
        ConfigError: something was.
    """
    kept, asked = given.config.model_dump(), config.model_dump()
    for name, value in asked.items():
        if value != kept[name]:
            raise ConfigError(
                f"{role}.{name} is {kept[name]} in {given.model} and cannot be {value}; leave the "
                "setting out, or set it of the other parts alone"
            )


def restore(installed: Installed, data: object, where: str) -> Blueprint:
    """Make a blueprint again from what `Blueprint.to_json` returned.

    Raises:
        ConfigError: the data are not a blueprint, or one of a later ganzoo.
        GanzooError: a plugin that it needs is missing or broken.
    """
    if isinstance(data, dict) and data.get("schema", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise ConfigError(
            f"{where} has the schema version {data['schema']!r} and this ganzoo reads "
            f"{SCHEMA_VERSION}; upgrade ganzoo-core"
        )
    try:
        stored = _Stored.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or "its top"
        raise ConfigError(
            f"{where} is not a description of a ganzoo model ({path}: {first['msg'].lower()})"
        ) from None
    names = {part: component.component for part, component in stored.components.items()}
    configs = {part: component.config for part, component in stored.components.items()}
    _check_installed(installed, [stored.variant, *names.values()], where)
    settings = by_path(configs | {"training": stored.training})
    components = recorded_components(stored.model_dump()["components"])
    blueprint = draw_up(installed, stored.variant, settings, components=components)
    given = {
        role: Given(its.model, its.sha256, part.full_name, part.config)
        for role, its in stored.given.items()
        if (part := blueprint.networks.get(role))
    }
    return replace(blueprint, given=given)


def built_component(kind: Kind, name: str, shape: Settings) -> Any:
    """Build one component by name, outside of any recipe, such as `hub:NAME` of the rerankers.

    Args:
        kind: of the component.
        name: with its argument after a colon, where it takes one.
        shape: settings that it is given as far as it has them.

    Raises:
        GanzooError: an unknown name, a value that it cannot have, or a broken plugin.
    """
    from ganzoo_core.plugins import read_installed

    name, colon, argument = name.partition(":")
    plugin, its_name = read_installed().component(kind, name)
    hooks = load_plugin(plugin)
    settings = accepted(shape, {kind: hooks.config(kind, its_name)})
    if colon:
        settings |= _argument(hooks, kind, its_name, argument)
    return hooks.build(kind, its_name, checked(kind, hooks.config(kind, its_name), settings))


def _argument(hooks: Hooks, kind: Kind, name: str, value: str) -> Settings:
    """Return the setting that follows a component's name after a colon."""
    entries = hooks.manifest.components.of(kind)
    setting = next(entry.argument for entry in entries if entry.name == name)
    if not setting:
        raise ConfigError(f"the {kind} {name} takes nothing after a colon; leave it out")
    return {setting: value}


def recorded_components(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what `draw_up` takes as components from those of a blueprint in JSON."""
    regularizers = [its["component"] for its in parts.values() if its["kind"] == "regularizer"]
    others = {p: its["component"] for p, its in parts.items() if its["kind"] != "regularizer"}
    # Said even where there are none, since the recipe may have some; not where there is no loss.
    return others | ({"regularizer": ",".join(regularizers) or NONE} if "loss" in parts else {})


class _StoredComponent(BaseModel):
    kind: str
    component: str
    config: dict[str, Any]


class _StoredGiven(BaseModel):
    model: str
    sha256: str


class _Stored(BaseModel):
    """What `Blueprint.to_json` wrote; anything more is ignored."""

    schema_version: Literal[1] = Field(alias="schema")
    variant: str
    components: dict[str, _StoredComponent]
    training: dict[str, Any] = {}
    given: dict[str, _StoredGiven] = {}


def _check_installed(installed: Installed, names: Sequence[str], where: str) -> None:
    """Say which plugin is missing, rather than that one of its names is unknown."""
    present = {plugin.distribution for plugin in installed.plugins}
    for name in names:
        distribution = name.partition("/")[0]
        if "/" in name and distribution not in present:
            raise PluginError(
                f"{where} needs the plugin {distribution}, which is not installed; "
                f"if you trust its author, install it with: ganzoo install {distribution}"
            )


def image_shape_of(blueprint: Blueprint) -> tuple[int, int]:
    """Return side length and channels of the images that the networks work on.

    Raises:
        ConfigError: no network has such settings.
    """
    for part in blueprint.networks.values():
        size = getattr(part.config, "image_size", None)
        channels = getattr(part.config, "channels", None)
        if size and channels:
            return size, channels
    raise ConfigError(
        f"no network of {blueprint.entry.name} has the settings image_size and channels"
    )


def fitting_image_size(entry: VariantEntry, native: int | None) -> int | None:
    """Return the smallest size the variant supports that does not lose pixels, or its largest."""
    if native is None or entry.image_sizes is None:
        return native
    return min(
        (size for size in entry.image_sizes if size >= native), default=max(entry.image_sizes)
    )


def _entry(variant: Variant) -> VariantEntry:
    manifest = load_plugin(variant.plugin).manifest
    return next(entry for entry in manifest.variants if entry.name == variant.name)


def _chosen(
    installed: Installed, entry: VariantEntry, components: dict[str, str]
) -> tuple[dict[str, tuple[Kind, str, Hooks]], Settings]:
    """Return the components by part, and the settings that follow their names after a colon."""
    recipe = entry.recipe
    wanted: dict[str, tuple[Kind, str]] = {
        role: (part.kind, components.pop(role, part.component))
        for role, part in recipe.networks.items()
    }
    if recipe.loss:
        wanted["loss"] = ("loss", components.pop("loss", recipe.loss))
        wanted |= _regularizers(recipe, components.pop("regularizer", None), wanted)
    wanted["trainer"] = ("trainer", components.pop("trainer", recipe.trainer))
    for part in components:
        raise UnknownNameError("part", part, wanted, f"the recipe of {entry.name!r}")
    chosen: dict[str, tuple[Kind, str, Hooks]] = {}
    arguments: dict[str, Any] = {}
    for part, (kind, name) in wanted.items():
        name, colon, argument = name.partition(":")
        plugin, its_name = installed.component(kind, name)
        hooks = load_plugin(plugin)
        chosen[part] = (kind, its_name, hooks)
        if colon:
            its = _argument(hooks, kind, its_name, argument)
            arguments |= {f"{part}.{setting}": value for setting, value in its.items()}
    return chosen, arguments


def _told(
    shape: Settings,
    models: Mapping[str, type[Config]],
    chosen: Mapping[str, tuple[Kind, str, Hooks]],
    entry: VariantEntry,
) -> Settings:
    """Keep the number of classes from encoders of variants that do not classify."""
    if "classes" not in shape or "classify" in entry.verbs:
        return shape
    classes = {
        f"{part}.classes": shape["classes"]
        for part, (kind, _, _) in chosen.items()
        if kind != "encoder" and "classes" in models[part].model_fields
    }
    return {name: value for name, value in shape.items() if name != "classes"} | classes


def _regularizers(
    recipe: Recipe, asked: str | None, others: Mapping[str, object]
) -> dict[str, tuple[Kind, str]]:
    """Return the regularisers by the names that they are set under."""
    names = recipe.regularizers
    if asked is not None:
        names = [] if asked == NONE else [name.strip() for name in asked.split(",")]
    found: dict[str, tuple[Kind, str]] = {}
    for name in names:
        part = name.rpartition("/")[2]
        if part in found or part in others or part in ("trainer", "training"):
            raise ConfigError(
                f"two parts of this recipe are called {part!r}; leave one of them out"
            )
        found[part] = ("regularizer", name)
    return found


def _applicable(
    settings: Settings,
    models: Mapping[str, type[Config]],
    exchanged: set[str],
    absent: set[str],
) -> Settings:
    """Leave out what a manifest sets for a component that the user has exchanged or removed."""
    kept = {}
    for path, value in settings.items():
        part, dot, rest = path.partition(".")
        if part in absent:
            continue
        if dot and part in exchanged and rest.partition(".")[0] not in models[part].model_fields:
            continue
        if not dot and exchanged and not accepted({path: value}, models):
            continue
        kept[path] = value
    return kept
