"""Records: what reproducing a claim measured, with everything that one has to know to believe it.

records/VARIANT/CLAIM-small.json    in the user's data (`ganzoo_core.places.records_folder`),
                                    and in the package of a plugin that ships its own
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin

from ganzoo_core.evaluation.claims.declared import SIZES, Claim, Size
from ganzoo_core.places import records_folder
from ganzoo_core.plugins.installed import Variant

SCHEMA_VERSION = 1

Verdict = Literal["reproduced", "not reached", "failed"]


@dataclass(frozen=True)
class Seed:
    """One training and what it came to."""

    seed: int
    value: float | None
    """None where it failed."""
    failure: str = ""
    """Why it failed, in a sentence."""
    seconds: float = 0.0
    """Of training."""


@dataclass(frozen=True)
class Record:
    """What was measured of one claim with one budget."""

    variant: str
    """Full name."""
    plugin_version: str
    claim: str
    metric: str
    """As `--metrics` takes it."""
    figure: str
    """The number's full name, with the features it was measured with."""
    data: str
    """Which data, without the folders of the machine they lay on."""
    fingerprint: str
    """Of the data that were learned from."""
    paper: float
    paper_spread: float | None
    better: str
    size: Size
    budget: str
    """In words, such as `5 epochs, 3 seeds`."""
    run: Mapping[str, Any]
    """The run as the manifest declares it."""
    steps: int
    """Of each training."""
    batch_size: int
    share: float | None
    """Of the images that a training with the full budget sees; None where there is no such."""
    seeds: tuple[Seed, ...]
    mean: float | None
    """Over the seeds that did not fail; None where all did."""
    deviation: float | None
    """Standard deviation over these seeds; None of fewer than two."""
    verdict: Verdict
    processors: int
    threads: int
    device: str
    torch: str
    date: str
    """In UTC, as ISO 8601 writes it."""
    command: str
    seconds: float
    """Of training, over all seeds."""

    @property
    def failed(self) -> int:
        """How many seeds failed."""
        return sum(seed.value is None for seed in self.seeds)

    @property
    def outcome(self) -> str:
        """The verdict, and how many seeds failed where some did."""
        some = f", failed {self.failed} of {len(self.seeds)}" if self.failed else ""
        return self.verdict if self.mean is None else f"{self.verdict}{some}"

    @property
    def measured(self) -> str:
        """What was measured, such as `3.10 ± 0.45`, to the deviation's second digit."""
        if self.mean is None:
            return "failed"
        if not self.deviation:
            return f"{self.mean:.4g}"
        digits = max(0, 1 - math.floor(math.log10(self.deviation)))
        return f"{self.mean:.{digits}f} ± {self.deviation:.{digits}f}"

    @property
    def features(self) -> str:
        """The features it was measured with, such as `[mnist-convnet]`; empty where none."""
        _, bracket, features = self.figure.partition("[")
        return bracket + features

    def to_json(self) -> dict[str, Any]:
        """Return it as pure data."""
        return {"schema": SCHEMA_VERSION, **asdict(self)}


def judged(
    values: Sequence[float], better: str, paper: float, paper_spread: float | None
) -> tuple[float | None, float | None, Verdict]:
    """Return mean and deviation of measured values, and whether they reach the paper's.

    They do if their mean is at least as good as the paper's value, or short of it by no more than
    the larger of the paper's spread and their own deviation.
    """
    import statistics  # brings fractions and decimals, which whoever only looks need not wait for

    if not values:
        return None, None, "failed"
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    tolerance = max(paper_spread or 0.0, deviation or 0.0)
    behind = paper - mean if better == "higher" else mean - paper
    return mean, deviation, "reproduced" if behind <= tolerance else "not reached"


def latest_records(
    variant: Variant, claim: Claim, *, shipped_only: bool = False
) -> tuple[dict[Size, Record], list[str]]:
    """Return the latest record of each budget of a claim, and a sentence for each that is no use.

    The user's own and those that the plugin ships are taken alike, by their dates.
    """
    shipped = f"{variant.plugin.folder}{os.sep}records"
    found: dict[Size, Record] = {}
    notes = []
    for size in SIZES:
        for folder in (shipped,) if shipped_only else (records_folder(), shipped):
            path = record_path(folder, variant.name, claim["name"], size)
            try:
                record = _read(path)
                _check_fits(record, variant, claim, size)
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as error:
                notes.append(f"left out {path}: {_said(error)}")
                continue
            if size not in found or record.date > found[size].date:
                found[size] = record
    return found, notes


def record_path(folder: str, variant: str, claim: str, size: Size) -> str:
    """Return where the record of a claim is within a folder of records."""
    return os.path.join(folder, variant, f"{claim}-{size}.json")  # noqa: PTH118


def _read(path: str) -> Record:
    """Read a record.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        ValueError: it is malformed, or of another version of ganzoo.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - as in ganzoo_core.plugins.installed
        content = json.loads(file.read(_LARGEST))
    if not isinstance(content, dict):
        raise ValueError("it is no record of ganzoo")
    if content.pop("schema", None) != SCHEMA_VERSION:
        raise ValueError("another version of ganzoo has written it")
    known = {field.name for field in fields(Record)}
    try:
        seeds = tuple(Seed(**seed) for seed in content.pop("seeds"))
        record = Record(seeds=seeds, **{k: v for k, v in content.items() if k in known})
        _check_types(record)
        for seed in seeds:
            _check_types(seed)
    except (KeyError, TypeError) as error:
        raise ValueError("it is no record of ganzoo") from error
    return record


def _check_types(read: Record | Seed) -> None:
    for field in fields(read):
        if field.name != "seeds" and not _is_a(field.type, getattr(read, field.name)):
            raise TypeError(field.name)


def _is_a(kind: Any, value: object) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is Mapping:
        return isinstance(value, dict)
    if kind is float:
        return type(value) in (int, float)
    return any(_is_a(each, value) for each in get_args(kind)) or type(value) is kind


def _check_fits(record: Record, variant: Variant, claim: Claim, size: Size) -> None:
    if record.variant != variant.full_name:
        raise ValueError(f"it is of {record.variant}")
    now = (claim["name"], claim["metric"], claim["value"], claim["better"], size)
    then = (record.claim, record.metric, record.paper, record.better, record.size)
    if now != then:
        raise ValueError("it was measured for another version of the claim; measure it again")


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror})"
    return str(error) if type(error) is ValueError else "it is not valid JSON"


_LARGEST = 1 << 20
"""Bytes of a record that are read; ours have a few thousand."""
