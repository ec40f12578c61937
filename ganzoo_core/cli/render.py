"""Plain tables and JSON; nothing here imports more than it needs."""

import json
import shutil
import sys
from collections.abc import Sequence


def print_json(content: object) -> None:
    """Print JSON for programs."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, elastic: int) -> str:
    """Return an aligned table; on a terminal, column `elastic` gives way where it is too wide."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - 2 * (len(header) - 1)
        widths[elastic] -= max(0, min(sum(widths) - room, widths[elastic] - 8))
    return "\n".join(_row(line, widths) for line in lines)


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Return aligned lines of name and value."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in pairs if value)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitted = (_fitted(cell, width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(fitted).rstrip()


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"
