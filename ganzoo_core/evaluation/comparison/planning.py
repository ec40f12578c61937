"""Deciding, before anything is trained, who takes part on which terms.

All variants share the data, the image size, the batch, the evaluation and the budget; the networks
that were named are the same in every recipe that can take them, settings included. A variant that
cannot keeps its own, and the plan says why.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from ganzoo_core import zoo
from ganzoo_core.blueprint import Blueprint, Component, draw_up, recorded_components
from ganzoo_core.components.config import Config
from ganzoo_core.data import DataInfo, ImageData, inspect, open_images
from ganzoo_core.errors import (
    ConfigError,
    DataError,
    GanzooError,
    PluginError,
    RunError,
    UnknownNameError,
    UnsupportedError,
)
from ganzoo_core.evaluation.comparison.budget import Budget, parse_budget
from ganzoo_core.evaluation.comparison.records import Asked, Data, Entrant, Plan
from ganzoo_core.evaluation.evaluating import default_metrics, evaluate
from ganzoo_core.evaluation.features import default_features, find_features
from ganzoo_core.evaluation.measures import MEASURES
from ganzoo_core.model import Model
from ganzoo_core.plugins import Installed, Variant, load_plugin
from ganzoo_core.plugins.schema import VariantEntry
from ganzoo_core.settings import Settings, accepted, by_path, checked, distributed
from ganzoo_core.training.batches import ImageBatches
from ganzoo_core.training.clips import wants_clips
from ganzoo_core.training.engine import batch_size_of
from ganzoo_core.training.opening import check_data, with_epochs
from ganzoo_core.training.processes import Processes, find_device
from ganzoo_core.training.run import DataChoice, Logged, Observer
from ganzoo_core.training.settings import TrainingSettings

DECIDED = ("steps", "seed", "checkpoint_every")
"""Settings of training that --budget, --seeds and --evaluations decide."""

MOST_SEEDS, MOST_EVALUATIONS = 1000, 1000
_TRIED = 32
"""Images that each metric is tried on before the training: enough for all of them."""
_WARM_UP, _TIMED = 5, 20
"""Steps by which the speed is measured; the first are slower than all others."""
_MOST_STEPS_LOST = 1000
"""Checkpoints lie at most about this far apart, so that a run that is cut off loses little."""


def ask(
    installed: Installed,
    variants: Sequence[str],
    data: str,
    *,
    budget: str,
    seeds: int,
    components: Mapping[str, str],
    settings: Mapping[str, Any],
    preset: str | None,
    metrics: Sequence[str] | None,
    features: str | None,
    count: int,
    evaluations: int,
) -> Asked:
    """Check what a comparison is asked for, as far as names and numbers go.

    Raises:
        GanzooError: a name that nothing answers to, a variant given twice, or a number or a
            setting that cannot be.
    """
    found = [installed.variant(name) for name in variants]
    if not found:
        raise ConfigError("name the variants to compare, such as: ganzoo compare gan dcgan")
    full_names = [variant.full_name for variant in found]
    for number, name in enumerate(full_names):
        if name in full_names[:number]:
            raise ConfigError(f"{variants[number]!r} is given twice; name each variant once")
    for what, given, most in (
        ("seeds", seeds, MOST_SEEDS),
        ("evaluations", evaluations, MOST_EVALUATIONS),
    ):
        if not 1 <= given <= most:
            raise ConfigError(f"--{what} must be from 1 to {most}, not {given}")
    if metrics is not None:
        for key in metrics or [""]:
            if key not in MEASURES:
                raise UnknownNameError("metric", key, MEASURES)
    chosen: Settings = to_jsonable_python(by_path(settings))
    for path in chosen:
        if path.removeprefix("training.") in DECIDED:
            raise ConfigError(
                f"{path} cannot be set in a comparison; --budget, --seeds and --evaluations "
                "decide the steps, the seeds and the checkpoints"
            )
    entries = [_entry(variant) for variant in found]
    presets = {name for entry in entries for name in entry.presets}
    if preset is not None and preset not in presets:
        raise UnknownNameError("preset", preset, presets, "any of these variants")
    return Asked(
        variants=full_names,
        data=data,
        budget=str(parse_budget(budget)),
        seeds=seeds,
        components={
            role: _full_name(installed, entries, role, name) for role, name in components.items()
        },
        settings=chosen,
        preset=preset,
        metrics=None if metrics is None else list(dict.fromkeys(metrics)),
        features=features,
        count=count,
        evaluations=evaluations,
    )


def draw_up_plan(
    installed: Installed,
    asked: Asked,
    budget: Budget,
    *,
    data_root: Path | None,
    device: str,
    observer: Observer,
    versions: dict[str, str],
) -> Plan:
    """Decide everything about a comparison; nothing is trained but a trial, for a time budget.

    Raises:
        GanzooError: a setting that no variant has, a variant that cannot be built at all, or data
            or features that cannot be had.
    """
    variants = [installed.variant(name) for name in asked.variants]
    info = inspect(asked.data, root=data_root)
    terms = _terms(installed, asked, variants, info)
    recipes = [_recipe(installed, asked, variant, terms) for variant in variants]
    _check_settings(asked, recipes)
    first = recipes[0].blueprint.training
    batch = {"batch_size": first.batch_size, "accumulate": first.accumulate}
    data = open_images(
        asked.data,
        image_size=terms.shape["image_size"],
        channels=terms.shape["channels"],
        root=data_root,
        progress=observer.decoding,
    )
    for recipe in recipes:
        _check_data(recipe.blueprint, data, first)
    choice = DataChoice(asked.data, str(data_root) if data_root else None)
    names = _short_names(variants)
    measured = _metrics(asked, recipes, data, data_root, device, observer)
    entrants = []
    for name, recipe, metrics in zip(names, recipes, measured, strict=True):
        training = recipe.blueprint.training.model_copy(update=batch)
        blueprint = replace(recipe.blueprint, training=training)
        speed = None
        if budget.unit == "seconds":
            observer.noted(f"measuring the speed of {name}")
            speed = _seconds_per_step(name, blueprint, choice, device)
        steps = _steps(budget, blueprint, choice, info, speed)
        measure_every, checkpoint_every = _intervals(steps, asked.evaluations)
        terms_of_training = {"steps": steps, "checkpoint_every": checkpoint_every}
        training = training.model_copy(update=terms_of_training)
        recorded = replace(blueprint, training=training).to_json()
        plugin = recorded["plugin"]
        entrants.append(
            Entrant(
                name=name,
                variant=recorded["variant"],
                plugin=f"{plugin['distribution']} {plugin['version']}",
                components=recorded_components(recorded["components"]),
                settings=_recorded_settings(recorded),
                own=recipe.own,
                left_out=[*recipe.left_out, *metrics.left_out],
                metrics=metrics.keys,
                steps=steps,
                measure_every=measure_every,
                measured_speed=speed,
            )
        )
    return Plan(
        asked=asked,
        data=Data(
            fingerprint=data.fingerprint,
            count=len(data),
            image_size=data.image_size,
            channels=terms.shape["channels"],
        ),
        entrants=entrants,
        versions=versions,
    )


# Terms that all variants share


@dataclass(frozen=True)
class _Terms:
    """What all variants share."""

    shape: Settings
    """`image_size` and `channels`, and `classes` where the data have some."""
    training: Settings
    """Settings of training that the preset brings."""
    fixed: Mapping[str, Component]
    """The shared networks by role, with their settings."""


def _terms(
    installed: Installed, asked: Asked, variants: Sequence[Variant], info: DataInfo
) -> _Terms:
    entries = [_entry(variant) for variant in variants]
    preset: Settings = {}
    if asked.preset is not None:
        lender = next(entry for entry in entries if asked.preset in entry.presets)
        preset = lender.presets[asked.preset].settings
    shape: Settings = {"channels": info.channels}
    if info.classes:
        shape["classes"] = info.classes
    shape |= {key: preset[key] for key in ("image_size", "channels") if key in preset}
    shape |= {key: asked.settings[key] for key in shape.keys() & asked.settings.keys()}
    if "image_size" in asked.settings:
        shape["image_size"] = asked.settings["image_size"]
    if "image_size" not in shape:
        sizes = [entry.image_sizes for entry in entries]
        sizes += _sizes_of_components(installed, asked.components)
        shape["image_size"] = _common_size(sizes, info.image_size, asked.data)
    training = {
        path: value
        for path, value in preset.items()
        if path.removeprefix("training.") in TrainingSettings.model_fields
        and path.removeprefix("training.") not in DECIDED
    }
    fixed = {
        role: _fixed(installed, entries, role, name, (shape, preset, asked.settings))
        for role, name in asked.components.items()
    }
    return _Terms(shape, training, fixed)


def _common_size(sizes: Sequence[Sequence[int] | None], native: int | None, data: str) -> int:
    """Return the smallest size that all support and that loses no pixels, or their largest."""
    if native is None:
        raise ConfigError(f"the images of {data} have many sizes; say which with --image-size")
    limited = [set(its) for its in sizes if its is not None]
    if not limited:
        return native
    shared = set.intersection(*limited)
    if not shared:
        raise ConfigError(
            "these variants and networks have no image size in common; leave one of them out"
        )
    return min((size for size in shared if size >= native), default=max(shared))


def _sizes_of_components(
    installed: Installed, components: Mapping[str, str]
) -> list[list[int] | None]:
    """Return the image sizes of the variants that the shared networks were made for."""
    return [
        variant.entry.get("image_sizes")
        for role, name in components.items()
        for variant in installed.variants()
        if variant.entry["recipe"]["networks"].get(role, {}).get("component")
        in (name, name.removeprefix(f"{variant.plugin.distribution}/"))
    ]


def _fixed(
    installed: Installed,
    entries: Sequence[VariantEntry],
    role: str,
    name: str,
    layers: Sequence[Settings],
) -> Component:
    """Return a shared network with the settings that it has in every recipe."""
    kind = _kinds(entries)[role]
    plugin, its_name = installed.component(kind, name)
    hooks = load_plugin(plugin)
    models = {role: hooks.config(kind, its_name)}
    handed = [
        distributed({k: v for k, v in layer.items() if _applies(k, models)}, models)[role]
        for layer in layers
    ]
    return Component(kind, its_name, hooks, checked(role, models[role], *handed))


# One variant's recipe


@dataclass(frozen=True)
class _Recipe:
    """A variant that can be built, and what it does not share."""

    blueprint: Blueprint
    own: dict[str, str]
    unknown: tuple[str, ...]
    """Settings that it has no part for."""
    left_out: list[str]


def _recipe(installed: Installed, asked: Asked, variant: Variant, terms: _Terms) -> _Recipe:
    entry = _entry(variant)
    networks = entry.recipe.networks
    own = {role: "its recipe has none" for role in terms.fixed if role not in networks}
    able = [role for role in terms.fixed if role in networks]
    refusals: dict[frozenset[str], str] = {}
    for shared in _largest_first(able):
        blueprint, unknown = _drawn(installed, asked, variant, entry, terms, shared)
        try:
            blueprint.build_trainer(blueprint.build_networks(device="meta"))
        except GanzooError as error:
            refusals[shared] = str(error)
            continue
        # With each of these beside the shared ones it was tried, and refused.
        own |= {role: refusals[shared | {role}] for role in able if role not in shared}
        left_out = [f"the setting {path}" for path in unknown]
        if asked.preset is not None and asked.preset not in entry.presets:
            left_out.insert(0, f"the preset {asked.preset}, but for what all share")
        return _Recipe(blueprint, own, unknown, left_out)
    raise UnsupportedError(f"{entry.name} cannot be built: {refusals[frozenset()]}")


def _drawn(
    installed: Installed,
    asked: Asked,
    variant: Variant,
    entry: VariantEntry,
    terms: _Terms,
    shared: frozenset[str],
) -> tuple[Blueprint, tuple[str, ...]]:
    """Return the blueprint with these shared networks, and the settings that it has no part for."""
    components = {role: terms.fixed[role].full_name for role in shared}
    preset = asked.preset if asked.preset in entry.presets else None

    def drawn(settings: Settings) -> Blueprint:
        try:
            return draw_up(
                installed,
                variant.full_name,
                settings,
                components=components,
                preset=preset,
                shape=terms.shape,
            )
        except ConfigError as error:
            raise ConfigError(f"{entry.name} cannot take part: {error}") from None

    models = _models(drawn({}))
    its = {path: value for path, value in asked.settings.items() if _applies(path, models)}
    # Which parts are told the number of classes is decided where blueprints are drawn up.
    size = {key: value for key, value in terms.shape.items() if key != "classes"}
    blueprint = drawn(accepted(size, models) | terms.training | its)
    networks = {
        role: terms.fixed[role] if role in shared else part
        for role, part in blueprint.networks.items()
    }
    unknown = tuple(path for path in asked.settings if path not in its)
    return replace(blueprint, networks=networks), unknown


def _check_settings(asked: Asked, recipes: Sequence[_Recipe]) -> None:
    """Refuse a setting that no variant has a part for."""
    for path in asked.settings:
        if all(path in recipe.unknown for recipe in recipes):
            known = {
                f"{part}.{name}"
                for recipe in recipes
                for part, model in _models(recipe.blueprint).items()
                for name in model.model_fields
            }
            raise UnknownNameError("setting", path, known)


def _models(blueprint: Blueprint) -> dict[str, type[Config]]:
    parts = {**blueprint.networks, **blueprint.regularizers, "trainer": blueprint.trainer}
    if blueprint.loss:
        parts["loss"] = blueprint.loss
    configs = {part: type(component.config) for part, component in parts.items()}
    return {**configs, "training": TrainingSettings}


def _applies(path: str, models: Mapping[str, type[Config]]) -> bool:
    part, dot, rest = path.partition(".")
    if dot and part in models:
        return rest.partition(".")[0] in models[part].model_fields
    return any(part in model.model_fields for model in models.values())


def _largest_first(roles: Sequence[str]) -> list[frozenset[str]]:
    return [
        frozenset(chosen)
        for size in range(len(roles), -1, -1)
        for chosen in combinations(roles, size)
    ]


def _check_data(blueprint: Blueprint, data: ImageData, settings: TrainingSettings) -> None:
    """Refuse data that a variant cannot learn from, such as unlabelled ones or too few."""
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    if wants_clips(trainer):
        raise DataError(
            f"{blueprint.entry.name} learns from videos, and {data.name} is taken as single images "
            "here; train it by itself, with: ganzoo train"
        )
    check_data(trainer, data, blueprint.entry.name)
    alone = Processes("cpu")
    largest = max(batch_size_of(stage, settings) for stage in trainer.stages())
    ImageBatches(data, largest, 0, alone, labelled=trainer.labelled, other=trainer.other)


# Metrics


@dataclass(frozen=True)
class _Metrics:
    keys: list[str]
    left_out: list[str]


def _metrics(
    asked: Asked,
    recipes: Sequence[_Recipe],
    data: ImageData,
    data_root: Path | None,
    device: str,
    observer: Observer,
) -> list[_Metrics]:
    """Try each variant's metrics on a few images of fresh weights, and leave out what is refused.

    Raises:
        GanzooError: a metric is refused for all variants, or features cannot be had.
    """
    observer.noted("trying the metrics")
    refusals: dict[str, list[GanzooError]] = {}
    tried = []
    for recipe in recipes:
        model = Model(recipe.blueprint, recipe.blueprint.build_networks()).to(find_device(device))
        keys, left_out = [], []
        for key in _wanted(asked, model, data):
            try:
                evaluate(
                    model,
                    asked.data,
                    metrics=[key],
                    features=asked.features,
                    count=min(asked.count, _TRIED),
                    data_root=data_root,
                    write=False,
                )
            except (DataError, UnsupportedError) as error:
                refusals.setdefault(key, []).append(error)
                left_out.append(f"the metric {key}")
            else:
                keys.append(key)
        tried.append(_Metrics(keys, left_out))
    for errors in refusals.values():
        if len(errors) == len(recipes) or asked.metrics is None:
            raise errors[0]
    for recipe, metrics in zip(recipes, tried, strict=True):
        if not metrics.keys:
            raise UnsupportedError(
                f"{recipe.blueprint.entry.name} can be measured by none of --metrics "
                f"{','.join(asked.metrics or ())}; add one for it, or leave it out"
            )
    return tried


def _wanted(asked: Asked, model: Model, data: ImageData) -> Sequence[str]:
    if asked.metrics is not None:
        return asked.metrics
    features = None
    if "sample" in model.verbs:
        name = asked.features or default_features(asked.data, data.images.shape[-1])
        features = find_features(name, model.device)
    return default_metrics(model, data, features)


# The budget


def _steps(
    budget: Budget, blueprint: Blueprint, choice: DataChoice, info: DataInfo, speed: float | None
) -> int:
    if budget.unit == "epochs":
        return with_epochs(blueprint, choice, budget.amount, info).training.steps
    if speed is None:
        return int(budget.amount)
    return min(max(1, int(budget.amount / speed)), 10**9)


def _intervals(steps: int, evaluations: int) -> tuple[int, int]:
    """Return the steps between measurements, and between checkpoints, one at each measurement."""
    measure_every = math.ceil(steps / evaluations)
    parts = math.ceil(measure_every / _MOST_STEPS_LOST)
    checkpoint_every = math.ceil(measure_every / parts)
    return parts * checkpoint_every, checkpoint_every


class _Stopwatch(Observer):
    def __init__(self) -> None:
        self.seconds: dict[int, float] = {}

    def logged(self, line: Logged) -> None:
        self.seconds[line.step] = line.seconds


def _seconds_per_step(name: str, blueprint: Blueprint, choice: DataChoice, device: str) -> float:
    """Measure a variant's speed by training it for a few steps, all its stages in miniature."""
    last = _WARM_UP + _TIMED
    recorded = blueprint.to_json()
    trial = {"steps": last, "log_every": _WARM_UP, "sample_every": 0, "checkpoint_every": 0}
    watch = _Stopwatch()
    with tempfile.TemporaryDirectory(prefix="ganzoo-trial-") as folder:
        try:
            zoo.train(
                blueprint.variant.full_name,
                choice.source,
                out=Path(folder, "run"),
                components=recorded_components(recorded["components"]),
                settings=_recorded_settings(recorded)
                | {f"training.{key}": value for key, value in trial.items()},
                data_root=choice.root,
                device=device,
                observer=watch,
            )
        except RunError as error:
            raise RunError(f"the speed of {name} cannot be measured: {error}") from None
        except GanzooError:
            raise
        except Exception as error:
            raise PluginError(
                f"the speed of {name} cannot be measured ({type(error).__name__}: {error}); "
                "report it to the plugin's author, and leave it out"
            ) from error
    return max((watch.seconds[last] - watch.seconds[_WARM_UP]) / _TIMED, 1e-9)


# Names


def _entry(variant: Variant) -> VariantEntry:
    manifest = load_plugin(variant.plugin).manifest
    return next(entry for entry in manifest.variants if entry.name == variant.name)


def _kinds(entries: Sequence[VariantEntry]) -> dict[str, Any]:
    """Return the kind of network that each role of any recipe is."""
    return {
        role: part.kind
        for entry in reversed(entries)
        for role, part in entry.recipe.networks.items()
    }


def _full_name(installed: Installed, entries: Sequence[VariantEntry], role: str, name: str) -> str:
    kinds = _kinds(entries)
    if role not in kinds:
        raise UnknownNameError("network", role, kinds, "any recipe of these variants")
    plugin, its_name = installed.component(kinds[role], name)
    return f"{plugin.distribution}/{its_name}"


def _short_names(variants: Sequence[Variant]) -> list[str]:
    short = [variant.name for variant in variants]
    return [
        variant.name if short.count(variant.name) == 1 else variant.full_name
        for variant in variants
    ]


def _recorded_settings(blueprint: Mapping[str, Any]) -> Settings:
    configs = {part: its["config"] for part, its in blueprint["components"].items()}
    return by_path(configs | {"training": blueprint["training"]})
