"""Reproducing a paper's claims: train over seeds, measure, judge, and keep a record."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from ganzoo_core.blueprint import Blueprint
from ganzoo_core.data import inspect
from ganzoo_core.errors import (
    ConfigError,
    InterruptedTrainingError,
    PluginError,
    RunError,
    UnknownNameError,
    UnsupportedError,
)
from ganzoo_core.evaluation.claims.declared import (
    Size,
    budget,
    reproduce_command,
    run_folder,
    same_training,
)
from ganzoo_core.evaluation.claims.overview import unmeasurable
from ganzoo_core.evaluation.claims.records import Record, Seed, judged, record_path
from ganzoo_core.evaluation.drawing import NonFiniteImagesError
from ganzoo_core.evaluation.measures import MEASURES
from ganzoo_core.evaluation.result import Result
from ganzoo_core.files import reason, write_json
from ganzoo_core.hub.shipping import find_manifest
from ganzoo_core.places import records_folder
from ganzoo_core.plugins import Variant, load_plugin, read_installed
from ganzoo_core.plugins.schema import Claim, ClaimRun
from ganzoo_core.training.engine import NonFiniteLossError, images_per_step
from ganzoo_core.training.opening import open_data
from ganzoo_core.training.run import (
    DataChoice,
    Observer,
    RunFolder,
    check_resumable,
    new_record,
    public_name,
)


@dataclass(frozen=True)
class _Training:
    """One training of a variant over several seeds, and the claims that it serves."""

    variant: Variant
    size: Size
    claims: list[Claim]
    """At least one, all with the same training."""
    seeds: int
    data: DataChoice
    folder: Path
    device: str
    observer: Observer

    @property
    def run(self) -> ClaimRun:
        return _run_of(self.claims[0], self.size)

    def blueprint(self, seed: int = 0, size: Size | None = None) -> Blueprint:
        """Decide everything about the training of one seed."""
        from ganzoo_core.zoo import plan

        run = _run_of(self.claims[0], size or self.size)
        return plan(
            self.variant.full_name,
            self.data,
            preset=run.preset,
            components=run.components,
            settings=_settings(run, seed),
            epochs=run.epochs,
        )


def reproduce(
    variant: str,
    *,
    small: bool = False,
    claims: Sequence[str] | None = None,
    seeds: int | None = None,
    data: str | None = None,
    data_root: Path | None = None,
    out: Path = Path("reproductions"),
    device: str = "auto",
    ship: Path | None = None,
    observer: Observer | None = None,
    recorded: Callable[[Record, Path], None] | None = None,
) -> list[Record]:
    """Measure the claims of a variant; `ganzoo_core.reproduce` says what the arguments mean."""
    observer = observer or Observer()
    size: Size = "small" if small else "full"
    found = read_installed().variant(variant)
    places = [_writable(Path(records_folder()))]
    if ship:
        places.append(_package_of(ship, found) / "records")
    chosen = _chosen(found, claims, size, observer)
    sources = sorted({claim.data for claim in chosen})
    if data and len(sources) > 1:
        raise ConfigError(
            f"the claims of {found.name} are on {' and '.join(sources)}, so --data cannot replace "
            "them all; choose some of one data set with --claim"
        )
    trainings = [
        _Training(
            found,
            size,
            group,
            seeds or max(_run_of(claim, size).seeds for claim in group),
            DataChoice(data or group[0].data, str(data_root) if data_root else None),
            out / run_folder(found.name, found.entry["claims"], _raw(found, group[0]), size),
            device,
            observer,
        )
        for group in _grouped(found, chosen, size)
    ]
    for training in trainings:
        _check(training)
    records = []
    for training in trainings:
        measured = [_train_and_measure(training, seed) for seed in range(training.seeds)]
        for claim in training.claims:
            record = _recorded(training, claim, measured, seeds, data)
            for place in places:
                path = Path(record_path(str(place), found.name, claim.name, size))
                write_json(path, record.to_json())
                if recorded:
                    recorded(record, path)
            records.append(record)
    return records


def _chosen(
    variant: Variant, names: Sequence[str] | None, size: Size, observer: Observer
) -> list[Claim]:
    """Return the claims to measure, in the manifest's order."""
    manifest = load_plugin(variant.plugin).manifest
    declared = next(entry for entry in manifest.variants if entry.name == variant.name).claims
    if not declared:
        raise UnsupportedError(f"{variant.name} declares no claims, so none can be reproduced")
    known = [claim.name for claim in declared]
    for name in names or ():
        if name not in known:
            raise UnknownNameError("claim", name, known, f"variant {variant.name!r}")
    asked = [claim for claim in declared if not names or claim.name in names]
    measurable = [claim for claim in asked if getattr(claim, size) is not None]
    others = [
        unmeasurable(_raw(variant, claim), size) for claim in asked if claim not in measurable
    ]
    if others and (names or not measurable):
        raise UnsupportedError("; ".join(others))
    for sentence in others:
        observer.noted(sentence)
    return measurable


def _grouped(variant: Variant, claims: Sequence[Claim], size: Size) -> list[list[Claim]]:
    """Put claims together that one training serves."""
    groups: list[list[Claim]] = []
    for claim in claims:
        for group in groups:
            if same_training(_raw(variant, group[0]), _raw(variant, claim), size):
                group.append(claim)
                break
        else:
            groups.append([claim])
    return groups


def _check(training: _Training) -> None:
    """Find out before the first step what would be a pity to find out after the last."""
    training.blueprint()
    verbs = training.variant.entry["verbs"]
    for claim in training.claims:
        if claim.metric not in MEASURES:
            raise UnknownNameError("metric", claim.metric, MEASURES, f"claim {claim.name!r}")
        measure = MEASURES[claim.metric]
        if measure.verb not in verbs:
            raise PluginError(
                f"the claim {claim.name} of {training.variant.full_name} needs a model that can "
                f"{measure.verb}, and its manifest lists only {', '.join(verbs)}"
            )
        for split in {*measure.splits, _run_of(claim, training.size).split}:
            root = Path(training.data.root) if training.data.root else None
            inspect(training.data.source, root=root, split=split)


@dataclass(frozen=True)
class _Measured:
    """One seed of a training: what was measured by claim, or why it failed."""

    seed: int
    results: Mapping[str, Result]
    failure: str
    seconds: float


def _train_and_measure(training: _Training, seed: int) -> _Measured:
    folder = training.folder / f"seed-{seed}"
    results: dict[str, Result] = {}
    failure = ""
    try:
        _trained(training, seed, folder)
        training.observer.noted(f"measuring {folder}")
        for claim in training.claims:
            results[claim.name] = _measured(training, claim, folder)
    except (NonFiniteLossError, NonFiniteImagesError) as error:
        failure = str(error)
        training.observer.noted(f"seed {seed} failed: {failure}")
    return _Measured(seed, results, failure, _seconds(RunFolder(folder)))


def _trained(training: _Training, seed: int, folder: Path) -> None:
    """Train one seed, or go on with it; a run that is finished is left as it is."""
    from ganzoo_core.zoo import train

    run = RunFolder(folder)
    begun = run.record_file.exists()
    if begun and (run.model / "config.json").is_file():
        _check_same(training, seed, run)
        return
    try:
        train(
            training.variant.full_name,
            training.data.source,
            out=folder,
            going_on=begun,
            preset=training.run.preset,
            components=training.run.components,
            settings=_settings(training.run, seed),
            epochs=training.run.epochs,
            data_root=training.data.root,
            device=training.device,
            observer=training.observer,
        )
    except InterruptedTrainingError as error:
        raise InterruptedTrainingError(
            f"stopped within {folder} and saved; the same ganzoo reproduce goes on with it",
            error.exit_code - 128,
        ) from None


def _check_same(training: _Training, seed: int, run: RunFolder) -> None:
    """Check that a finished run is the training of this claim, on these data."""
    blueprint = training.blueprint(seed)
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    data = open_data(trainer, blueprint, training.data)
    before = run.record()
    check_resumable(run.path, before, new_record(blueprint, training.data, data.fingerprint, 1))
    steps = before["blueprint"]["training"]["steps"]
    if steps != blueprint.training.steps:
        raise RunError(
            f"{run.path} was trained for {steps} steps and the claim says "
            f"{blueprint.training.steps}; choose another --out"
        )


def _measured(training: _Training, claim: Claim, folder: Path) -> Result:
    from ganzoo_core.zoo import evaluate

    run = _run_of(claim, training.size)
    found = evaluate(
        folder,
        training.data.source,
        metrics=[claim.metric],
        features=run.features,
        count=run.count,
        split=run.split,
        data_root=training.data.root,
        device=training.device,
    ).results
    named = {result.metric.partition("[")[0]: result for result in found}
    if claim.figure not in named and (claim.figure or len(named) > 1):
        raise PluginError(
            f"the claim {claim.name} of {training.variant.full_name} must name one figure of "
            f"{claim.metric}: {', '.join(named)}"
        )
    return named[claim.figure] if claim.figure else found[0]


def _recorded(
    training: _Training,
    claim: Claim,
    measured: Sequence[_Measured],
    seeds: int | None,
    data: str | None,
) -> Record:
    run = _run_of(claim, training.size)
    its = measured[: seeds or run.seeds]
    results = [each.results.get(claim.name) for each in its]
    values = [result.value for result in results if result]
    mean, deviation, verdict = judged(values, claim.better, claim.value, claim.spread)
    blueprint = training.blueprint()
    source = public_name(training.data.source)
    words = run.model_dump(mode="json", exclude_defaults=True)
    return Record(
        variant=training.variant.full_name,
        plugin_version=training.variant.plugin.version,
        claim=claim.name,
        metric=claim.metric,
        figure=next((result.metric for result in results if result), claim.figure),
        data=source,
        fingerprint=str(RunFolder(training.folder / "seed-0").record()["data"]["fingerprint"]),
        paper=claim.value,
        paper_spread=claim.spread,
        better=claim.better,
        size=training.size,
        budget=budget(words, len(its)),
        run=words,
        steps=blueprint.training.steps,
        batch_size=blueprint.training.batch_size,
        share=_share(training, blueprint),
        seeds=tuple(
            Seed(each.seed, result.value if result else None, each.failure, each.seconds)
            for each, result in zip(its, results, strict=True)
        ),
        mean=mean,
        deviation=deviation,
        verdict=verdict,
        processors=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        device=_device_name(training.device),
        torch=torch.__version__,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=reproduce_command(
            training.variant.name,
            _raw(training.variant, claim),
            training.size,
            seeds,
            source if data else None,
        ),
        seconds=round(sum(each.seconds for each in its), 1),
    )


def _share(training: _Training, blueprint: Blueprint) -> float | None:
    """Return which share of the images of the full budget a training sees."""
    if training.claims[0].full is None:
        return None
    return float(_images(blueprint) / _images(training.blueprint(size="full")))


def _images(blueprint: Blueprint) -> Fraction:
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    return blueprint.training.steps * images_per_step(trainer.stages(), blueprint.training)


def _settings(run: ClaimRun, seed: int) -> dict[str, Any]:
    length = {} if run.steps is None else {"training.steps": run.steps}
    return run.settings | {"training.seed": seed} | length


def _seconds(run: RunFolder) -> float:
    """Return how long a run has trained, over all its resumptions."""
    try:
        last = run.metrics_file.read_text(encoding="utf-8").splitlines()[-1]
        return float(json.loads(last)["seconds"])
    except (OSError, ValueError, IndexError, KeyError):
        return 0.0  # it failed before its first line


def _device_name(device: str) -> str:
    from ganzoo_core.training.processes import find_device

    found = find_device(device)
    return torch.cuda.get_device_name(found) if found.type == "cuda" else found.type


def _run_of(claim: Claim, size: Size) -> ClaimRun:
    run = claim.full if size == "full" else claim.small
    assert run is not None
    return run


def _raw(variant: Variant, claim: Claim) -> Mapping[str, Any]:
    """Return a claim as the manifest has it."""
    claims: list[Mapping[str, Any]] = variant.entry["claims"]
    return next(raw for raw in claims if raw["name"] == claim.name)


def _writable(records: Path) -> Path:
    """Return the folder of records, made where it was missing.

    Raises:
        RunError: it cannot be written, which is better said before hours of training.
    """
    try:
        records.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{records} cannot be made ({reason(error)}), and records of claims belong there; set "
            "GANZOO_DATA to a folder that can be written"
        ) from None
    if not os.access(records, os.W_OK):
        raise RunError(
            f"{records} cannot be written, and records of claims belong there; set GANZOO_DATA to "
            "a folder that can be"
        )
    return records


def _package_of(plugin: Path, variant: Variant) -> Path:
    """Return the package folder in a plugin's source, which must have the variant."""
    manifest = find_manifest(plugin)
    names = [entry["name"] for entry in json.loads(manifest.read_bytes())["variants"]]
    if variant.name not in names:
        raise PluginError(f"the plugin in {plugin} has no variant {variant.name!r}")
    return manifest.parent
