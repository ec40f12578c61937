"""What a registry's form alone cannot assure: names that mislead nobody, licences, links, hashes.

A name must not be confusable with an official one. Two names are confusable when they differ only
in case, separators or characters that look alike, or in one edit: a character added, left out,
replaced, or swapped with its neighbour. Papers' abbreviations are often one edit apart (`cgan`,
`dcgan`), so a name that is the abbreviation of a paper in the table is allowed that much.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version

from ganzoo_core.registry.schema import PluginEntry, RegistryContent
from ganzoo_core.registry.searching import squeezed

PREFIX = "ganzoo-plugin-"
"""Begins the name of every official plugin; others may use it."""

_LOOK_ALIKE = str.maketrans(
    # Digits for letters, then Cyrillic and Greek letters for Latin ones.
    "0135" + "авекмнорстухіјѕ" + "αβεικνορτυχ",
    "oles" + "abekmhopctyxijs" + "abeiknoptux",
)


def problems(content: RegistryContent) -> list[str]:
    """Return all that is wrong with a registry whose form is right, a sentence each."""
    return [
        *_name_problems(content),
        *(
            f"{plugin.name}: {problem}"
            for plugin in content.plugins
            for problem in _plugin_problems(plugin)
        ),
        *_paper_problems(content),
        *(f"{place}: {problem}" for place, problem in _text_problems(content.model_dump(), "")),
    ]


def skeleton(name: str) -> str:
    """Return what remains of a name to the eye: look-alikes are one character, separators none."""
    plain = unicodedata.normalize("NFKD", name.casefold()).translate(_LOOK_ALIKE)
    letters = "".join(filter(str.isalnum, plain))
    return letters.replace("rn", "m").replace("vv", "w").replace("i", "l")


def is_one_edit_apart(first: str, second: str) -> bool:
    """Say whether one added, missing, replaced or swapped character makes one name the other."""
    if len(first) > len(second):
        first, second = second, first
    if len(second) - len(first) > 1 or first == second:
        return False
    start = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    if start is None:
        return True
    if len(first) < len(second):
        return first[start:] == second[start + 1 :]
    swapped = first[start : start + 2] == second[start : start + 2][::-1]
    return first[start + 1 :] == second[start + 1 :] or (
        swapped and first[start + 2 :] == second[start + 2 :]
    )


def _name_problems(content: RegistryContent) -> Iterator[str]:
    for name in _repeated(plugin.name for plugin in content.plugins):
        yield f"{name}: it is listed more than once"
    abbreviations = {squeezed(paper.abbreviation) for paper in content.papers}
    official = [plugin for plugin in content.plugins if plugin.tier == "official"]
    for name in _repeated(name for plugin in official for name in _short_names(plugin)):
        yield f"{name}: two official plugins claim this name of a variant"
    distributions = [plugin.name for plugin in official]
    variants = [name for plugin in official for name in _short_names(plugin)]
    for plugin in content.plugins:
        if plugin.tier == "official":
            if not plugin.name.startswith(PREFIX):
                yield f"{plugin.name}: the name of an official plugin begins with {PREFIX}"
            continue
        if (ours := _confusable(plugin.name, distributions, abbreviations)) is not None:
            yield f"{plugin.name}: it can be taken for the official {ours}; choose another name"
        for name in _short_names(plugin):
            if name in variants:
                yield f"{plugin.name}: its variant {name!r} has the name of an official one"
            elif (ours := _confusable(name, variants, abbreviations)) is not None:
                yield (
                    f"{plugin.name}: its variant {name!r} can be taken for the official {ours!r}; "
                    "choose another name"
                )


def _short_names(plugin: PluginEntry) -> list[str]:
    return [name for entry in plugin.variants for name in (entry.name, *entry.aliases)]


def _confusable(name: str, official: Iterable[str], abbreviations: set[str]) -> str | None:
    """Return the official name that this one can be taken for, one that looks the same if any."""
    looks = skeleton(name)
    skeletons = {skeleton(ours): ours for ours in official}
    if looks in skeletons:
        return skeletons[looks]
    if squeezed(name.removeprefix(PREFIX)) in abbreviations:
        return None
    return next((its for look, its in skeletons.items() if is_one_edit_apart(looks, look)), None)


def _plugin_problems(plugin: PluginEntry) -> Iterator[str]:
    yield from _license_problems(plugin.license, "its licence")
    versions = [plugin.latest.version, *plugin.yanked]
    yield from filter(None, map(_version_problem, versions))
    if plugin.latest.version in plugin.yanked:
        yield f"its latest version {plugin.latest.version} is yanked; list a newer one"
    for version in _repeated(plugin.yanked):
        yield f"version {version} is yanked twice"
    if plugin.homepage:
        yield from _link_problems(plugin.homepage)
    for name in _repeated(_short_names(plugin)):
        yield f"it has the variant {name!r} more than once"
    for variant in plugin.variants:
        yield from _link_problems(variant.paper.url)
        for tag in _repeated(weights.tag for weights in variant.pretrained):
            yield f"{variant.name} has the pretrained tag {tag!r} more than once"
        for weights in variant.pretrained:
            label = f"the licence of {variant.name}.{weights.tag}"
            yield from _license_problems(weights.license, label)


def _license_problems(expression: str, label: str) -> Iterator[str]:
    try:
        canonical = canonicalize_license_expression(expression)
    except InvalidLicenseExpression:
        yield f"{label}, {expression!r}, is no SPDX expression, such as MIT or Apache-2.0"
        return
    if canonical != expression:
        yield f"{label} is written {canonical!r} in SPDX, not {expression!r}"


def _version_problem(version: str) -> str:
    try:
        canonical = str(Version(version))
    except InvalidVersion:
        return f"{version!r} is no version"
    return "" if canonical == version else f"version {version!r} is written {canonical!r}"


def _paper_problems(content: RegistryContent) -> Iterator[str]:
    variants = {
        f"{plugin.name}/{variant.name}" for plugin in content.plugins for variant in plugin.variants
    }
    for paper in content.papers:
        label = f"the paper {paper.abbreviation!r} of {paper.year}"
        if paper.variant and paper.variant not in variants:
            yield f"{label}: its variant {paper.variant} is not listed"
        for link in filter(None, (paper.link, paper.code)):
            yield from (f"{label}: {problem}" for problem in _link_problems(link))
    for abbreviation, link in _repeated((p.abbreviation, p.link) for p in content.papers):
        yield f"the paper {abbreviation!r} at {link} is listed more than once"


def _link_problems(link: str) -> Iterator[str]:
    """Find links to nowhere; the form has been checked already."""
    try:
        parts = urlsplit(link)
        host = parts.hostname or ""
        has_port = parts.port is not None
    except ValueError:
        host, has_port = "", False
    if "." not in host.strip(".") or not host.isascii() or has_port:
        yield f"the link {link!r} does not lead to a public host"


def _text_problems(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Find text that would move a terminal's cursor or change its colours."""
    if isinstance(value, dict):
        for key, each in value.items():
            if not str(key).isprintable():
                yield place or "the top", f"the key {key!r} has a character that cannot be printed"
            yield from _text_problems(each, f"{place}.{ascii(str(key))[1:-1]}".strip("."))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _text_problems(each, f"{place}.{number}")
    elif isinstance(value, str) and not value.isprintable():
        yield place, f"{value[:60]!r} has a character that cannot be printed"


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]
