"""What a report holds, before it becomes a page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Picture:
    """Images laid out as one."""

    image: Image.Image
    says: str
    """What it shows, for those who cannot see it."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A drawing of numbers."""

    draw: Callable[["Axes"], None]
    says: str
    """What it shows, for those who cannot see it."""
    height: float = 0.55
    """As a share of its width."""


@dataclass(frozen=True)
class Table:
    """Rows of text; where there is no header, the first column says what the second is."""

    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a report."""

    title: str
    text: str
    parts: tuple[Picture | Chart | Table, ...]


@dataclass(frozen=True)
class Report:
    """What is shown of a model, and what is not."""

    title: str
    summary: str
    sections: tuple[Section, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why each part is missing that does not apply, by its title."""
