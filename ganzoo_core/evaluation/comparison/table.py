"""The tables of a comparison: two for a terminal, and one for spreadsheets."""

import csv
from collections.abc import Sequence

from ganzoo_core.evaluation.comparison.summary import Cell, Comparison, Row
from ganzoo_core.files import whole_file

CSV = "table.csv"
ARROWS = {"lower": " ↓", "higher": " ↑", "neither": ""}

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""A header and the rows below it."""


def ranking(comparison: Comparison) -> Table:
    """Return the variants in their order with the first metric, cost, failures and networks."""
    metric = next(iter(comparison.metrics), None)
    header = (
        "",
        "VARIANT",
        *((metric + arrow(comparison, metric), "BEST") if metric else ()),
        *("STEPS", "SECONDS", "FAILED", "NETWORKS"),
    )
    rows = [
        (
            rank(row),
            row.variant,
            *((shown(row.cell(metric)), shown(row.cell(metric, "best"))) if metric else ()),
            f"{row.steps:,}",
            seconds(row.seconds),
            failed(row),
            networks(comparison, row),
        )
        for row in comparison.rows
    ]
    return header, rows


def others(comparison: Comparison) -> Table | None:
    """Return the other metrics, without the features that `remarks` names; None without any."""
    metrics = comparison.metrics[1:]
    if not metrics:
        return None
    header = ("VARIANT", *(short(metric) + arrow(comparison, metric) for metric in metrics))
    rows = [
        (row.variant, *(shown(row.cell(metric)) for metric in metrics)) for row in comparison.rows
    ]
    return header, rows


def remarks(comparison: Comparison) -> list[str]:
    """Return what has to be said below the tables, a sentence each."""
    asked = comparison.plan.asked
    entrants = comparison.plan.entrants
    batch = entrants[0].settings["training.batch_size"]
    size = comparison.plan.data.image_size
    said = [
        f"{asked.budget} each on {asked.data}: {size}×{size} pixels, batches of {batch}, "
        f"{asked.count:,} images a measurement, {counted(asked.seeds, 'seed')}; mean ± standard "
        "deviation over the runs that finished."
    ]
    features = {m.partition("[")[2][:-1] for m in comparison.metrics if "[" in m}
    if features:
        said.append(f"Features: {', '.join(sorted(features))}.")
    if any(row.apart is False for row in comparison.rows):
        said.append("≈: no farther from the variant above than their spreads together.")
    for row in comparison.rows:
        for role, reason in row.own.items():
            said.append(f"{row.variant} has its own {role}: {reason}.".replace("..", "."))
        if row.left_out:
            said.append(f"{row.variant} is without {', '.join(row.left_out)}.")
    for outcome in comparison.failures:
        said.append(f"Failed: {outcome.entrant}, seed {outcome.seed}: {outcome.reason}.")
    return said


def write_csv(comparison: Comparison) -> None:
    """Write a row for each variant, metric and weights into the comparison's folder."""
    header = (
        *("rank", "variant", "metric", "weights", "better", "mean", "deviation", "runs"),
        *("failed", "steps", "seconds", "own_networks"),
    )
    with (
        whole_file(comparison.folder / CSV) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        for row in comparison.rows:
            cost = (row.failed, row.steps, row.seconds, " ".join(row.own))
            for cell in row.cells or (None,):
                numbers = (
                    (cell.metric, cell.weights, cell.better, cell.mean, cell.deviation, cell.runs)
                    if cell
                    else ("", "", "", None, None, 0)
                )
                writer.writerow((row.rank, row.variant, *numbers, *cost))


# How things are shown, here and on the page


def shown(cell: Cell | None) -> str:
    """Return a mean with its spread."""
    if cell is None:
        return "–"
    return f"{cell.mean:.4g}" + ("" if cell.deviation is None else f" ± {cell.deviation:.2g}")


def rank(row: Row) -> str:
    """Return a variant's place, marked where the spread does not tell it from the one above."""
    return "–" if row.rank is None else f"{row.rank}{'≈' if row.apart is False else ''}"


def failed(row: Row) -> str:
    """Return how many of the runs failed."""
    return f"{row.failed} of {row.finished + row.failed}"


def seconds(time: float | None) -> str:
    """Return a mean training time."""
    return "–" if time is None else f"{time:,.1f}" if time < 100 else f"{time:,.0f}"


def networks(comparison: Comparison, row: Row) -> str:
    """Return which networks a variant shares with the others, and which are its own."""
    shared = [role for role in comparison.plan.asked.components if role not in row.own]
    said = [f"shared {' and '.join(shared)}"] if shared else []
    said += [f"own {' and '.join(row.own)}"] if row.own else []
    return ", ".join(said)


def arrow(comparison: Comparison, metric: str) -> str:
    """Return the direction in which a metric is better."""
    cells = (cell for row in comparison.rows for cell in row.cells)
    return next((ARROWS[cell.better] for cell in cells if cell.metric == metric), "")


def short(metric: str) -> str:
    """Return a metric's name without its features."""
    return metric.partition("[")[0]


def counted(count: int, noun: str) -> str:
    """Return a number with what it counts."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
