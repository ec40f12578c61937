"""What a comparison found: means and spreads over the seeds, and the ranking."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

from ganzoo_core.evaluation.comparison.records import (
    PLAN,
    SCHEMA_VERSION,
    Entrant,
    Outcome,
    Plan,
)
from ganzoo_core.files import write_json

Better = Literal["lower", "higher", "neither"]
Weights = Literal["final", "best"]


@dataclass(frozen=True)
class Cell:
    """One metric of one variant over its finished runs."""

    metric: str
    """With its features in brackets, such as `FID[mnist-convnet]`."""
    weights: Weights
    """Those that training ended with, or the best of those measured on the way."""
    better: Better
    mean: float
    deviation: float | None
    """Standard deviation over the seeds (of n - 1); None of a single run."""
    runs: int
    """How many runs it is the mean of."""


@dataclass(frozen=True)
class Row:
    """One variant of a comparison."""

    variant: str
    rank: int | None
    """By the mean of the first metric, 1 for the best; None where no run finished."""
    apart: bool | None
    """Whether its mean is farther from that of the rank above than both spreads together; None of
    the first, and where there is no spread."""
    steps: int
    seconds: float | None
    """Mean training time of the finished runs."""
    finished: int
    failed: int
    own: Mapping[str, str]
    """Roles whose network is not the shared one, and why."""
    left_out: Sequence[str]
    """What does not apply to it."""
    cells: tuple[Cell, ...]

    def cell(self, metric: str, weights: Weights = "final") -> Cell | None:
        """Return one number; None where it was not measured."""
        found = (c for c in self.cells if (c.metric, c.weights) == (metric, weights))
        return next(found, None)


@dataclass(frozen=True)
class Comparison:
    """Variants compared on equal terms, the best first; its folder holds all of it."""

    folder: Path
    plan: Plan
    outcomes: tuple[Outcome, ...]
    rows: tuple[Row, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that were measured, the first being that of the ranking."""
        return tuple(dict.fromkeys(cell.metric for row in self.rows for cell in row.cells))

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The runs that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def machines(self) -> tuple[str, ...]:
        """What the runs were computed on."""
        return tuple(dict.fromkeys(outcome.machine for outcome in self.outcomes))

    def entrant(self, name: str) -> Entrant:
        """Return a variant's part of the plan."""
        return next(entrant for entrant in self.plan.entrants if entrant.name == name)

    def run_folder(self, outcome: Outcome) -> Path:
        """Return the folder of a run."""
        return self.folder / "runs" / self.entrant(outcome.entrant).run_name(outcome.seed)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as pure data."""
        return written(self.plan) | {
            "results": {
                "rows": [asdict(row) for row in self.rows],
                "runs": [outcome.model_dump(mode="json") for outcome in self.outcomes],
            }
        }

    def write(self) -> None:
        """Write the results into the comparison's file."""
        write_json(self.folder / PLAN, self.to_json())


def written(plan: Plan) -> dict[str, Any]:
    """Return what the comparison's file holds before there are results."""
    return {"schema": SCHEMA_VERSION, **plan.model_dump(mode="json"), "results": None}


def summarise(folder: Path, plan: Plan, outcomes: Sequence[Outcome]) -> Comparison:
    """Average each variant's runs over the seeds, and rank the variants by the first metric."""
    rows = [
        _row(entrant, [outcome for outcome in outcomes if outcome.entrant == entrant.name])
        for entrant in plan.entrants
    ]
    return Comparison(folder, plan, tuple(outcomes), tuple(_ranked(rows)))


def _row(entrant: Entrant, outcomes: Sequence[Outcome]) -> Row:
    finished = [outcome for outcome in outcomes if outcome.status == "finished"]
    times = [outcome.seconds for outcome in finished if outcome.seconds is not None]
    return Row(
        variant=entrant.name,
        rank=None,
        apart=None,
        steps=entrant.steps,
        seconds=fmean(times) if times else None,
        finished=len(finished),
        failed=len(outcomes) - len(finished),
        own=entrant.own,
        left_out=entrant.left_out,
        cells=tuple(_cells(finished)),
    )


def _cells(finished: Sequence[Outcome]) -> list[Cell]:
    final: dict[str, list[float]] = {}
    better: dict[str, Better] = {}
    for outcome in finished:
        for result in outcome.results:
            final.setdefault(result["metric"], []).append(result["value"])
            better[result["metric"]] = result["better"]
    cells = [_cell(metric, "final", better[metric], values) for metric, values in final.items()]
    if finished and finished[0].points.better != "neither":
        first = finished[0].points
        best = [_best(outcome) for outcome in finished]
        cells.insert(1, _cell(first.metric, "best", first.better, best))
    return cells


def _cell(metric: str, weights: Weights, better: Better, values: Sequence[float]) -> Cell:
    deviation = stdev(values) if len(values) > 1 else None
    return Cell(metric, weights, better, fmean(values), deviation, len(values))


def _best(outcome: Outcome) -> float:
    choose = min if outcome.points.better == "lower" else max
    return choose(outcome.points.values.values())


def _ranked(rows: Sequence[Row]) -> list[Row]:
    first = next((row.cells[0] for row in rows if row.cells), None)
    if first is None or first.better == "neither":
        return list(rows)
    cells = {row.variant: row.cell(first.metric) for row in rows}

    def key(row: Row) -> float:
        cell = cells[row.variant]
        if cell is None or math.isnan(cell.mean):
            return math.inf
        return -cell.mean if first.better == "higher" else cell.mean

    ranked: list[Row] = []
    for row in sorted(rows, key=key):
        cell = cells[row.variant]
        if cell is not None:
            above = cells[ranked[-1].variant] if ranked else None
            row = replace(row, rank=len(ranked) + 1, apart=_apart(above, cell))
        ranked.append(row)
    return ranked


def _apart(above: Cell | None, cell: Cell) -> bool | None:
    if above is None or above.deviation is None or cell.deviation is None:
        return None
    return abs(cell.mean - above.mean) > above.deviation + cell.deviation
