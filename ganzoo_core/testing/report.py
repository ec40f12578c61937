"""What a check found, and how a whole report reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "not applicable"]


class NotKeptError(AssertionError):
    """A promise that a plugin does not keep: what the contract asks, and what the plugin did."""


class NotApplicableError(Exception):
    """A check that has nothing to look at in this subject; the message says why."""


@dataclass(frozen=True)
class Result:
    """What one check found in one subject."""

    check: str
    """Name of the check, such as `resume_equals_straight_run`."""
    subject: str
    """What was looked at: a distribution, a component (`generator/dcgan`) or a variant."""
    status: Status
    sentence: str
    """The promise that is kept, how it is broken, or why there is nothing to check."""


@dataclass(frozen=True)
class Report:
    """What all checks found in one plugin."""

    distribution: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether no promise is broken."""
        return not self.failed

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results that say how a promise is broken."""
        return tuple(result for result in self.results if result.status == "failed")

    def counts(self) -> dict[Status, int]:
        """Return how many results have each status."""
        counts: dict[Status, int] = {"passed": 0, "failed": 0, "not applicable": 0}
        for result in self.results:
            counts[result.status] += 1
        return counts

    def to_text(self) -> str:
        """Return the report for people: a line a result, then the counts."""
        width = max((len(result.status) for result in self.results), default=0)
        lines = [
            f"{result.status:<{width}}  {result.subject}: {result.check} ({result.sentence})"
            for result in self.results
        ]
        counted = ", ".join(f"{number} {status}" for status, number in self.counts().items())
        return "\n".join([*lines, f"{self.distribution}: {counted}"])

    def to_json(self) -> Mapping[str, Any]:
        """Return the report as pure data."""
        return {
            "distribution": self.distribution,
            "counts": dict(self.counts()),
            "results": [asdict(result) for result in self.results],
        }
