"""What a comparison writes down: what was asked, how it was planned, and what became of each run.

OUT/comparison.json                  the plan, written first, and the results, once there are some
OUT/runs/VARIANT-seedN/              an ordinary run
OUT/runs/VARIANT-seedN/points.json   what was measured on the way
OUT/runs/VARIANT-seedN/outcome.json  how it ended, written when it has
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ganzoo_core.errors import RunError
from ganzoo_core.files import read_json

SCHEMA_VERSION = 1
PLAN, OUTCOME, POINTS = "comparison.json", "outcome.json", "points.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Asked(_Record):
    """What a comparison was asked for; going on with it takes the same."""

    variants: list[str]
    """Full names, in the order in which they were given."""
    data: str
    budget: str
    seeds: int
    """How many runs of each variant; their seeds are 0, 1, …"""
    components: dict[str, str]
    """The networks that all variants share, by role."""
    settings: dict[str, Any]
    preset: str | None
    metrics: list[str] | None
    features: str | None
    count: int
    """Images that are drawn for each measurement."""
    evaluations: int
    """Points of a run at which the first metric is measured, its end included."""


class Data(_Record):
    """The images that all variants learn from and are held against."""

    fingerprint: str
    count: int
    image_size: int
    channels: int


class Entrant(_Record):
    """A variant with everything decided but the seed."""

    name: str
    """Short name, or the full one where two variants share the short one."""
    variant: str
    """Full name."""
    plugin: str
    """Distribution and version."""
    components: dict[str, str]
    settings: dict[str, Any]
    """All of them, by dotted path."""
    own: dict[str, str]
    """Roles whose network is not the shared one, and why."""
    left_out: list[str]
    """Sentences on settings and metrics that do not apply to it."""
    metrics: list[str]
    steps: int
    measure_every: int
    """Steps between measurements on the way."""
    measured_speed: float | None
    """Seconds a step took before the training, where the budget is a time."""

    def run_name(self, seed: int) -> str:
        """Return the name of a run's folder."""
        return f"{self.name.replace('/', '_')}-seed{seed}"


class Plan(_Record):
    """The whole comparison before it begins."""

    asked: Asked
    data: Data
    entrants: list[Entrant]
    versions: dict[str, str]


class Points(_Record):
    """What was measured of a run on the way."""

    metric: str = ""
    better: Literal["lower", "higher", "neither"] = "neither"
    values: dict[int, float] = {}
    """The metric after so many steps."""


class Outcome(_Record):
    """How a run ended."""

    entrant: str
    seed: int
    status: Literal["finished", "failed"]
    reason: str = ""
    """Why it failed."""
    begin_anew: bool = False
    """Whether trying a failed run again begins it anew instead of going on with it."""
    steps: int
    seconds: float | None
    """Training time over all resumptions."""
    machine: str
    points: Points
    """The first metric on the way and, of a finished run, at the end."""
    results: list[dict[str, Any]] = []
    """The metrics of the final weights, as evaluation.json has them."""


_Some = TypeVar("_Some", bound=_Record)


def read_plan(file: Path) -> Plan:
    """Read the plan of a comparison.

    Raises:
        RunError: it is missing, damaged, or of another version of ganzoo.
    """
    content = read_json(file)
    if isinstance(content, Mapping) and content.get("schema", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise RunError(f"{file} was written by another version of ganzoo; choose another --out")
    return _checked(Plan, content, file)


def read_outcome(folder: Path) -> Outcome | None:
    """Read how a run ended; None where it has not.

    Raises:
        RunError: what is written there is damaged.
    """
    file = folder / OUTCOME
    return _checked(Outcome, read_json(file), file) if file.exists() else None


def read_points(folder: Path) -> Points:
    """Read what was measured of a run on the way.

    Raises:
        RunError: what is written there is damaged.
    """
    file = folder / POINTS
    return _checked(Points, read_json(file), file) if file.exists() else Points()


def _checked(model: type[_Some], content: Any, file: Path) -> _Some:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "its top"
        raise RunError(f"{file} is damaged at {place}; remove it and run it again") from None
