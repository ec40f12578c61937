"""Paper beside measured: the table that `ganzoo list --claims` and the documentation show."""

from dataclasses import dataclass
from typing import Any

from ganzoo_core.evaluation.claims.declared import SIZES, Claim, Size, paper_value, with_unit
from ganzoo_core.evaluation.claims.records import Record, latest_records
from ganzoo_core.plugins.installed import Variant

HEADER = ("VARIANT", "CLAIM", "PAPER", "MEASURED", "BUDGET", "VERDICT")
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """A claim beside what was measured of it with one budget, or beside nothing."""

    variant: str
    claim: Claim
    record: Record | None

    def cells(self) -> tuple[str, ...]:
        """Return its cells, in the order of `HEADER`."""
        paper = paper_value(self.claim)
        if self.record is None:
            return (self.variant, self.claim["name"], paper, NOT_MEASURED, "", NOT_MEASURED)
        record = self.record
        measured = record.measured
        if record.mean is not None:
            measured = f"{with_unit(measured, self.claim)} {record.features}".rstrip()
        budget = record_budget(record, self.claim)
        return (self.variant, self.claim["name"], paper, measured, budget, record.outcome)

    def to_json(self) -> dict[str, Any]:
        """Return it as pure data."""
        claim = {key: its for key, its in self.claim.items() if key not in SIZES}
        return {
            "variant": self.variant,
            "claim": claim,
            "verdict": self.record.verdict if self.record else NOT_MEASURED,
            "record": self.record.to_json() if self.record else None,
        }


def claim_rows(variant: Variant, *, shipped_only: bool = False) -> tuple[list[Row], list[str]]:
    """Return the rows of a variant's claims, and a sentence for each record that is no use.

    A claim has a row for each budget that it was measured with, or one that says that it was not.
    `shipped_only` leaves out what the user has measured.
    """
    rows: list[Row] = []
    notes: list[str] = []
    name = variant.full_name if variant.short_name_taken_by else variant.name
    for claim in variant.entry.get("claims", ()):
        records, its_notes = latest_records(variant, claim, shipped_only=shipped_only)
        rows += [Row(name, claim, record) for record in records.values()] or [
            Row(name, claim, None)
        ]
        notes += its_notes
    return rows, notes


def record_budget(record: Record, claim: Claim) -> str:
    """Return what a measurement cost, as a share of the paper's budget where it was less."""
    words = f"{record.size}: {record.budget}"
    if record.share is not None and record.size == "small":
        words += f", {share_of_the_full(record.share)}"
    return words if _public(record.data) == claim["data"] else f"{words}, on {record.data}"


def share_of_the_full(share: float) -> str:
    """Return a share in words, such as `2 % of the full budget`."""
    return f"{100 * share:.2g} % of the full budget"


def unmeasurable(claim: Claim, size: Size) -> str:
    """Return the sentence that says why a claim has no run of a size."""
    return f"the claim {claim['name']} has no {size} run: {claim.get('why_not', '')}"


def _public(data: str) -> str:
    """Return the name of data without saying in which files they lay: `idx:mnist` is `mnist`."""
    return data.rpartition(":")[2].rpartition("/")[2]
