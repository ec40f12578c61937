"""Claims as manifests declare them, in words and as commands.

`ganzoo list --claims` reads manifests that nobody has checked in full, so nothing here needs more
of a claim than `ganzoo_core.plugins.installed` has looked at; `ganzoo_core.plugins.schema.Claim`
is the authority on the rest.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ganzoo_core.plugins.installed import DEFAULT_SEEDS

Size = Literal["full", "small"]
SIZES: tuple[Size, Size] = ("full", "small")
"""The budgets of a claim, the paper's own first."""

Claim = Mapping[str, Any]
"""A claim of a manifest."""


def paper_value(claim: Claim) -> str:
    """Return what the paper reports, such as `225 ± 2 nats`."""
    value = f"{claim['value']:g}"
    return with_unit(f"{value} ± {claim['spread']:g}" if claim.get("spread") else value, claim)


def with_unit(value: str, claim: Claim) -> str:
    """Return a number's text with the unit of a claim, where it has one."""
    return f"{value} {claim.get('unit', '')}".rstrip()


def metric_name(claim: Claim) -> str:
    """Return which number of which metric a claim is about, such as `precision-recall: recall`."""
    return f"{claim['metric']}: {claim['figure']}" if claim.get("figure") else str(claim["metric"])


def budget(run: Mapping[str, Any], seeds: int | None = None) -> str:
    """Return what a run costs, such as `5 epochs, 3 seeds`, or what its manifest says of that."""
    trainings = counted(seeds or run.get("seeds", DEFAULT_SEEDS), "seed")
    if run.get("budget"):
        return f"{run['budget']}, {trainings}"
    noun = "step" if run.get("steps") else "epoch"
    return f"{counted(run[f'{noun}s'], noun)}, {trainings}"


def counted(count: float, noun: str) -> str:
    """Return a number with what it counts, such as `3,000 steps`."""
    return f"{count:,.10g} {noun}{'' if count == 1 else 's'}"


def run_folder(variant: str, claims: Sequence[Claim], claim: Claim, size: Size) -> str:
    """Return the folder of the trainings of a claim, which claims with the same training share.

    `VARIANT-SIZE` for the first training that a variant's claims ask for, and with the name of its
    first claim behind it for any other.
    """
    measured = [each for each in claims if each.get(size)]
    first = next(each for each in measured if same_training(each, claim, size))
    name = f"{variant}-{size}"
    return name if first is measured[0] else f"{name}-{first['name']}"


def same_training(first: Claim, second: Claim, size: Size) -> bool:
    """Say whether one training serves to measure both claims."""
    return _training(first, size) == _training(second, size)


def reproduce_command(
    variant: str, claim: Claim, size: Size, seeds: int | None = None, data: str | None = None
) -> str:
    """Return the command that measures a claim."""
    words = ["ganzoo", "reproduce", variant, *(["--small"] if size == "small" else [])]
    words += ["--claim", str(claim["name"])]
    words += ["--seeds", str(seeds)] if seeds else []
    return shlex.join(words + (["--data", data] if data else []))


def commands(variant: str, claims: Sequence[Claim], claim: Claim, size: Size) -> tuple[str, str]:
    """Return what reproducing a claim comes to for its first seed: to train, and to measure."""
    run = claim[size]
    folder = f"reproductions/{run_folder(variant, claims, claim, size)}/seed-0"
    train = ["ganzoo", "train", variant, "--data", claim["data"]]
    train += ["--preset", run["preset"]] if run.get("preset") else []
    for role, component in run.get("components", {}).items():
        train += [f"--{role}", component]
    for path, value in run.get("settings", {}).items():
        train += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
    length = "steps" if run.get("steps") else "epochs"
    train += [f"--{length}", f"{run[length]:.10g}", "--seed", "0", "--out", folder]
    evaluate = ["ganzoo", "evaluate", folder, "--data", claim["data"]]
    evaluate += ["--metrics", claim["metric"]]
    for option in ("count", "split", "features"):
        evaluate += [f"--{option}", str(run[option])] if run.get(option) else []
    return shlex.join(train), shlex.join(evaluate)


def _training(claim: Claim, size: Size) -> list[object]:
    run = claim[size]
    keys = ("preset", "components", "settings", "steps", "epochs")
    return [claim["data"], *(run.get(key) or None for key in keys)]
