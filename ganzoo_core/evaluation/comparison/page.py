"""The comparison as one HTML page that needs nothing but itself."""

import base64
from collections.abc import Iterable, Mapping
from html import escape

from ganzoo_core.evaluation.comparison import table
from ganzoo_core.evaluation.comparison.picture import drawn
from ganzoo_core.evaluation.comparison.records import Entrant, Outcome
from ganzoo_core.evaluation.comparison.summary import Comparison, Row
from ganzoo_core.files import whole_file

PAGE = "comparison.html"

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
caption { text-align: left; padding-bottom: .5rem }
th, td { border-bottom: 1px solid #8884; padding: .3rem .7rem; text-align: left;
  vertical-align: top }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.samples { display: flex; flex-wrap: wrap; gap: 1.5rem }
figure { margin: 0 }
figure img { image-rendering: pixelated; width: 20rem; max-width: 100%; height: auto }
dt { font-weight: 600 }
dd { margin: 0 0 .5rem }
code { overflow-wrap: anywhere }
"""


def write_page(comparison: Comparison) -> None:
    """Write the page into the comparison's folder."""
    with whole_file(comparison.folder / PAGE) as partial:
        partial.write_text(page(comparison), encoding="utf-8")


def page(comparison: Comparison) -> str:
    """Return the page: ranking, samples, runs, terms and settings."""
    asked = comparison.plan.asked
    names = [entrant.name for entrant in comparison.plan.entrants]
    title = f"{_listed(names)} on {asked.data}"
    failures = len(comparison.failures)
    summary = (
        f"{asked.budget} for each run, {table.counted(asked.seeds, 'seed')} of each variant, "
        f"the same data, batches, evaluation and seeds for all. "
        + (
            f"{failures} of {len(comparison.outcomes)} runs failed."
            if failures
            else "No run failed."
        )
    )
    sections = (
        _section("Ranking", _ranking(comparison) + _notes(comparison)),
        _section("Samples", _samples(comparison)),
        _section("Runs", _runs(comparison)),
        _section("Terms", _terms(comparison)),
        _section("Settings", "".join(map(_settings, comparison.plan.entrants))),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(summary)}</p>\n"
        + "".join(sections)
        + "</main>\n</body>\n</html>\n"
    )


def _ranking(comparison: Comparison) -> str:
    metrics = comparison.metrics
    columns = [("Rank", True), ("Variant", False)]
    for number, metric in enumerate(metrics):
        columns.append((metric + table.arrow(comparison, metric), True))
        if number == 0:
            columns.append((f"Best {metric}", True))
    columns += [("Steps", True), ("Seconds", True), ("Failed", True), ("Networks", False)]

    def cells(row: Row) -> Iterable[str]:
        yield table.rank(row)
        yield row.variant
        for number, metric in enumerate(metrics):
            yield table.shown(row.cell(metric))
            if number == 0:
                yield table.shown(row.cell(metric, "best"))
        yield f"{row.steps:,}"
        yield table.seconds(row.seconds)
        yield table.failed(row)
        yield table.networks(comparison, row)

    caption = (
        "Ranked by the mean of the first metric. Final weights, but for the column of the best "
        "weights on the way; mean ± standard deviation over the runs that finished."
    )
    return _table(caption, columns, map(cells, comparison.rows), heads=1)


def _notes(comparison: Comparison) -> str:
    items = "".join(f"<li>{escape(remark)}</li>\n" for remark in table.remarks(comparison))
    return f"<ul>\n{items}</ul>\n"


def _samples(comparison: Comparison) -> str:
    figures = []
    for row in comparison.rows:
        found = drawn(comparison, row.variant)
        if found is None:
            figures.append(f"<p>{escape(row.variant)}: no run that finished drew images.</p>\n")
            continue
        outcome, file = found
        encoded = base64.b64encode(file.read_bytes()).decode()
        alt = f"A grid of images that {row.variant} drew after {outcome.steps:,} steps"
        caption = f"{row.variant}, seed {outcome.seed}: {_last(outcome)}"
        figures.append(
            f'<figure>\n<img alt="{escape(alt)}" src="data:image/png;base64,{encoded}">\n'
            f"<figcaption>{escape(caption)}</figcaption>\n</figure>\n"
        )
    said = "Each from the same seed of latents, of the first run of each variant that finished."
    return f'<p>{said}</p>\n<div class="samples">\n{"".join(figures)}</div>\n'


def _runs(comparison: Comparison) -> str:
    columns = [
        *(("Run", False), ("Outcome", False), ("Final", True), ("Best", True)),
        *(("Steps", True), ("Seconds", True)),
    ]
    rows = [
        (
            f"{outcome.entrant}, seed {outcome.seed}",
            f"failed: {outcome.reason}" if outcome.status == "failed" else "finished",
            _last(outcome),
            _best(outcome),
            f"{outcome.steps:,}",
            table.seconds(outcome.seconds),
        )
        for outcome in comparison.outcomes
    ]
    return _table("Every run, the failed ones too.", columns, rows, heads=0)


def _last(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return "–"
    return f"{outcome.points.metric} {outcome.points.values[outcome.steps]:.4g}"


def _best(outcome: Outcome) -> str:
    values = outcome.points.values
    if outcome.status == "failed" or outcome.points.better == "neither":
        return "–"
    choose = min if outcome.points.better == "lower" else max
    step = choose(values, key=values.__getitem__)
    return f"{values[step]:.4g} at step {step:,}"


def _terms(comparison: Comparison) -> str:
    plan = comparison.plan
    asked, data = plan.asked, plan.data
    plugins = dict.fromkeys(entrant.plugin for entrant in plan.entrants)
    versions = [f"{name} {version}" for name, version in plan.versions.items()]
    speeds = [
        f"{entrant.name} {entrant.measured_speed:.3g} s"
        for entrant in plan.entrants
        if entrant.measured_speed is not None
    ]
    facts = {
        "Budget": asked.budget,
        "Measured speed, a step": ", ".join(speeds),
        "Data": f"{asked.data}, {data.count:,} images at {data.image_size}×{data.image_size} "
        f"pixels with {table.counted(data.channels, 'channel')}",
        "Fingerprint of the data": data.fingerprint,
        "Shared networks": ", ".join(f"{r}: {name}" for r, name in asked.components.items()),
        "Preset": asked.preset or "",
        "Set for all": ", ".join(f"{path}={value}" for path, value in asked.settings.items()),
        "Features": ", ".join(_features(comparison)),
        "Images a measurement": f"{asked.count:,}, of seed 0",
        "Measured on the way": table.counted(asked.evaluations, "point") + ", the end included",
        "Machine": ", ".join(comparison.machines),
        "Versions": ", ".join([*versions, *plugins]),
    }
    items = "".join(
        f"<dt>{escape(name)}</dt>\n<dd><code>{escape(value)}</code></dd>\n"
        for name, value in facts.items()
        if value
    )
    return f"<dl>\n{items}</dl>\n"


def _features(comparison: Comparison) -> list[str]:
    """Return each network in whose eyes images were compared, with its hash and filter."""
    found = {
        f"{result['features']} ({result['features_hash']}; {result['features_resize_filter']})"
        for outcome in comparison.outcomes
        for result in outcome.results
        if result.get("features")
    }
    return sorted(found)


def _settings(entrant: Entrant) -> str:
    parts: Mapping[str, object] = {
        **{f"{part} (component)": name for part, name in entrant.components.items()},
        **entrant.settings,
    }
    rows = [(path, str(value)) for path, value in parts.items() if path != "training.seed"]
    inner = _table(
        f"All settings of {entrant.name} but the seed.",
        [("Setting", False), ("Value", False)],
        rows,
        heads=0,
    )
    return f"<details>\n<summary>{escape(entrant.name)}</summary>\n{inner}</details>\n"


def _table(
    caption: str,
    columns: list[tuple[str, bool]],
    rows: Iterable[Iterable[str]],
    *,
    heads: int,
) -> str:
    """Return a table; columns say whether they hold numbers, and column `heads` names the row."""
    head = "".join(
        f'<th scope="col"{_number(numeric)}>{escape(name)}</th>' for name, numeric in columns
    )
    body = []
    for row in rows:
        cells = []
        for place, (text, (_, numeric)) in enumerate(zip(row, columns, strict=True)):
            tag, scope = ("th", ' scope="row"') if place == heads else ("td", "")
            cells.append(f"<{tag}{scope}{_number(numeric)}>{escape(text)}</{tag}>")
        body.append(f"<tr>{''.join(cells)}</tr>\n")
    said = escape(caption)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{said}">\n'
        f"<table>\n<caption>{said}</caption>\n"
        f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{''.join(body)}</tbody>\n</table>\n</div>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}</section>\n"


def _number(numeric: bool) -> str:
    return ' class="number"' if numeric else ""


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
