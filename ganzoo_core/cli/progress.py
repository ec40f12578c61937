"""How long work is shown: bars on a terminal, plain lines elsewhere, nothing where asked for JSON.

All of it goes to standard error, so that standard output holds results only.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ganzoo_core.training.run import Logged, Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ganzoo_core.blueprint import Blueprint

_SECONDS_BETWEEN_LINES = 10.0


class Watching(Observer):
    """An observer that remembers the last line; shows nothing by itself."""

    def __init__(self) -> None:
        self._last: Logged | None = None

    def logged(self, line: Logged) -> None:
        """Remember the line."""
        self._last = line

    def last_line(self) -> dict[str, Any] | None:
        """Return the last logged line as data."""
        return asdict(self._last) if self._last else None


class PlainLines(Watching):
    """One line now and then, for logs and pipes."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = 0
        self._start = 0
        self._began = self._shown = 0.0

    def decoding(self, done: int, total: int) -> None:
        """Say so once it is done."""
        if done == total:
            _say(f"decoded {total} images")

    def started(self, steps_done: int, steps: int, blueprint: "Blueprint") -> None:
        """Say where it starts."""
        self._steps, self._start = steps, steps_done
        self._began = self._shown = time.monotonic()
        where = f"going on after step {steps_done}" if steps_done else "training"
        _say(f"{where}: {blueprint.entry.name}, {steps} steps")

    def logged(self, line: Logged) -> None:
        """Say how it goes, at most every ten seconds, and at the end."""
        super().logged(line)
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN_LINES and line.step not in (1, self._steps):
            return
        self._shown = now
        done = line.step - self._start
        left = (now - self._began) / done * (self._steps - line.step) if done else 0
        _say(f"step {line.step}/{self._steps}  {_summary(line)}  {_duration(left)} left")

    def noted(self, message: str) -> None:
        """Say it."""
        _say(f"note: {message}")


class Bars(Watching):
    """A progress bar with losses, images per second and the time left."""

    def __init__(self, progress: "Progress") -> None:
        super().__init__()
        self._progress = progress
        self._decoding: TaskID | None = None
        self._training: TaskID | None = None

    def decoding(self, done: int, total: int) -> None:
        """Move the decoding bar."""
        if self._decoding is None:
            self._decoding = self._progress.add_task("decoding", total=total, shown="")
        self._progress.update(self._decoding, completed=done, total=total)

    def started(self, steps_done: int, steps: int, blueprint: "Blueprint") -> None:
        """Begin the training bar."""
        if self._decoding is not None:
            self._progress.remove_task(self._decoding)
        self._training = self._progress.add_task(
            blueprint.entry.name, completed=steps_done, total=steps, shown=""
        )

    def stepped(self, steps_done: int) -> None:
        """Move the training bar."""
        if self._training is not None:
            self._progress.update(self._training, completed=steps_done)

    def logged(self, line: Logged) -> None:
        """Show the losses."""
        super().logged(line)
        if self._training is not None:
            self._progress.update(self._training, shown=_summary(line))

    def noted(self, message: str) -> None:
        """Say it above the bar."""
        self._progress.console.print(f"note: {message}", markup=False, highlight=False)


@contextmanager
def observer(*, quiet: bool = False) -> Iterator[Watching]:
    """Give an observer that shows a training in the way that suits where it is shown."""
    if quiet or os.environ.get("RANK", "0") != "0":
        yield Watching()
    elif not sys.stderr.isatty():
        yield PlainLines()
    else:
        with _bars("{task.fields[shown]}") as progress:
            yield Bars(progress)


@contextmanager
def counting(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function of (done, total) that moves a bar; None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _bars("") as progress:
        task = progress.add_task(what, total=None, shown="")
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def downloading(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function of (file, bytes done, bytes in all); None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _bars("") as progress:
        tasks: dict[str, TaskID] = {}

        def show(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file, total=total, shown="")
            progress.update(tasks[file], completed=done)

        yield show


def _bars(shown: str) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn(shown),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _summary(line: Logged) -> str:
    losses = "  ".join(
        f"{name} {value:.3f}" for name, value in line.losses.items() if "/" not in name
    )
    return f"{losses}  {line.images_per_second:.0f} images/s"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
