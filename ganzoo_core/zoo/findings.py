"""What is found out about models: measured, compared, drawn and written down."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganzoo_core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo_core.evaluation import Evaluation
    from ganzoo_core.evaluation.claims.records import Record
    from ganzoo_core.evaluation.comparison.summary import Comparison
    from ganzoo_core.evaluation.report import Report
    from ganzoo_core.hub.files import Progress
    from ganzoo_core.model import Model
    from ganzoo_core.projecting import Observe, Projection, Space
    from ganzoo_core.training.run import Observer
    from ganzoo_core.verbs.parts import Label


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
    from ganzoo_core.data import domains_of, named_data
    from ganzoo_core.evaluation import evaluate as measure
    from ganzoo_core.evaluation.adaptation import evaluate_domains

    name = named_data(data, source, target, target_test)
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
    from ganzoo_core.data import named_data
    from ganzoo_core.evaluation.latent import draw_latent

    loaded = _as_model(model, device)
    root = str(data_root) if data_root else None
    name = named_data(data, source, target)
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
    label: "Label | None" = None,
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
    from ganzoo_core.zoo.models import load

    return model if isinstance(model, Model) else load(model, device=device)
