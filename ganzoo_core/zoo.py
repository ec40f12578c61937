"""What a user types: list, create, train, load, evaluate, compare, publish, and the rest."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganzoo_core.errors import ConfigError, DataError, RunError, UnknownNameError
from ganzoo_core.plugins import read_installed

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo_core.blueprint import Blueprint
    from ganzoo_core.components import Trainer
    from ganzoo_core.data import ClipData, DataInfo, ImageData
    from ganzoo_core.evaluation import Evaluation
    from ganzoo_core.evaluation.claims.records import Record
    from ganzoo_core.evaluation.comparison.summary import Comparison
    from ganzoo_core.evaluation.report import Report
    from ganzoo_core.hub.files import Progress
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.upload import Published
    from ganzoo_core.model import Model
    from ganzoo_core.plugins import Installed
    from ganzoo_core.plugins.schema import VariantEntry
    from ganzoo_core.projecting import Observe, Projection, Space
    from ganzoo_core.text import Tokenizer
    from ganzoo_core.training.given import GivenNetworks
    from ganzoo_core.training.run import DataChoice, Observer


def list_variants(pattern: str = "*") -> list[str]:
    """Return the names of the installed variants that match a wildcard, such as `*gan*`."""
    return [name for name in _primary_names() if fnmatchcase(name, pattern)]


def create(
    variant: str,
    *,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    **settings: Any,
) -> "Model":
    """Build a variant's networks with fresh weights.

    Args:
        variant: name of an installed variant.
        preset: name of one of its presets.
        components: other components for the recipe, such as `{"generator": "stylegan"}`.
        seed: of the initial weights.
        device: where to put them.
        settings: hyper-parameters; `image_size=32` sets every part that has it, and
            `generator={"width": 32}` one part.

    Raises:
        GanzooError: an unknown name, a value that a setting cannot have, or a broken plugin.
    """
    from ganzoo_core.blueprint import draw_up
    from ganzoo_core.model import Model
    from ganzoo_core.settings import flattened
    from ganzoo_core.training.processes import find_device

    chosen = flattened(settings) | {"training.seed": seed}
    blueprint = draw_up(read_installed(), variant, chosen, components=components, preset=preset)
    return Model(blueprint, blueprint.build_networks()).to(find_device(device))


def load(name: str | Path, *, pretrained: str | None = None, device: str = "cpu") -> "Model":
    """Load a trained model; all files of pinned weights are verified, and none can run code.

    Args:
        name: a run's or a model's folder, a pretrained tag (`dcgan.mnist`, or `dcgan` for its
            first), or a Hub repository (`org/name` or `org/name@revision`).
        pretrained: another way to name the tag of a variant.
        device: where to put the weights.

    Raises:
        GanzooError: there is no such model, it is damaged, or a plugin that it needs is missing.
    """
    from ganzoo_core.hub.folder import read_model_folder
    from ganzoo_core.training.processes import find_device

    installed = read_installed()
    folder, origin = _located(installed, name, pretrained)
    return read_model_folder(installed, folder, origin, device=find_device(device))


def evaluate(
    model: "Model | str | Path",
    data: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    target_test: str | None = None,
    metrics: Sequence[str] | None = None,
    features: str | None = None,
    count: int = 10_000,
    seed: int = 0,
    batch_size: int = 64,
    split: str = "train",
    data_root: Path | str | None = None,
    resize_filter: str = "lanczos",
    device: str = "cpu",
    write: bool = True,
    progress: "Progress | None" = None,
) -> "Evaluation":
    """Measure a model against data.

    Args:
        model: a model, or what `load` takes.
        data: real images to hold it against; see `ganzoo_core.data`.
        source, target, target_test: two domains instead: the model is measured on the test set of
            the target (`target_test` where given), then on that of the source.
        metrics: names of `ganzoo_core.evaluation.MEASURES`; by default those that suit what the
            model can do.
        features: the network in whose eyes images are compared: `mnist-convnet`,
            `fashion-mnist-convnet` or a timm backbone; by default one that suits the data.
        count: how many images to draw, or to reconstruct. FID takes all real images, other metrics
            as many as are drawn.
        seed: of the images and of what metrics draw.
        batch_size: images at a time; it changes no result but by rounding.
        split: of the data, "train" or "test"; of domains always the test set, where there is one.
        data_root: folder that the data's path is relative to.
        resize_filter: lanczos, bicubic, bilinear or box, for data of another size than the model's.
        device: where to put a model that is loaded.
        write: record the results in `evaluation.json` and the model card, where the model lies in a
            run's or a model's folder.
        progress: called with what is being done, and the images done and in all.

    Raises:
        GanzooError: a metric that does not suit the model, too few images, images that are not
            finite, features that cannot be had, or whatever else a user can mend.
    """
    from ganzoo_core.data import domains_of
    from ganzoo_core.evaluation import evaluate as measure
    from ganzoo_core.evaluation.adaptation import evaluate_domains

    name = _data_name(data, source, target, target_test)
    if name is None:
        raise ConfigError("say what to measure it on: --data, or --source and --target")
    loaded = _as_model(model, device)
    of_split = {} if domains_of(name) else {"split": split}
    return (evaluate_domains if domains_of(name) else measure)(
        loaded,
        name,
        metrics=metrics,
        features=features,
        count=count,
        seed=seed,
        batch_size=batch_size,
        data_root=Path(data_root) if data_root else None,
        resize_filter=resize_filter,
        write=write,
        progress=progress,
        **of_split,
    )


def latent(
    model: "Model | str | Path",
    out: str | Path,
    *,
    pictures: Sequence[str] | None = None,
    data: str | None = None,
    data_root: Path | str | None = None,
    split: str = "train",
    seed: int = 0,
    projection: str = "pca",
    source: str | None = None,
    target: str | None = None,
    before: "Model | str | Path | None" = None,
    device: str = "cpu",
    progress: "Progress | None" = None,
) -> "Mapping[str, Path]":
    """Draw the latent space of a model.

    Args:
        model: a model, or what `load` takes.
        out: the folder to write a PNG file a picture into.
        pictures: names of `ganzoo_core.evaluation.latent.PICTURES`; by default all that suit.
        data: real images, which some pictures need; see `ganzoo_core.data`.
        data_root: folder that the data's path is relative to.
        split: of the data, "train" or "test".
        seed: of all that is drawn and chosen.
        projection: how codes of more than two numbers are shown: "pca", or "umap", which needs the
            package umap-learn.
        source, target: two domains instead of `data`; those of a run of domain adaptation are
            known, and stand in for data that are not given.
        before: a model that was not adapted, to show the domains' features of too.
        device: where to put a model that is loaded.
        progress: called with what is being done, and how much is done and in all.

    Returns:
        the files by the names of the pictures.

    Raises:
        GanzooError: a picture that the model does not have, or whatever else a user can mend.
    """
    from ganzoo_core.evaluation.latent import draw_latent

    loaded = _as_model(model, device)
    root = str(data_root) if data_root else None
    name = _data_name(data, source, target, None)
    if name is None:
        name, root = _domains_of_run(loaded, root)
    return draw_latent(
        loaded,
        Path(out),
        pictures=pictures,
        data=name,
        data_root=Path(root) if root else None,
        split=split,
        seed=seed,
        projection=projection,
        before=None if before is None else _as_model(before, device),
        progress=progress,
    )


def project(
    model: "Model | str | Path",
    target: "Path | str | Tensor",
    *,
    space: "Space" = "w",
    steps: int = 1000,
    label: int | None = None,
    features: str | None = None,
    noise: bool = True,
    seed: int = 0,
    device: str = "cpu",
    observe: "Observe | None" = None,
    noted: "Callable[[str], None] | None" = None,
) -> "Projection":
    """Find the style that a generator draws a given image of (Karras et al. 2020, appendix D).

    Args:
        model: a model, or what `load` takes.
        target: an image file, whose central square is resized, or a tensor [C, H, W] in [-1, 1].
        space: "w", one style for all layers, or "w+", one for each.
        steps: how long to look.
        label: of a conditional model: the image's class, 0 unless given.
        features: the network in whose eyes images are compared, as for `evaluate`, or "pixels"; by
            default the usual one where it can be had, and else pixels.
        noise: look for the layers' noise too.
        seed: of all that is drawn.
        device: where to put a model that is loaded.
        observe: told how it goes; see `ganzoo_core.projecting.Observe`.
        noted: told in a sentence where the usual features cannot be had.

    Returns:
        what was found; Ctrl-C ends the search early with what there is.

    Raises:
        GanzooError: a model without styles, a target that cannot be read, or features that cannot
            be had.
    """
    from torch import Tensor

    from ganzoo_core.projecting import features_for, read_target

    loaded = _as_model(model, device)
    generator = loaded.mapped("project images")
    loaded.check_label(label)
    wanted = target
    if not isinstance(wanted, Tensor):
        wanted = read_target(Path(wanted), generator.image_shape)
    seen_by, why = features_for(features, loaded.device)
    if why and noted:
        noted(why)
    return loaded.project(
        wanted,
        space=space,
        steps=steps,
        label=label,
        features=seen_by,
        noise=noise,
        seed=seed,
        observe=observe,
    )


def report(
    model: "Model | str | Path",
    out: str | Path,
    *,
    data: str | None = None,
    count: int = 64,
    seed: int = 0,
    batch_size: int = 64,
    split: str = "train",
    data_root: Path | str | None = None,
    resize_filter: str = "lanczos",
    projection: str = "pca",
    device: str = "cpu",
    progress: "Progress | None" = None,
) -> "Report":
    """Write one page about a model, which needs no other file and no network to be read.

    It says what the model is and shows images, interpolations, truncated latents, codes and
    reconstructions of real images, nearest neighbours in the training set, the run's losses and
    what was measured; parts that do not apply are left out, with the reason. The same seed, model
    and data give the same page.

    Args:
        model: a model, or what `load` takes.
        out: the page, ending in `.html` or `.pdf`.
        data: real images for codes, reconstructions and neighbours; see `ganzoo_core.data`.
        count: how many images to draw.
        seed: of all that is drawn and chosen.
        batch_size: images at a time.
        split: of the data, "train" or "test".
        data_root: folder that the data's path is relative to.
        resize_filter: lanczos, bicubic, bilinear or box, for data of another size than the model's.
        projection: how codes of more than two numbers are shown: "pca", or "umap", which needs the
            package umap-learn.
        device: where to put a model that is loaded.
        progress: called with what is being done, and how much is done and in all.

    Returns:
        what stands on the page, and why each missing part was left out.

    Raises:
        GanzooError: a page that cannot be written, or whatever else a user can mend.
    """
    from ganzoo_core.evaluation.report import check_format, drawn_up, write

    check_format(Path(out))
    loaded = _as_model(model, device)
    its = drawn_up(
        loaded,
        data=data,
        count=count,
        seed=seed,
        batch_size=batch_size,
        split=split,
        data_root=Path(data_root) if data_root else None,
        resize_filter=resize_filter,
        projection=projection,
        progress=progress,
    )
    write(its, Path(out))
    return its


def reproduce(
    variant: str,
    *,
    small: bool = False,
    claims: Sequence[str] | None = None,
    seeds: int | None = None,
    data: str | None = None,
    data_root: Path | str | None = None,
    out: Path | str = "reproductions",
    device: str = "auto",
    ship: Path | str | None = None,
    observer: "Observer | None" = None,
    recorded: "Callable[[Record, Path], None] | None" = None,
) -> "list[Record]":
    """Measure what a variant's paper claims: train over several seeds, evaluate, and judge.

    What was stopped goes on when it is called again with the same arguments, and runs that are
    finished are not repeated. Each claim's record is kept in the user's data, where
    `ganzoo list --claims` finds it.

    Args:
        variant: name of an installed variant.
        small: with the budgets for two CPU cores instead of the papers' own.
        claims: names of claims; all that have such a budget by default.
        seeds: how many trainings, with the seeds 0, 1, …; by default as the manifest says.
        data: where the claims' data lie here, such as `idx:mnist`, instead of the usual place.
        data_root: folder that the data's path is relative to.
        out: folder of the runs: `out`/VARIANT-small/seed-0 and so on.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        ship: source folder of the variant's plugin, whose package is to hold the records too.
        observer: told how the trainings go.
        recorded: called with each record and the file it was written to.

    Returns:
        the records, in the manifest's order.

    Raises:
        GanzooError: an unknown claim or one without such a budget, data that cannot be had, runs of
            other settings in `out`, or whatever else a user can mend. A training that diverges is
            counted in the record instead.
    """
    from ganzoo_core.reproducing import reproduce as measure_claims

    return measure_claims(
        variant,
        small=small,
        claims=claims,
        seeds=seeds,
        data=data,
        data_root=Path(data_root) if data_root else None,
        out=Path(out),
        device=device,
        ship=Path(ship) if ship else None,
        observer=observer,
        recorded=recorded,
    )


def compare(
    variants: Sequence[str],
    data: str = "digits",
    *,
    budget: str,
    seeds: int = 3,
    out: Path | str,
    components: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    metrics: Sequence[str] | None = None,
    features: str | None = None,
    count: int = 10_000,
    evaluations: int = 4,
    data_root: Path | str | None = None,
    on: Literal["local", "ray"] = "local",
    device: str = "auto",
    retry_failed: bool = False,
    observer: "Observer | None" = None,
) -> "Comparison":
    """Train and measure variants on equal terms, and rank them.

    All share the data, image size, batch size, budget, seeds and evaluation. The same call goes on
    with a comparison that was cut off: runs that are finished are not repeated.

    Args:
        variants: names of installed variants.
        data: what to learn from and to be held against; see `ganzoo_core.data`.
        budget: of each run: `5000steps`, `20epochs`, `90s`, `10min` or `2h`. A time is turned into
            a number of steps by each variant's speed, measured at the beginning.
        seeds: how many runs of each variant, with the seeds 0, 1, …
        out: folder of the comparison: its runs, tables, page and picture.
        components: networks for all variants by role, such as `{"generator": "dcgan"}`, with the
            same settings in all; a variant whose recipe has no such network, or cannot be built
            with it, keeps its own.
        settings: hyper-parameters by dotted path, for every variant with a part that has them.
        preset: a preset of one or more of the variants. Those without take the image size, the
            settings of training and those of the shared networks of the first that has it.
        metrics: names of `ganzoo_core.evaluation.MEASURES`, the first of which ranks; by default
            those that suit what the models can do.
        features: the network in whose eyes images are compared, as for `evaluate`.
        count: how many images to draw for each measurement.
        evaluations: at how many points of a run, its end included, the first metric is measured, to
            find the best weights.
        data_root: folder that the data's path is relative to.
        on: "local" for one run after another in this process, "ray" for the workers of a Ray.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        retry_failed: try runs again that failed before.
        observer: told how it goes.

    Raises:
        InterruptedTrainingError: a signal came; the same call goes on.
        GanzooError: whatever a user can mend, in one sentence. What goes wrong with one variant's
            run is no error but counted.
    """
    from ganzoo_core.evaluation.comparison import comparing
    from ganzoo_core.training.run import Observer

    return comparing.compare(
        variants,
        data,
        budget=budget,
        seeds=seeds,
        out=Path(out),
        components=components or {},
        settings=settings or {},
        preset=preset,
        metrics=metrics,
        features=features,
        count=count,
        evaluations=evaluations,
        data_root=Path(data_root) if data_root else None,
        on=on,
        device=device,
        retry_failed=retry_failed,
        observer=observer or Observer(),
    )


def _data_name(
    data: str | None, source: str | None, target: str | None, target_test: str | None
) -> str | None:
    """Return the one name of what was given in either way; None where nothing was."""
    from ganzoo_core.data import joined_domains

    joined = joined_domains(source, target, target_test)
    if joined and data:
        raise ConfigError("data is one set of images, source and target are two; give either")
    return joined or data


def _domains_of_run(model: "Model", root: str | None) -> tuple[str | None, str | None]:
    """Return the domains that a model in a run's folder was adapted between, and their root."""
    from ganzoo_core.data import domains_of
    from ganzoo_core.training.run import RunFolder

    if model.origin.place != "run":
        return None, root
    data = RunFolder(Path(model.origin.where).parent).record()["data"]
    name = str(data.get("source", ""))
    return (name, root or data.get("root")) if domains_of(name) else (None, root)


def _as_model(model: "Model | str | Path", device: str) -> "Model":
    from ganzoo_core.model import Model

    return model if isinstance(model, Model) else load(model, device=device)


def fetch(name: str, *, progress: "Progress | None" = None) -> "Origin":
    """Download weights, so that they can be loaded without a network later.

    Args:
        name: a pretrained tag or a Hub repository, as for `load`.
        progress: called with a file's path, the bytes that arrived and those that there are.

    Returns:
        where they are now.

    Raises:
        HubError: they cannot be had, or are damaged.
    """
    return _located(read_installed(), name, None, progress)[1]


def publish(
    model: str | Path,
    repo: str,
    *,
    private: bool = False,
    tag: str | None = None,
) -> "Published":
    """Put a run's model, or a model folder, on the Hub.

    The folder is loaded first, so that what is published can be loaded. Publishing again without a
    change does nothing.

    Args:
        model: a run's folder or a model folder.
        repo: `org/name` on the Hub, created where there is none.
        private: for a new repository.
        tag: a tag for this version, such as `v1`.

    Raises:
        GanzooError: the folder is no model, or the Hub refuses.
    """
    from ganzoo_core.hub.folder import read_model_folder
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.upload import publish_folder

    folder, _ = _in_folder(Path(model))
    loaded = read_model_folder(read_installed(), folder, Origin("folder", str(folder)))
    message = f"{loaded.variant}, made with ganzoo"
    return publish_folder(folder, repo, private=private, tag=tag, message=message)


def convert(
    files: Sequence[str | Path],
    variant: str,
    out: str | Path,
    *,
    license: str = "other",
    settings: Mapping[str, Any] | None = None,
) -> "tuple[Model, list[str]]":
    """Turn the authors' published checkpoints into a model folder, executing nothing in them.

    Args:
        files: the published files, one or more networks in all.
        variant: which variant they are of.
        out: the model folder to write.
        license: SPDX identifier of the weights' licence, for the card.
        settings: hyper-parameters by dotted path that no file knows, such as how to translate; they
            win over what the files imply.

    Returns:
        the model, and a sentence for each file that says what was recognised in it.

    Raises:
        GanzooError: a file that cannot be read, is hostile, or is of an unknown layout.
    """
    from ganzoo_core.hub.card import Card
    from ganzoo_core.hub.convert import convert as convert_files
    from ganzoo_core.settings import flattened

    out = Path(out)
    if out.exists():
        raise RunError(f"{out} exists already; choose another place for the model")
    names = ", ".join(Path(file).name for file in files)
    card = Card(
        license=license.lower(),
        training=f"Converted from the published checkpoint {names}; trained by its authors.",
    )
    paths = [Path(file) for file in files]
    asked = flattened(settings or {})
    return convert_files(read_installed(), paths, variant, out, card, asked)


def train(
    variant: str,
    data: str | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
    target_test: str | None = None,
    out: Path | str,
    going_on: bool = False,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: float | None = None,
    given: Sequence[str] = (),
    data_root: Path | str | None = None,
    flip: bool = False,
    resize_filter: str = "lanczos",
    broken_share: float = 0.01,
    device: str = "auto",
    observer: "Observer | None" = None,
) -> "Model":
    """Train a variant and return the trained model, which also lies in `out`/model.

    Args:
        variant: name of an installed variant.
        data: what to learn from; see `ganzoo_core.data`. By default the embedded digits.
        source: of domain adaptation, instead of `data`: images with labels.
        target: images to adapt to, whose labels serve for nothing but the final score.
        target_test: images to take the final score of, instead of the target's test set.
        out: folder of the run, new or empty.
        going_on: `out` is a run that was begun with these very arguments; go on with it.
        preset: name of one of the variant's presets.
        components: other components for the recipe, such as `{"loss": "minimax"}`.
        settings: hyper-parameters by dotted path, such as `{"training.steps": 2000}`.
        epochs: passes over the data, instead of a number of steps.
        given: models, as for `load`, whose networks learn nothing here: they bring their weights
            and settings, and stages in which nothing else learns are skipped. By default all that
            the recipe has a place for; `encoder,decoder=MODEL` takes these alone.
        data_root: folder that the data's path is relative to.
        flip: mirror each image left to right with probability one half.
        resize_filter: lanczos, bicubic, bilinear or box.
        broken_share: share of the images that may be broken and are left out.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        observer: told how it goes.

    Raises:
        GanzooError: whatever a user can mend, in one sentence.
    """
    from ganzoo_core.training.run import DataChoice, Observer, RunFolder

    folder = RunFolder(Path(out))
    before = folder.record() if going_on else None
    if before is None:
        folder.refuse_to_overwrite()
    name = _data_name(data, source, target, target_test) or "digits"
    choice = DataChoice(name, str(data_root) if data_root else None, resize_filter, broken_share)
    settings = {**(settings or {}), **({"training.flip": True} if flip else {})}
    weights = _given(variant, given)
    blueprint = plan(
        variant,
        choice,
        preset=preset,
        components=components,
        settings=settings,
        epochs=epochs,
        given=weights,
    )
    return _run(folder, blueprint, choice, device, observer or Observer(), before, weights)


def resume(
    run: Path | str,
    *,
    settings: Mapping[str, Any] | None = None,
    data: str | None = None,
    data_root: Path | str | None = None,
    device: str = "auto",
    observer: "Observer | None" = None,
) -> "Model":
    """Go on with a run where it stopped, bit for bit.

    Args:
        run: folder of the run.
        settings: what may change: more `training.steps`, and the intervals of logging, samples
            and checkpoints.
        data: where the same data lie now, if they were moved.
        data_root: folder that the data's path is relative to.
        device: where to go on; another kind of device than before is not bit for bit.
        observer: told how it goes.

    Raises:
        RunError: this is not a run, or a setting or the data changed.
    """
    from dataclasses import fields, replace

    from ganzoo_core.blueprint import draw_up, recorded_components, restore
    from ganzoo_core.settings import flattened
    from ganzoo_core.training.run import DataChoice, Observer, RunFolder

    folder = RunFolder(Path(run))
    before = folder.record()
    names = {field.name for field in fields(DataChoice)}
    choice = DataChoice(**{k: v for k, v in before["data"].items() if k in names})
    choice = replace(
        choice,
        source=data or choice.source,
        root=str(data_root) if data_root else choice.root,
    )
    installed = read_installed()
    blueprint = restore(installed, before["blueprint"], str(folder.record_file))
    if settings:
        recorded = _recorded_settings(before["blueprint"])
        blueprint = draw_up(
            installed,
            blueprint.variant.full_name,
            recorded | _spread(flattened(settings), recorded),
            components=recorded_components(_parts(before["blueprint"])),
            given=blueprint.given,
        )
    return _run(folder, blueprint, choice, device, observer or Observer(), before)


def plan(
    variant: str,
    data: "DataChoice",
    *,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: float | None = None,
    given: "GivenNetworks | Sequence[str]" = (),
) -> "Blueprint":
    """Decide everything about a training without starting it.

    The size, channels and classes of the images follow from the data unless they are set, or are
    those of networks that are `given`; see `train`.

    Raises:
        GanzooError: an unknown name, a value that a setting cannot have, or missing data.
    """
    from ganzoo_core.blueprint import draw_up, fitting_image_size
    from ganzoo_core.settings import flattened
    from ganzoo_core.training.given import GivenNetworks

    installed = read_installed()
    entry = _entry(variant)
    weights = given if isinstance(given, GivenNetworks) else _given(variant, given)
    info = _inspected(data)
    size = fitting_image_size(entry, info.image_size)
    shape: dict[str, Any] = {"channels": info.channels}
    if size is not None:
        shape["image_size"] = size
    if info.classes:
        shape["classes"] = info.classes
    blueprint = draw_up(
        installed,
        variant,
        flattened(settings or {}),
        components=components,
        preset=preset,
        shape=shape,
        given=weights.origins,
    )
    return with_epochs(blueprint, data, epochs, info) if epochs is not None else blueprint


def _run(
    folder: Any,
    blueprint: "Blueprint",
    choice: "DataChoice",
    device: str,
    observer: "Observer",
    before: Mapping[str, Any] | None,
    given: "GivenNetworks | None" = None,
) -> "Model":
    from ganzoo_core.components import learning_stages
    from ganzoo_core.data import domains_of, open_clips, open_images
    from ganzoo_core.training.batches import ImageBatches
    from ganzoo_core.training.clips import ClipBatches, check_clips, wants_clips
    from ganzoo_core.training.engine import Engine, batch_size_of
    from ganzoo_core.training.given import fill, read_given, save_given
    from ganzoo_core.training.processes import Processes
    from ganzoo_core.training.run import check_resumable, new_record, train

    size, channels = image_shape_of(blueprint)
    processes = Processes(device)
    networks = blueprint.build_networks()
    its_given = given.networks if given else read_given(folder.path, blueprint)
    fill(networks, its_given)
    trainer = blueprint.build_trainer(networks)
    stages = learning_stages(trainer)
    settings = blueprint.training
    opening: dict[str, Any] = {
        "image_size": size if wants_clips(trainer) else round(size * (1 + settings.jitter)),
        "channels": channels,
        "root": Path(choice.root) if choice.root else None,
        "resize_filter": choice.resize_filter,
        "broken_share": choice.broken_share,
        "progress": observer.decoding,
    }
    data: ClipData | ImageData
    if wants_clips(trainer):
        data = clips = open_clips(choice.source, **opening)
        check_clips(trainer, clips, blueprint.entry.name)
    else:
        data = images = open_images(choice.source, **opening)
        check_data(trainer, images, blueprint.entry.name)
    for skipped in data.skipped:
        observer.noted(f"left out {skipped}")
    record = new_record(blueprint, choice, data.fingerprint, processes.count)
    if before is not None:
        check_resumable(folder.path, before, record)
    largest = max(batch_size_of(stage, settings) for stage in stages)
    tokenizer = None
    batches: ClipBatches | ImageBatches
    if wants_clips(trainer):
        batches = ClipBatches(clips, largest, settings.seed, processes, flip=settings.flip)
    else:
        tokenizer, captions = _read_captions(trainer, images, folder, given)
        batches = ImageBatches(
            images,
            largest,
            settings.seed,
            processes,
            image_size=size,
            flip=settings.flip,
            labelled=trainer.labelled,
            captions=captions,
            other=trainer.other,
        )
    engine = Engine(
        trainer,
        batches,
        settings,
        inference=blueprint.entry.recipe.inference,
        processes=processes,
    )
    if processes.leads and before is None and its_given:
        save_given(folder.path, its_given)
    if processes.leads and (before is None or _steps(before) != settings.steps):
        folder.begin(record if before is None else {**before, "blueprint": record["blueprint"]})
        if tokenizer is not None:
            tokenizer.save(folder.tokenizer)
    processes.wait()
    model = train(engine, folder, blueprint, choice, observer, tokenizer)
    if processes.leads and domains_of(choice.source) and "classify" in model.verbs:
        from ganzoo_core.evaluation.adaptation import tell_final_score

        root = Path(choice.root) if choice.root else None
        tell_final_score(model, choice.source, root, observer.noted)
    return model


def _read_captions(
    trainer: "Trainer", data: "ImageData", folder: Any, given: "GivenNetworks | None"
) -> "tuple[Tokenizer | None, Tensor | None]":
    """Return how captions become tokens, and those of every image, where a network reads them.

    A run that goes on keeps the tokenizer that it began with, and networks that are given keep
    theirs.
    """
    from ganzoo_core.text import Tokenizer, captions_of, text_shape

    shape = text_shape(trainer.networks)
    if shape is None:
        return None, None
    vocabulary, length = shape
    captions = captions_of(data)
    if folder.tokenizer.is_file():
        tokenizer = Tokenizer.read(folder.tokenizer)
    elif given and given.tokenizer:
        tokenizer = given.tokenizer
    else:
        tokenizer = Tokenizer.trained(captions, vocabulary)
    return tokenizer, tokenizer.encode(captions, length)


def check_data(trainer: "Trainer", data: "ImageData", variant: str) -> None:
    """Check that data have what a trainer learns from.

    Raises:
        DataError: they lack labels or the other domain, or have one that is not wanted.
    """
    from ganzoo_core.training.clips import wants_clips

    if wants_clips(trainer):
        raise DataError(
            f"{variant} learns from videos, and {data.name} is taken as single images here; train "
            "it by itself, with: ganzoo train"
        )
    wants_labels = [
        role for role, network in trainer.networks.items() if getattr(network, "classes", 0)
    ]
    if wants_labels and data.labels is None:
        raise DataError(
            f"{data.name} has no labels, and the {wants_labels[0]} of {variant} is trained with "
            "classes; choose labelled data or another variant"
        )
    if trainer.other == "unlabelled":
        _check_domains(data, variant)
    if trainer.other and data.other is None:
        example = "paired:DIR" if trainer.other == "paired" else "unpaired:DIR_A:DIR_B"
        raise DataError(
            f"{variant} learns to translate between two sets of images, and {data.name} is one; "
            f"use --data {example}"
        )
    if trainer.other == "paired" and not data.paired:
        raise DataError(
            f"{variant} learns from pairs, and {data.name} has none; use --data paired:DIR"
        )
    if data.other is not None and not trainer.other:
        raise DataError(
            f"{variant} learns from one set of images, and {data.name} is two; "
            "use --data folder:DIR"
        )


def _check_domains(data: "ImageData", variant: str) -> None:
    """Check that data have a target, and that its classes, where known, are the source's."""
    if data.other is None:
        raise DataError(
            f"{variant} adapts from one set of images to another, and {data.name} is one; use "
            "--source D1 --target D2"
        )
    if data.labels is None:
        raise DataError(
            f"the source in {data.name} has no labels, and {variant} learns its classes from them; "
            "choose a labelled --source"
        )
    theirs, ours = data.other.class_names, data.class_names
    if theirs and theirs != ours:
        raise DataError(
            f"the domains of {data.name} have other classes ({len(ours)} of the source: "
            f"{_some(ours)}; {len(theirs)} of the target: {_some(theirs)}); take sets of the same "
            "classes, or a target without labels"
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def image_shape_of(blueprint: "Blueprint") -> tuple[int, int]:
    """Return side length and channels of the images that the networks work on.

    Raises:
        ConfigError: no network has such settings.
    """
    for part in blueprint.networks.values():
        size = getattr(part.config, "image_size", None)
        channels = getattr(part.config, "channels", None)
        if size and channels:
            return size, channels
    raise ConfigError(
        f"no network of {blueprint.entry.name} has the settings image_size and channels"
    )


def with_epochs(
    blueprint: "Blueprint", choice: "DataChoice", epochs: float, info: "DataInfo | None" = None
) -> "Blueprint":
    """Give a training as many steps as passes over the data take.

    Raises:
        GanzooError: there are too few or too many, or the size of the data is not known.
    """
    import math
    from dataclasses import replace

    from ganzoo_core.components import learning_stages
    from ganzoo_core.training.clips import wants_clips
    from ganzoo_core.training.engine import images_per_step

    if not epochs > 0:
        raise ConfigError(f"--epochs must be above 0, not {epochs}")
    info = info or _inspected(choice)
    trainer = blueprint.build_trainer(blueprint.build_networks(device="meta"))
    count = info.clips if wants_clips(trainer) else info.count
    if not count:
        raise DataError(f"the size of {choice.source} is not known; use --steps, not --epochs")
    settings = blueprint.training
    steps = math.ceil(epochs * count / images_per_step(learning_stages(trainer), settings))
    if steps > 10**9:
        raise ConfigError(f"--epochs {epochs} would take {steps} steps, more than 1,000,000,000")
    return replace(blueprint, training=settings.model_copy(update={"steps": steps}))


def _inspected(choice: "DataChoice") -> "DataInfo":
    from ganzoo_core.data import inspect

    return inspect(choice.source, root=Path(choice.root) if choice.root else None)


def _entry(variant: str) -> "VariantEntry":
    from ganzoo_core.plugins import load_plugin

    found = read_installed().variant(variant)
    entries = load_plugin(found.plugin).manifest.variants
    return next(entry for entry in entries if entry.name == found.name)


def _given(variant: str, names: Sequence[str]) -> "GivenNetworks":
    from ganzoo_core.training.given import given_networks

    return given_networks(names, _entry(variant))


def _recorded_settings(blueprint: Mapping[str, Any]) -> dict[str, Any]:
    from ganzoo_core.settings import flattened

    configs = {part: its["config"] for part, its in _parts(blueprint).items()}
    return flattened(configs | {"training": blueprint["training"]})


def _parts(blueprint: Mapping[str, Any]) -> Mapping[str, Any]:
    parts: Mapping[str, Any] = blueprint["components"]
    return parts


def _spread(settings: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Write undotted settings out for each part, so that they win over the recorded ones."""
    spread: dict[str, Any] = {}
    for path, value in settings.items():
        paths = [known for known in recorded if known.partition(".")[2] == path]
        spread |= dict.fromkeys(paths or [path], value)
    return spread


def _steps(record: Mapping[str, Any]) -> int:
    return int(record["blueprint"]["training"]["steps"])


def _located(
    installed: "Installed",
    name: str | Path,
    tag: str | None,
    progress: "Progress | None" = None,
) -> "tuple[Path, Origin]":
    """Find a model: on this disk, among the installed plugins' tags, or on the Hub."""
    from ganzoo_core.hub.files import fetch_repository
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.pretrained import find_weights, obtain

    if Path(name).exists() and tag is None:
        return _in_folder(Path(name))
    text = str(name)
    repo, _, revision = text.partition("@")
    owner, slash, _ = repo.partition("/")
    a_plugins = owner in {plugin.distribution for plugin in installed.plugins}
    if not slash or a_plugins or text.count("/") != 1 or text.startswith((".", "~")):
        try:
            return obtain(find_weights(installed, text, tag), progress)
        except UnknownNameError as error:
            if error.kind != "variant":
                raise
            raise UnknownNameError("model", text, _primary_names()) from None
    from ganzoo_core.hub.card import read_license

    fetched = fetch_repository(repo, revision or None, progress=progress)
    where = f"{repo}@{fetched.revision[:12]}"
    stated = read_license(fetched.folder / "README.md")
    return fetched.folder, Origin(fetched.from_, where, fetched.verified, stated)


def _in_folder(path: Path) -> "tuple[Path, Origin]":
    from ganzoo_core.hub.card import read_license
    from ganzoo_core.hub.origin import Origin

    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            place: Literal["run", "folder"] = "folder" if folder == path else "run"
            return folder, Origin(place, str(folder), license=read_license(folder / "README.md"))
    if (path / "run.json").is_file():
        raise RunError(
            f"{path} has no trained model yet; finish it with: ganzoo train --resume {path}"
        )
    raise DataError(f"{path} is neither a run nor a model folder: it has no config.json")


def _primary_names() -> list[str]:
    return [
        variant.full_name if variant.short_name_taken_by else variant.name
        for variant in read_installed().variants()
    ]
