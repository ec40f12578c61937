"""Drawings of numbers on axes that a page gives them."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray[Any, Any]

COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#b8a800"),
    *("#7f3c8d", "#8c564b"),
)
"""Ten that people who see colours otherwise can tell apart, Okabe and Ito's eight first."""

MOST_POINTS = 400
"""Points of a curve; more would not be seen, and each stands for the mean of its stretch."""


def draw_curves(
    axes: "Axes", steps: Sequence[float], curves: Mapping[str, Sequence[float]]
) -> None:
    """Draw what was logged over steps, one line for each name."""
    styles = ("-", "--", ":")
    drawn = []
    for number, values in enumerate(curves.values()):
        xs, ys = _thinned(np.array(steps, dtype=float), np.array(values, dtype=float))
        style = styles[number // len(COLOURS) % len(styles)]
        colour = COLOURS[number % len(COLOURS)]
        drawn += axes.plot(xs, ys, style, color=colour, linewidth=1.2)
    axes.set_xlabel("step")
    axes.grid(color="#dddddd", linewidth=0.5)
    _bare(axes)
    _named(axes, drawn, list(curves))


def draw_scatter(
    axes: "Axes",
    points: Array,
    names: tuple[str, str],
    classes: Array | None,
    class_names: Sequence[str],
) -> None:
    """Draw points [N, 2], coloured by class [N] where there are classes.

    Each class is named at its middle too, so that colours alone carry nothing.
    """
    from matplotlib.patheffects import withStroke

    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_aspect("equal", adjustable="datalim")
    _bare(axes)
    if classes is None:
        axes.scatter(points[:, 0], points[:, 1], s=6, color=COLOURS[0], alpha=0.6, linewidths=0)
        return
    drawn, shown = [], []
    for number, name in enumerate(class_names):
        own = points[classes == number]
        if not len(own):
            continue
        marker = "os^Dv"[number // len(COLOURS) % 5]
        colour = COLOURS[number % len(COLOURS)]
        drawn.append(
            axes.scatter(
                own[:, 0], own[:, 1], s=7, color=colour, marker=marker, alpha=0.6, linewidths=0
            )
        )
        shown.append(name)
        x, y = np.median(own, axis=0)
        axes.text(
            x,
            y,
            name,
            color=colour,
            weight="bold",
            ha="center",
            va="center",
            parse_math=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
    _named(axes, drawn, shown)


@contextmanager
def quietly() -> Iterator[None]:
    """Draw names in scripts that matplotlib's font lacks as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _named(axes: "Axes", drawn: Sequence[Any], names: Sequence[str]) -> None:
    """Put the names of what is drawn to the right."""
    if not drawn:
        return
    legend = axes.legend(
        drawn,
        # Matplotlib leaves out names that begin with an underscore; a joiner of no width does not.
        [f"\u200b{name}" if name.startswith("_") else name for name in names],
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        borderaxespad=0,
        frameon=False,
        markerscale=2,
        ncols=math.ceil(len(names) / 18),
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name is a name, even one with two dollar signs
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def _bare(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _thinned(steps: Array, values: Array) -> tuple[Array, Array]:
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    parts = min(len(steps), MOST_POINTS)
    if not parts:
        return steps, values
    return (
        np.array([part.mean() for part in np.array_split(steps, parts)]),
        np.array([part.mean() for part in np.array_split(values, parts)]),
    )
