"""Settings by dotted path: written on a command line or in a file, merged, and checked.

A dotted path names one part's setting (`generator.width`); an undotted one sets it in every part
that has it (`image_size`, `latent_size`), since a name means the same everywhere.

A table of settings, such as an optimiser's, is merged: what is not named stays. A setting whose
value is a mapping, such as the batch sizes of resolutions, is replaced where it is given whole
(`trainer.batch_sizes={"8": 6}`) and changes in one entry where that is named
(`trainer.batch_sizes.8=6`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ganzoo_core.components.config import Config
from ganzoo_core.errors import ConfigError, UnknownNameError

Settings = dict[str, Any]


class Table(dict[str, Any]):
    """Settings by name, of which others may be set too; any other mapping is a value."""


def parse_assignment(text: str) -> tuple[str, Any]:
    """Split `key=value`; the value is read as JSON where it is JSON, and as text otherwise.

    Raises:
        ConfigError: there is no `=` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set takes key=value, such as generator.width=32, and got {text!r}")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value


def read_settings_file(path: Path) -> Settings:
    """Read settings from a TOML, JSON or YAML file, whose tables are those of parts.

    Raises:
        ConfigError: the file is missing, malformed, or not a table.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"the settings file {path} cannot be read: {reason}") from None
    try:
        content = _parsed(text, path.suffix.lower())
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"the settings file {path} is malformed: {reason}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"the settings file {path} must hold a table of settings at its top")
    return content


def _parsed(text: str, suffix: str) -> Any:
    if suffix == ".json":
        return json.loads(text)
    if suffix in (".yaml", ".yml"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from None
    import tomllib

    return tomllib.loads(text)


def by_path(nested: Mapping[str, Any]) -> Settings:
    """Return settings that stand in tables of parts by their paths; what lies deeper stays whole.

    {"generator": {"width": 1}} → {"generator.width": 1}
    """
    paths: Settings = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            paths |= {f"{key}.{name}": its for name, its in value.items()}
        else:
            paths[key] = value
    return paths


def flattened(nested: Mapping[str, Any], prefix: str = "") -> Settings:
    """Return all that is nested by dotted paths, to be shown: {"a": {"b": 1}} → {"a.b": 1}."""
    flat: Settings = {}
    for key, value in nested.items():
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if isinstance(value, Mapping) and value:
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def distributed(settings: Settings, models: Mapping[str, type[Config]]) -> dict[str, Settings]:
    """Hand each setting to the parts that it is for.

    Args:
        settings: by dotted path, or in a table under the name of a part.
        models: the config of each part.

    Raises:
        UnknownNameError: no part has such a setting; the message suggests the nearest path.
    """
    handed: dict[str, Settings] = {part: Table() for part in models}
    for path, value in settings.items():
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if path in models and isinstance(value, Mapping):
            for name, its in value.items():
                _insert(handed[path], name, its)
            continue
        part, dot, rest = path.partition(".")
        if dot and part in models:
            _insert(handed[part], rest, value)
            continue
        takers = [name for name, model in models.items() if part in model.model_fields]
        if not takers:
            raise UnknownNameError("setting", path, _paths(models))
        for taker in takers:
            _insert(handed[taker], path, value)
    return handed


def accepted(settings: Settings, models: Mapping[str, type[Config]]) -> Settings:
    """Return those undotted settings that at least one part has."""
    return {
        key: value
        for key, value in settings.items()
        if any(key in model.model_fields for model in models.values())
    }


def checked(part: str, model: type[Config], *layers: Settings) -> Config:
    """Return a part's config with layers of settings over its defaults, the last one on top.

    Raises:
        ConfigError: a value that the setting cannot have, with its dotted path.
        UnknownNameError: a setting that the part does not have.
    """
    values = _table(model())
    for layer in layers:
        values = _merged(values, Table(layer))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join((part, *(str(place) for place in first["loc"])))
        if first["type"] == "extra_forbidden":
            raise UnknownNameError("setting", path, _paths({part: model})) from None
        said = first["msg"].removeprefix("Value error, ")
        given = repr(first["input"])
        shown = given if len(given) <= 60 else given[:57] + "…"
        raise ConfigError(f"{path} cannot be {shown}: {said[0].lower()}{said[1:]}") from None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return one line `path: old → new` for each setting that differs."""
    old, new = flattened(before), flattened(after)
    return [
        f"{path}: {json.dumps(old.get(path))} → {json.dumps(new.get(path))}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def _insert(settings: Settings, path: str, value: Any) -> None:
    *tables, last = path.split(".")
    for table in tables:
        inner = settings.get(table)
        # A copy, since a mapping that was given whole is its giver's.
        settings[table] = type(inner)(inner) if isinstance(inner, dict) else Table()
        settings = settings[table]
    settings[last] = value


def _table(config: BaseModel) -> Table:
    """Return a config's values, its inner configs as tables too."""
    values = Table(config.model_dump())
    for name in type(config).model_fields:
        inner = getattr(config, name)
        if isinstance(inner, BaseModel):
            values[name] = _table(inner)
    return values


def _merged(base: Any, over: Any) -> Any:
    """Lay one value over another.

    A table that changes its `name` is another kind and starts anew, and a mapping that is given
    whole replaces the one before.
    """
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if not isinstance(base, Table) and not isinstance(over, Table):
        return over
    if "name" in base and over.get("name", base["name"]) != base["name"]:
        return Table(over)
    return type(base)(base | {key: _merged(base.get(key), value) for key, value in over.items()})


def _paths(models: Mapping[str, type[Config]]) -> Iterable[str]:
    for part, model in models.items():
        for name in model.model_fields:
            yield f"{part}.{name}"
