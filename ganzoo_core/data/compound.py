"""Names of data that are made of other data, by their grammar.

some:COUNT[:SEED]:NAME               COUNT images of a training set, drawn without repetition
blended:[SEED:]DIGITS+TEXTURES       digits blended with pieces of other images
domains:SOURCE,TARGET[,TARGET_TEST]  a set with labels, and one to adapt to
worded:SENTENCE[|SENTENCE...]:NAME   classes as captions; {} in a sentence is the class's name

Within a name others may stand, as in `domains:some:2000:mnist,some:1800:usps`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ganzoo_core.data.changed import CHANGES
from ganzoo_core.errors import ConfigError, DataError

PREFIXES = ("some", "blended", "domains", "worded")


@dataclass(frozen=True)
class Some:
    """A name of `some:`."""

    count: int
    seed: int
    name: str


@dataclass(frozen=True)
class Blend:
    """A name of `blended:`."""

    seed: int
    digits: str
    textures: str


@dataclass(frozen=True)
class Domains:
    """A name of `domains:`: what to learn the classes from, and what to adapt to without labels."""

    source: str
    target: str
    target_test: str = ""
    """Images that the final score is of; the target's own test set where empty."""

    def __str__(self) -> str:
        parts = (self.source, self.target, self.target_test)
        return "domains:" + ",".join(part for part in parts if part)


@dataclass(frozen=True)
class Worded:
    """A name of `worded:`."""

    sentences: tuple[str, ...]
    name: str


def some_of(name: str) -> Some | None:
    """Read a name of `some:`; None where it is another one.

    Raises:
        DataError: it lacks its count or the name behind it.
    """
    rest = _rest(name, "some")
    if rest is None:
        return None
    count, _, inner = rest.partition(":")
    seed, inner = _seeded(inner)
    if not count.isdecimal() or not int(count) or not inner:
        raise DataError(f"{name!r} is not of the form some:COUNT:NAME, such as some:2000:mnist")
    return Some(int(count), seed, inner)


def blend_of(name: str) -> Blend | None:
    """Read a name of `blended:`; None where it is another one.

    Raises:
        DataError: it lacks its digits or its textures.
    """
    rest = _rest(name, "blended")
    if rest is None:
        return None
    seed, inner = _seeded(rest)
    digits, _, textures = inner.partition("+")
    if not digits or not textures:
        raise DataError(
            f"{name!r} is not of the form blended:DIGITS+TEXTURES, such as "
            "blended:mnist+folder:photos"
        )
    return Blend(seed, digits, textures)


def domains_of(name: str) -> Domains | None:
    """Read a name of `domains:`; None where it is another one.

    Raises:
        DataError: it has not two or three parts, or a part that has domains of its own.
    """
    rest = _rest(name, "domains")
    if rest is None:
        return None
    parts = rest.split(",")
    if len(parts) not in (2, 3) or not all(parts):
        raise DataError(
            f"{name!r} is not of the form domains:SOURCE,TARGET or domains:SOURCE,TARGET,TEST, "
            "such as domains:mnist,usps; a path in it cannot have a comma"
        )
    return Domains(*parts)


def worded_of(name: str) -> Worded | None:
    """Read a name of `worded:`; None where it is another one.

    Raises:
        DataError: it lacks its sentences or the name behind them, or a sentence names no class.
    """
    rest = _rest(name, "worded")
    if rest is None:
        return None
    sentences, _, inner = rest.partition(":")
    each = tuple(sentence.strip() for sentence in sentences.split("|"))
    if not inner or not all("{}" in sentence for sentence in each):
        raise DataError(
            f"{name!r} is not of the form worded:SENTENCE:NAME with {{}} in the sentence for the "
            "class, such as 'worded:a handwritten {}:mnist'; | stands between several sentences"
        )
    return Worded(each, inner)


def joined_domains(
    source: str | None, target: str | None, target_test: str | None = None
) -> str | None:
    """Return one name for two domains; None where neither is given.

    Raises:
        ConfigError: only one of them is given.
        DataError: a name has a comma.
    """
    if source is None and target is None and target_test is None:
        return None
    if source is None or target is None:
        raise ConfigError(
            "adapting takes both --source and --target: images with labels, and images to adapt to"
        )
    joined = str(Domains(source, target, target_test or ""))
    domains_of(joined)
    return joined


def named_data(
    data: str | None, source: str | None, target: str | None, target_test: str | None = None
) -> str | None:
    """Return the one name of what was given as data or as two domains; None where nothing was.

    Raises:
        ConfigError: both were given, or only one of the domains.
        DataError: a name has a comma.
    """
    joined = joined_domains(source, target, target_test)
    if joined and data:
        raise ConfigError("data is one set of images, source and target are two; give either")
    return joined or data


def renamed(name: str, rename: Callable[[str], str]) -> str:
    """Return a name in which each of the data sets that it is made of has another name."""
    if domains := domains_of(name):
        parts = (domains.source, domains.target, domains.target_test)
        return str(Domains(*(renamed(part, rename) if part else "" for part in parts)))
    if outer := some_of(name) or worded_of(name):
        return f"{name.removesuffix(outer.name)}{renamed(outer.name, rename)}"
    if blend := blend_of(name):
        start = name.removesuffix(f"{blend.digits}+{blend.textures}")
        return f"{start}{renamed(blend.digits, rename)}+{renamed(blend.textures, rename)}"
    change, _, inner = name.partition(":")
    return f"{change}:{renamed(inner, rename)}" if change in CHANGES else rename(name)


def _rest(name: str, prefix: str) -> str | None:
    kind, colon, rest = name.partition(":")
    return rest if colon and kind == prefix else None


def _seeded(text: str) -> tuple[int, str]:
    """Split off a seed, which is 0 where none is given."""
    seed, colon, rest = text.partition(":")
    return (int(seed), rest) if colon and seed.isdecimal() else (0, text)
