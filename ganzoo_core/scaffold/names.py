"""What a new variant can be called."""

import keyword
import re
import sys
import unicodedata
from collections.abc import Iterator

from ganzoo_core.errors import ConfigError
from ganzoo_core.plugins import KINDS, read_installed
from ganzoo_core.registry.reading import read_registry, variant_names

LONGEST = 40
"""Characters; longer names would not fit into the lines of the templates."""


def check_name(name: str, kind: str) -> None:
    """See that a variant of this name can be written and that nobody has the name.

    Raises:
        ConfigError: it is malformed, or it means something else already.
    """
    if len(name) > LONGEST:
        raise ConfigError(
            f"a variant's name can have {LONGEST} characters and this one has {len(name)}; "
            f"choose a shorter one, such as {proposed(name)!r}"
        )
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        proposal = proposed(name)
        hint = f", such as {proposal!r}" if proposal else ""
        raise ConfigError(
            f"a variant cannot be called {name!r}: a name is words of small letters and digits, "
            f"joined by single hyphens and beginning with a letter{hint}"
        )
    identifier = name.replace("-", "_")
    if keyword.iskeyword(identifier) or identifier in sys.stdlib_module_names:
        what = "a word" if keyword.iskeyword(identifier) else "a standard module"
        raise ConfigError(
            f"{name!r} is already {what} of Python; choose another name, such as '{name}-{kind}'"
        )
    for distribution, names in _names_in_use():
        if name in names or f"ganzoo-plugin-{name}" == distribution:
            raise ConfigError(
                f"{name!r} is already a name of the plugin {distribution}; choose another name, "
                f"such as 'my-{name}'"
            )


def proposed(name: str) -> str:
    """Return the valid name that is nearest to `name`; empty where there is none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    # A class cannot be called 3dGan: digits go to the end.
    words.sort(key=lambda word: word[0].isdecimal())
    if words and words[0][0].isdecimal():
        words.insert(0, "gan")
    return "-".join(words)[:LONGEST].strip("-")


def _names_in_use() -> Iterator[tuple[str, set[str]]]:
    """Yield every plugin that is listed or installed, with the names that it owns."""
    for entry in read_registry().plugins:
        yield entry["name"], set(variant_names(entry))
    for plugin in read_installed().plugins:
        if not plugin.manifest:  # it could not be read
            yield plugin.distribution, set()
            continue
        components = plugin.manifest.get("components", {})
        its = {entry["name"] for listed in KINDS.values() for entry in components.get(listed, ())}
        yield plugin.distribution, its.union(variant_names(plugin.manifest))
