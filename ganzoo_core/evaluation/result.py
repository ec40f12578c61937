"""Measured numbers with everything that one has to know to believe them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ganzoo_core.errors import RunError
from ganzoo_core.files import read_json, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Result:
    """One measured number."""

    metric: str
    """Its name with the features in brackets, such as `FID[mnist-convnet]`."""
    value: float
    spread: float | None
    """A standard deviation or error; `ganzoo_core.evaluation.metrics` says over what."""
    better: Literal["lower", "higher", "neither"]
    real: int
    """How many real images it used."""
    generated: int
    """How many generated images or reconstructions it used."""
    seed: int
    data: str
    fingerprint: str
    """Of the data: pixels, labels and class names, at the size they were compared at."""
    split: str
    image_size: int
    resize_filter: str
    """How data of another size were brought to the model's."""
    features: str | None = None
    features_hash: str | None = None
    features_resize_filter: str | None = None
    """How images were brought to the size that the features see."""
    weights: Literal["final", "best"] = "final"
    """Whether the weights are those training ended with, or the best of several."""

    def to_json(self) -> dict[str, Any]:
        """Return it as pure data."""
        return asdict(self)


@dataclass(frozen=True)
class Evaluation:
    """What was measured of one model."""

    model: str
    """Full name of the variant."""
    weights_hash: str
    """`sha256:…` of the networks' weights in memory."""
    results: tuple[Result, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as pure data."""
        return {
            "schema": SCHEMA_VERSION,
            "model": self.model,
            "weights_hash": self.weights_hash,
            "results": [result.to_json() for result in self.results],
        }

    def joined(self, earlier: "Evaluation | None") -> "Evaluation":
        """Add earlier results of the same weights that were not measured again."""
        if earlier is None or earlier.weights_hash != self.weights_hash:
            return self
        measured = {_subject(result) for result in self.results}
        kept = [result for result in earlier.results if _subject(result) not in measured]
        return Evaluation(self.model, self.weights_hash, (*kept, *self.results))


def write_evaluation(evaluation: Evaluation, file: Path) -> Evaluation:
    """Write `evaluation.json`, keeping what it held of the same weights; returns all of it.

    Raises:
        RunError: the place cannot be written.
    """
    try:
        earlier = read_evaluation(file) if file.exists() else None
    except RunError:
        earlier = None  # a damaged file is worth less than what was measured now
    evaluation = evaluation.joined(earlier)
    write_json(file, evaluation.to_json())
    return evaluation


def read_evaluation(file: Path) -> Evaluation:
    """Read `evaluation.json`.

    Raises:
        RunError: it is missing, malformed, or of a later ganzoo.
    """
    content = read_json(file)
    known = {field.name for field in fields(Result)}
    try:
        if content["schema"] != SCHEMA_VERSION:
            raise RunError(f"{file} was written by another version of ganzoo; evaluate again")
        entries: Sequence[Mapping[str, Any]] = content["results"]
        results = tuple(
            Result(**{key: value for key, value in entry.items() if key in known})
            for entry in entries
        )
        return Evaluation(str(content["model"]), str(content["weights_hash"]), results)
    except (KeyError, TypeError, AttributeError):
        raise RunError(f"{file} is not an evaluation of ganzoo; remove it") from None


def _subject(result: Result) -> tuple[object, ...]:
    return result.metric, result.fingerprint, result.split, result.weights
