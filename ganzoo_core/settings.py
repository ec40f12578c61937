"""Settings by dotted path: written on a command line or in a file, merged, and checked.

A dotted path names one part's setting (`generator.width`); an undotted one sets it in every part
that has it (`image_size`, `latent_size`), since a name means the same everywhere.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ganzoo_core.components.config import Config
from ganzoo_core.errors import ConfigError, UnknownNameError

Settings = dict[str, Any]


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
    """Read settings from a TOML, JSON or YAML file; nested tables become dotted paths.

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
    return flattened(content)


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


def flattened(nested: Mapping[str, Any], prefix: str = "") -> Settings:
    """Return nested tables as dotted paths: {"a": {"b": 1}} → {"a.b": 1}."""
    flat: Settings = {}
    for key, value in nested.items():
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def distributed(settings: Settings, models: Mapping[str, type[Config]]) -> dict[str, Settings]:
    """Hand each setting to the parts that it is for.

    Raises:
        UnknownNameError: no part has such a setting; the message suggests the nearest path.
    """
    handed: dict[str, Settings] = {part: {} for part in models}
    for path, value in settings.items():
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


def checked(part: str, model: type[Config], overrides: Settings) -> Config:
    """Return a part's config with `overrides` over its defaults.

    Raises:
        ConfigError: a value that the setting cannot have, with its dotted path.
        UnknownNameError: a setting that the part does not have.
    """
    try:
        return model.model_validate(merged(model().model_dump(), overrides))
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
        inner = settings.setdefault(table, {})
        if not isinstance(inner, dict):
            inner = settings[table] = {}
        settings = inner
    settings[last] = value


def merged(base: Any, overrides: Any) -> Any:
    """Lay overrides over defaults; a table that changes its `name` is another kind: start anew."""
    if not isinstance(base, dict) or not isinstance(overrides, dict):
        return overrides
    if "name" in base and overrides.get("name", base["name"]) != base["name"]:
        return overrides
    return base | {key: merged(base.get(key), value) for key, value in overrides.items()}


def _paths(models: Mapping[str, type[Config]]) -> Iterable[str]:
    for part, model in models.items():
        for name in model.model_fields:
            yield f"{part}.{name}"
