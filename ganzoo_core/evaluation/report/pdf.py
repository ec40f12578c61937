"""A report as a PDF of A4 pages, set with matplotlib, which draws without a display."""

import io
import textwrap
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganzoo_core.evaluation.report.charts import quietly
from ganzoo_core.evaluation.report.content import Chart, Picture, Report, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE = (8.27, 11.69)
"""A4, in inches, as is everything below."""
MARGIN = 0.8
WIDTH = PAGE[0] - 2 * MARGIN
TALLEST = 7.5
"""Of a picture, so that its heading fits on the page above it."""

TEXT, SMALL = 9.0, 7.5
"""Sizes of type, in points."""
LEADING = 1.4
LETTER = 0.53
"""How wide a letter of the font is on average, as a share of its size."""
LEGEND = 0.24
"""Share of a chart's width that the names at its right take."""


def rendered_pdf(report: Report) -> bytes:
    """Return the file, which holds no date: the same report gives the same bytes."""
    from matplotlib.backends.backend_pdf import PdfPages

    file = io.BytesIO()
    facts = {"Title": report.title, "CreationDate": None}
    with PdfPages(file, metadata=facts) as pdf, quietly(), _Sheets(pdf) as sheets:
        sheets.text(report.title, size=20, bold=True)
        sheets.text(report.summary)
        for section in report.sections:
            sheets.begin(section.title, _height(section.parts[0]) if section.parts else 0)
            sheets.text(section.text)
            for part in section.parts:
                match part:
                    case Picture():
                        sheets.picture(part.image)
                    case Chart():
                        sheets.chart(part)
                    case Table():
                        sheets.table(part)
        if report.left_out:
            sheets.begin("Not shown", 1)
            for title, reason in report.left_out.items():
                sheets.text(f"{title}: {reason}.")
    return file.getvalue()


def _height(part: Picture | Chart | Table) -> float:
    match part:
        case Picture():
            return _size(part.image)[1]
        case Chart():
            return WIDTH * part.height
        case Table():
            return 1.0


def _size(image: Image.Image) -> tuple[float, float]:
    """Return width and height that a picture gets: an inch for 96 pixels, where that fits."""
    scale = min(1 / 96, WIDTH / image.width, TALLEST / image.height)
    return image.width * scale, image.height * scale


class _Sheets:
    """Pages that are filled from above, one after the other."""

    def __init__(self, pdf: Any) -> None:
        self._pdf = pdf
        self._figure: Figure | None = None
        self._down = 0.0
        """How far the page is filled, from its upper edge."""
        self._number = 0

    def __enter__(self) -> "_Sheets":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()

    def begin(self, title: str, first: float) -> None:
        """Write a heading on the page on which the first part below it, so high, finds room."""
        self._page(first + 1.2)
        self._down += 0.2 if self._down > MARGIN else 0
        self.text(title, size=13, bold=True)

    def text(self, text: str, *, size: float = TEXT, bold: bool = False) -> None:
        """Write a paragraph, if there is any text."""
        if not text:
            return
        for line in _wrapped(text, WIDTH, size):
            figure = self._page(size * LEADING / 72)
            _write(figure, MARGIN, self._down, line, size, bold)
            self._down += size * LEADING / 72
        self._down += 0.6 * size / 72

    def picture(self, image: Image.Image) -> None:
        """Place a picture."""
        width, height = _size(image)
        axes = self._axes(width, height, self._page(height))
        axes.set_axis_off()
        axes.imshow(np.asarray(image.convert("RGB")), interpolation="none", aspect="auto")
        self._down += height + 0.15

    def chart(self, chart: Chart) -> None:
        """Draw a chart, leaving room for the labels of its axes and the names at its right."""
        height = WIDTH * chart.height
        figure = self._page(height)
        left, below = 0.6, 0.5
        axes = self._axes(WIDTH * (1 - LEGEND) - left, height - below, figure, left)
        chart.draw(axes)
        for item in (*axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts):
            item.set_fontsize(SMALL)
        for item in (axes.xaxis.label, axes.yaxis.label):
            item.set_fontsize(SMALL)
        if legend := axes.get_legend():
            for item in legend.get_texts():
                item.set_fontsize(SMALL)
        self._down += height + 0.15

    def table(self, table: Table) -> None:
        """Write a table, which may go on overleaf."""
        if table.caption:
            self.text(table.caption, bold=True)
        rows = [table.header, *table.rows] if table.header else list(table.rows)
        widths = _widths(rows)
        for number, row in enumerate(rows):
            cells = [
                _wrapped(cell, width - 0.12, SMALL) for cell, width in zip(row, widths, strict=True)
            ]
            height = max(map(len, cells)) * SMALL * LEADING / 72
            figure = self._page(height)
            left = MARGIN
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
                bold = (not column) or (number == 0 and bool(table.header))
                for line, text in enumerate(cell):
                    down = self._down + line * SMALL * LEADING / 72
                    _write(figure, left, down, text, SMALL, bold)
                left += width
            self._down += height + 0.03
        self._down += 0.15

    def _page(self, height: float) -> "Figure":
        """Return the page on which so much finds room, a new one where it must be."""
        from matplotlib.figure import Figure

        if self._figure is not None and self._down + height > PAGE[1] - MARGIN:
            self._finish()
        if self._figure is None:
            self._number += 1
            self._figure = Figure(figsize=PAGE)
            self._down = MARGIN
            foot = PAGE[1] - MARGIN / 2
            _write(self._figure, PAGE[0] - MARGIN, foot, str(self._number), SMALL)
        return self._figure

    def _finish(self) -> None:
        if self._figure is not None:
            self._pdf.savefig(self._figure)
        self._figure = None

    def _axes(self, width: float, height: float, figure: "Figure", left: float = 0) -> "Axes":
        bottom = PAGE[1] - self._down - height
        return figure.add_axes(
            ((MARGIN + left) / PAGE[0], bottom / PAGE[1], width / PAGE[0], height / PAGE[1])
        )


def _write(
    figure: "Figure", left: float, down: float, text: str, size: float, bold: bool = False
) -> None:
    figure.text(
        left / PAGE[0],
        1 - down / PAGE[1],
        text,
        size=size,
        weight="bold" if bold else "normal",
        va="top",
        parse_math=False,
    )


def _wrapped(text: str, width: float, size: float) -> list[str]:
    return textwrap.wrap(text, max(4, int(width * 72 / (size * LETTER)))) or [""]


def _widths(rows: list[tuple[str, ...]]) -> list[float]:
    """Share the page's width among columns by their longest cells, up to 60 letters."""
    longest = [min(60, max(map(len, column))) + 4 for column in zip(*rows, strict=True)]
    needed = [length * SMALL * LETTER / 72 for length in longest]
    return [width * min(1, WIDTH / sum(needed)) for width in needed]
