"""Fuzzy, ranked search over plugins and papers, in milliseconds.

Parsing a registry of ten thousand entries takes longer than all the rest, so what a search needs
is kept in an index beside it in the cache: two texts with a line for each entry, its names and its
words, and a third with what is shown of it. It is made anew whenever the registry's file changes.
"""

import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ganzoo_core.plugins.installed import KINDS, Plugin
from ganzoo_core.registry.reading import (
    Entry,
    Registry,
    in_cache,
    printable,
    read_registry,
    registry_file,
)

_INDEX_NAME = "search-index.txt"
_INDEX_LAYOUT = 1
_END = "end"
_LEAST_SIMILARITY = 0.45
"""Share of letter triples in common, below which two names do not resemble each other."""


class Found(NamedTuple):
    """What the registry has under a name: something to install, or a paper without a plugin."""

    kind: str
    """`variant`, a kind of component such as `loss`, or `paper`."""
    name: str
    """The variant's or component's name, or the paper's abbreviation."""
    plugin: str
    """The distribution that brings it; empty for a paper."""
    title: str
    summary: str
    year: str
    link: str
    code: str
    """The authors' own code; empty where none is known."""
    license: str
    """SPDX identifier of the plugin's code."""
    tier: str
    """`official`, `listed`, or empty for a paper."""

    @property
    def full_name(self) -> str:
        """Name that no other plugin can claim, such as `ganzoo-plugin-dcgan/dcgan`."""
        return f"{self.plugin}/{self.name}"


class Index(NamedTuple):
    """Three lists of the same length."""

    names: list[str]
    """The names of an entry, squeezed, with a space before and after each."""
    words: list[str]
    """The words of its names and titles, with a space before and after each."""
    entries: list[str]
    """The entry as a JSON list."""

    def entry(self, number: int) -> Found:
        """Return one entry."""
        return Found(*json.loads(self.entries[number]))


def search(
    query: str, limit: int | None = None, *, installed: Iterable[Plugin] = ()
) -> list[Found]:
    """Return what resembles the query's words, the best first.

    A name that is the query comes before one that begins with it, then come names and titles that
    hold all its words, similar names, and titles that hold some of its words.

    Args:
        query: a name, or words of a title.
        limit: how many to return at most.
        installed: plugins to search too where the registry does not list them.

    Raises:
        GanzooError: the file that `GANZOO_REGISTRY` names cannot be read or is malformed.
    """
    indexes = (read_index(), make_index(_as_registry(installed)))
    ranked = sorted(
        (-score, which, number)
        for which, index in enumerate(indexes)
        for score, number in _scored(index, query)
    )
    found: list[Found] = []
    seen: set[str] = set()
    for _, which, number in ranked:
        if len(found) == limit:
            break
        entry = indexes[which].entry(number)
        if entry.kind == "paper" or entry.full_name not in seen:
            seen.add(entry.full_name)
            found.append(entry)
    return found


def find(name: str) -> list[Found]:
    """Return what has exactly this name, but for case and separators, plugins before papers."""
    distribution, _, short = name.rpartition("/")
    index = read_index()
    wanted = f" {squeezed(short)} "
    found = [index.entry(n) for n, names in enumerate(index.names) if wanted in names]
    return [entry for entry in found if distribution in ("", entry.plugin)]


def read_index() -> Index:
    """Return the index of the registry in use, made anew where its file has changed.

    Raises:
        GanzooError: the file that `GANZOO_REGISTRY` names cannot be read or is malformed.
    """
    path = registry_file()
    stamp = _stamp(path)
    stored = _stored_index(stamp)
    if stored:
        return stored
    registry = read_registry()
    index = make_index(registry)
    if not registry.note:
        _store_index(index, stamp)
    return index


def make_index(registry: Registry) -> Index:
    """Return the index of a registry: its variants, the components without one, its papers."""
    index = Index([], [], [])
    written = {paper["variant"]: paper for paper in registry.papers if _text(paper, "variant")}
    for plugin in registry.plugins:
        for kind, entry in _listed(plugin):
            paper = written.get(f"{plugin['name']}/{entry['name']}", {})
            described = entry.get("paper")
            described = described if isinstance(described, dict) else paper
            _add(
                index,
                Found(
                    kind,
                    _text(entry, "name"),
                    _text(plugin, "name"),
                    _text(described, "title") or _text(entry, "title") or _text(entry, "summary"),
                    _text(entry, "summary"),
                    _text(described, "year"),
                    _text(described, "url") or _text(paper, "link") or _text(plugin, "homepage"),
                    _text(paper, "code"),
                    _text(plugin, "license"),
                    _text(plugin, "tier"),
                ),
                [*entry.get("aliases", ()), _text(paper, "abbreviation")],
                _text(entry, "title"),
            )
    for paper in registry.papers:
        if not _text(paper, "variant"):
            name, title = _text(paper, "abbreviation"), _text(paper, "title")
            year, link, code = (_text(paper, key) for key in ("year", "link", "code"))
            _add(index, Found("paper", name, "", title, "", year, link, code, "", ""), [], "")
    return index


def _as_registry(installed: Iterable[Plugin]) -> Registry:
    """Return the registry that would list what is installed, as far as searching needs it."""
    plugins = [
        {"name": plugin.distribution, "variants": [], **plugin.manifest}
        for plugin in installed
        if not plugin.problem
    ]
    return Registry(plugins, [], "", "")


def squeezed(name: str) -> str:
    """Return a name without case, accents and separators, in which spellings of it agree."""
    if name.isascii():
        return "".join(filter(str.isalnum, name.lower()))
    import unicodedata

    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", name.casefold())))


def _listed(plugin: Entry) -> Iterator[tuple[str, Entry]]:
    """Yield a plugin's variants, or its components where it has none."""
    for variant in plugin["variants"]:
        yield "variant", variant
    components = plugin.get("components")
    if plugin["variants"] or not isinstance(components, dict):
        return
    for kind, listed in KINDS.items():
        entries = components.get(listed)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                yield kind, entry


def _add(index: Index, found: Found, aliases: Iterable[str], title: str) -> None:
    names = {squeezed(spelling) for name in (found.name, *aliases) for spelling in _spelled(name)}
    index.names.append(f" {' '.join(sorted(names))} ")
    index.words.append(f" {' '.join(_words(f'{found.name} {title} {found.title}'))} ")
    index.entries.append(json.dumps(found, ensure_ascii=False))


def _spelled(name: str) -> tuple[str, ...]:
    """Return a name, and where it has Greek letters also as one types it: beta-GAN."""
    if name.isascii():
        return (name,)
    import unicodedata

    spelled = (
        unicodedata.name(c, "").rpartition(" ")[2].lower() if "Ͱ" <= c <= "Ͽ" else c for c in name
    )
    return (name, "".join(spelled))


def _words(text: str) -> list[str]:
    if not text.isascii():
        import unicodedata

        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _scored(index: Index, query: str) -> Iterator[tuple[float, int]]:
    """Yield score and number of each entry that resembles the query; the loop is the hot one."""
    words = [f" {word}" for word in _words(query)]
    whole = squeezed(query)
    if not whole:
        return
    exact, prefix = f" {whole} ", f" {whole}"
    triples = _triples(exact)
    enough = _LEAST_SIMILARITY * len(triples) / 2
    for number, names in enumerate(index.names):
        if prefix in names:
            yield (1.0 if exact in names else 0.9), number
            continue
        text = index.words[number]
        held = 0
        for word in words:
            if word in text:
                held += 1
        if held == len(words):
            yield 0.8, number
            continue
        common = 0
        for triple in triples:
            if triple in names:
                common += 1
        similarity = _similarity(whole, triples, names) if common >= enough else 0.0
        score = max(
            0.3 + 0.4 * similarity if similarity else 0.0,
            0.5 * held / len(words) if 2 * held >= len(words) else 0.0,
        )
        if score:
            yield score, number


def _similarity(whole: str, triples: set[str], names: str) -> float:
    """Return how much the nearest name has in common with the query, or 0 where that is little.

    That is the mean of two shares: of letter triples, which see the order, and of letters, which
    do not mind that two of them are swapped.
    """
    best = 0.0
    for name in names.split():
        its = _triples(f" {name} ")
        share = 2 * len(triples & its) / (len(triples) + len(its))
        if share >= _LEAST_SIMILARITY:
            shared = sum(min(whole.count(letter), name.count(letter)) for letter in set(name))
            best = max(best, share / 2 + shared / (len(whole) + len(name)))
    return best


def _triples(padded: str) -> set[str]:
    return {padded[start : start + 3] for start in range(max(1, len(padded) - 2))}


def _text(entry: Any, key: str) -> str:
    value = entry.get(key)
    return printable(str(value) if isinstance(value, int) else value)


def _stamp(path: str) -> list[Any]:
    """Return what changes when the registry's file does."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return [_INDEX_LAYOUT, path]
    return [_INDEX_LAYOUT, path, status.st_size, status.st_mtime_ns]


def _stored_index(stamp: list[Any]) -> Index | None:
    try:
        with open(in_cache(_INDEX_NAME), encoding="utf-8") as file:  # noqa: PTH123
            first, *lines, last = file.read().split("\n")
    except (OSError, ValueError):
        return None  # absent or damaged; it is made anew
    count = len(lines) // 3
    if first != json.dumps(stamp) or last != _END or len(lines) != 3 * count:
        return None
    return Index(lines[:count], lines[count : 2 * count], lines[2 * count :])


def _store_index(index: Index, stamp: list[Any]) -> None:
    path = in_cache(_INDEX_NAME)
    partial = f"{path}.{os.getpid()}"
    # Plain lines are read several times faster than JSON.
    lines = [json.dumps(stamp), *index.names, *index.words, *index.entries, _END]
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(partial, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
            file.write("\n".join(lines))
        os.replace(partial, path)  # noqa: PTH105
    except OSError:
        pass  # A cache that cannot be written only costs the next search some milliseconds.
