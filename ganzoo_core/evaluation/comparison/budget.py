"""How long each variant may train: steps, passes over the data, or time."""

import re
from dataclasses import dataclass
from typing import Literal

from ganzoo_core.errors import ConfigError

_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(steps?|epochs?|s|min|h)\s*")
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_MOST = 10**9


@dataclass(frozen=True)
class Budget:
    """A length of training that means the same for every variant."""

    amount: float
    unit: Literal["steps", "epochs", "seconds"]

    def __str__(self) -> str:
        shown = f"{self.amount:,.0f}" if self.amount.is_integer() else f"{self.amount:g}"
        return f"{shown} {self.unit[:-1] if self.amount == 1 else self.unit}"


def parse_budget(text: str) -> Budget:
    """Read `5000steps`, `20epochs`, `90s`, `10min` or `2h`.

    Raises:
        ConfigError: it is none of these, zero, part of a step, or beyond all measure.
    """
    found = _BUDGET.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"the budget is {text!r} and must be a number with its unit: "
            "5000steps, 20epochs, 90s, 10min or 2h"
        )
    amount, unit = float(found[1]), found[2]
    if not 0 < amount <= _MOST:
        raise ConfigError(f"the budget {text!r} must be above 0 and at most {_MOST:,}")
    if unit in _SECONDS:
        return Budget(amount * _SECONDS[unit], "seconds")
    if unit.startswith("epoch"):
        return Budget(amount, "epochs")
    if not amount.is_integer():
        raise ConfigError(f"the budget {text!r} must be a whole number of steps")
    return Budget(amount, "steps")
