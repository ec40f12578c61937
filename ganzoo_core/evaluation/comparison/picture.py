"""What the variants draw, side by side: each from the same seed of latents."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ganzoo_core.evaluation.comparison.records import Outcome
from ganzoo_core.evaluation.comparison.summary import Comparison
from ganzoo_core.files import whole_file

PICTURE = "samples.png"
_HEIGHT = 320
"""Pixels that each grid is at least brought to, by whole factors, so that small images are seen."""
_GAP = 16
_LABEL = 24


def drawn(comparison: Comparison, variant: str) -> tuple[Outcome, Path] | None:
    """Return a variant's first finished run and the grid that it drew; None where there is none."""
    for outcome in comparison.outcomes:
        grid = comparison.run_folder(outcome) / "model" / "samples.png"
        if (outcome.entrant, outcome.status) == (variant, "finished") and grid.is_file():
            return outcome, grid
    return None


def write_picture(comparison: Comparison) -> None:
    """Write the grids side by side, each below its variant's name and result."""
    grids = []
    for row in comparison.rows:
        found = drawn(comparison, row.variant)
        if found is not None:
            outcome, file = found
            value = outcome.points.values[outcome.steps]
            label = f"{row.variant}: {outcome.points.metric} {value:.4g}"
            with Image.open(file) as image:
                grids.append((label, _enlarged(image.convert("RGB"))))
    if not grids:
        return
    font = ImageFont.load_default(size=15)
    widths = [max(grid.width, round(font.getlength(label))) for label, grid in grids]
    height = _GAP + _LABEL + max(grid.height for _, grid in grids) + _GAP
    sheet = Image.new("RGB", (sum(widths) + _GAP * (len(grids) + 1), height), "white")
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    for (label, grid), width in zip(grids, widths, strict=True):
        draw.text((left, _GAP), label, fill="black", font=font)
        sheet.paste(grid, (left, _GAP + _LABEL))
        left += width + _GAP
    with whole_file(comparison.folder / PICTURE) as partial:
        sheet.save(partial, "PNG", optimize=True)


def _enlarged(grid: Image.Image) -> Image.Image:
    factor = max(1, -(-_HEIGHT // grid.height))
    return grid.resize((grid.width * factor, grid.height * factor), Image.Resampling.NEAREST)
