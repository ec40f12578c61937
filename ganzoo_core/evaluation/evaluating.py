"""Evaluating one model on one data set."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from ganzoo_core import images
from ganzoo_core.data import ClipData, ImageData, open_clips, open_images
from ganzoo_core.errors import RunError, UnknownNameError, UnsupportedError
from ganzoo_core.evaluation.captioned import has_codes, judged_by_class
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.evidence import LEAST_RECOGNISED, Evidence
from ganzoo_core.evaluation.features import (
    Features,
    default_features,
    find_features,
    weights_hash,
)
from ganzoo_core.evaluation.measures import MEASURES, Figure
from ganzoo_core.evaluation.metrics.neighbours import nearest
from ganzoo_core.evaluation.metrics.similarity import WINDOW
from ganzoo_core.evaluation.real import Progress, recognised
from ganzoo_core.evaluation.result import (
    Evaluation,
    Result,
    read_evaluation,
    write_evaluation,
)
from ganzoo_core.evaluation.videos import ClipEvidence
from ganzoo_core.files import whole_file
from ganzoo_core.hub.card import record_evaluation
from ganzoo_core.model import Model

PICTURED, NEIGHBOURS = 8, 5
"""Rows of `nearest.png`, and how many training images stand in each beside the generated one."""


def evaluate(
    model: Model,
    data: str,
    *,
    metrics: Sequence[str] | None = None,
    features: str | None = None,
    count: int = 10_000,
    seed: int = 0,
    batch_size: int = 64,
    split: str = "train",
    data_root: Path | None = None,
    resize_filter: str = "lanczos",
    write: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model; `ganzoo_core.evaluate` says what the arguments mean."""
    chosen = _checked_metrics(model, metrics)
    folder = place_of(model) if write else None
    shape = image_shape(model)
    if _of_clips(model, chosen):
        clips = open_clips(
            data,
            image_size=shape[1],
            channels=shape[0],
            root=data_root,
            split=split,
            resize_filter=resize_filter,
            progress=(lambda done, total: progress("decoded", done, total)) if progress else None,
        )
        chosen = chosen or _clip_metrics(model, clips)
        filmed = ClipEvidence(
            model,
            clips,
            split=split,
            count=count,
            seed=seed,
            batch_size=batch_size,
            progress=progress,
        )
        figures = [figure for key in chosen for figure in MEASURES[key].figures(filmed)]
        return _recorded(model, filmed, figures, resize_filter, folder)

    def open_split(split: str) -> ImageData:
        return open_images(
            data,
            image_size=shape[1],
            channels=shape[0],
            root=data_root,
            split=split,
            resize_filter=resize_filter,
            progress=(lambda done, total: progress("decoded", done, total)) if progress else None,
        )

    opened = open_split(split)
    extractor = None
    # By default only images that are drawn are compared by features.
    by_classes = judged_by_class(opened)
    embedding = any(
        MEASURES[key].over_features or (MEASURES[key].judges_captions and by_classes)
        for key in chosen or ()
    )
    if embedding or (chosen is None and "sample" in model.verbs):
        extractor = find_features(features or default_features(data, shape[0]), model.device)
    if chosen is None:
        chosen = default_metrics(model, opened, extractor)
    keep = {need for key in chosen for need in MEASURES[key].keep}
    evidence = Evidence(
        model,
        opened,
        extractor,
        split=split,
        open_split=open_split,
        count=count,
        seed=seed,
        batch_size=batch_size,
        keep=keep | {"images"} if "memorisation" in chosen else keep,
        progress=progress,
    )
    for needed in (needed for key in chosen for needed in MEASURES[key].splits):
        evidence.of_split(needed)  # now, and not after all images have been drawn
    figures = [figure for key in chosen for figure in MEASURES[key].figures(evidence)]
    evaluation = _recorded(model, evidence, figures, resize_filter, folder)
    if folder and "memorisation" in chosen:
        picture = nearest_picture(evidence)
        with whole_file(folder / "nearest.png") as partial:
            picture.save(partial, "PNG")
    return evaluation


def _recorded(
    model: Model,
    evidence: Evidence | ClipEvidence,
    figures: Sequence[Figure],
    resize_filter: str,
    folder: Path | None,
) -> Evaluation:
    """Return what was measured, written down where the model lies in one of the user's folders."""
    evaluation = Evaluation(
        model.blueprint.variant.full_name,
        weights_hash(nn.ModuleDict(kept(model))),
        tuple(_result(figure, evidence, resize_filter) for figure in figures),
    )
    if folder:
        whole = write_evaluation(evaluation, folder / "evaluation.json")
        card = Path(model.origin.where) / "README.md"
        if card.is_file():
            record_evaluation(card, model.blueprint.entry, whole.to_json()["results"])
    return evaluation


def _of_clips(model: Model, chosen: Sequence[str] | None) -> bool:
    """Say whether a model is measured on videos.

    Raises:
        UnsupportedError: some of the metrics are of videos and some of images.
    """
    if chosen is None:
        return bool({"swap", "predict"} & set(model.verbs))
    of_clips = {key: MEASURES[key].of_clips for key in chosen}
    if len(set(of_clips.values())) > 1:
        raise UnsupportedError(
            f"{', '.join(key for key in chosen if of_clips[key])} measure videos and "
            f"{', '.join(key for key in chosen if not of_clips[key])} single images; evaluate them "
            "one after the other"
        )
    return all(of_clips.values())


def _clip_metrics(model: Model, data: ClipData) -> tuple[str, ...]:
    """Return the metrics of videos that suit what a model can do and what is known of the data."""
    known = bool(data.factor_names)
    return tuple(
        key
        for key, measure in MEASURES.items()
        if measure.of_clips and measure.verb in model.verbs and (known or not measure.needs_factors)
    )


def default_metrics(model: Model, data: ImageData, features: Features | None) -> tuple[str, ...]:
    """Return the metrics that suit what a model can do and what is known of the data.

    Args:
        model: to evaluate.
        data: that it is held against.
        features: to compare images by; None where the model draws none.

    Raises:
        UnsupportedError: the model neither samples nor reconstructs, nor translates pairs.
    """
    chosen: list[str] = []
    if "sample" in model.verbs and features is not None:
        chosen += ["fid", "kid", "precision-recall", "density-coverage"]
        if recognised(data, features) >= LEAST_RECOGNISED:
            chosen += ["modes", "class-accuracy"] if generator_of(model).classes else ["modes"]
    if "reconstruct" in model.verbs:
        chosen += ["mse", "ssim"] if data.image_size >= WINDOW else ["mse"]
    if "translate" in model.verbs and data.paired:
        chosen += ["translation-l1", "translation-psnr"]
        chosen += ["translation-ssim"] if data.image_size >= WINDOW else []
    if "encode" in model.verbs and has_codes(model):
        chosen.append("code-perplexity")
    elif "encode" in model.verbs and data.factors is not None:
        chosen += [
            key
            for key, measure in MEASURES.items()
            if measure.needs_factors and not measure.of_clips
        ]
    if not chosen and "classify" in model.verbs and data.labels is not None:
        chosen += ["classification-error"]
    if not chosen and "translate" in model.verbs:
        raise UnsupportedError(
            f"{data.name} has no pairs, which tell how far a translation is from the truth, so "
            "there is nothing to evaluate; take --data paired:PATH"
        )
    if not chosen:
        raise UnsupportedError(
            f"{model.variant} neither samples nor reconstructs, so there is nothing to evaluate"
        )
    return tuple(chosen)


def nearest_picture(evidence: Evidence) -> Image.Image:
    """Return a picture: each row a generated image and the training images nearest to it."""
    generated = evidence.generated
    assert generated.features is not None and generated.images is not None
    shown = min(PICTURED, len(generated.images))
    neighbours = min(NEIGHBOURS, len(evidence.data))
    found = nearest(
        generated.features[:shown], evidence.all_real_features, neighbours=neighbours
    ).indices
    rows = []
    for number in range(shown):
        nearest_ones = evidence.real_images(evidence.real_order[found[number]])
        rows += [generated.images[number : number + 1], nearest_ones]

    enlarge = max(1, 64 // evidence.data.image_size)
    return images.grid(torch.cat(rows), columns=neighbours + 1, enlarge=enlarge)


def results_of(model: Model) -> tuple[Result, ...]:
    """Return what was measured before of the very weights of a model in a run's or own folder."""
    where = Path(model.origin.where)
    folder = where.parent if model.origin.place == "run" else where
    try:
        earlier = read_evaluation(folder / "evaluation.json")
    except RunError:
        return ()
    ours = earlier.weights_hash == weights_hash(nn.ModuleDict(kept(model)))
    return earlier.results if ours else ()


def place_of(model: Model) -> Path | None:
    """Return the run's or the model's folder, where the model lies in one of the user's.

    Raises:
        RunError: it cannot be written, which is better said before an hour of measuring.
    """
    if model.origin.place not in ("run", "folder"):
        return None
    where = Path(model.origin.where)
    folder = where.parent if model.origin.place == "run" else where
    if not os.access(folder, os.W_OK):
        raise RunError(
            f"{folder} cannot be written, and evaluation.json belongs there; copy the model to "
            "another folder, or evaluate it from Python with write=False"
        )
    return folder


def _checked_metrics(model: Model, metrics: Sequence[str] | None) -> tuple[str, ...] | None:
    if metrics is None:
        return None
    if not metrics:
        raise UnknownNameError("metric", "", MEASURES)
    for key in metrics:
        if key not in MEASURES:
            raise UnknownNameError("metric", key, MEASURES)
        verb = MEASURES[key].verb
        if verb not in model.verbs:
            able = [name for name, measure in MEASURES.items() if measure.verb in model.verbs]
            raise UnsupportedError(
                f"{model.variant} cannot {verb}, which the metric {key} needs; metrics for it: "
                f"{', '.join(able) or 'none'}"
            )
    return tuple(dict.fromkeys(metrics))


def image_shape(model: Model) -> tuple[int, int, int]:
    """Return channels, height and width of the images that the model makes or takes."""
    for network in kept(model).values():
        shape = getattr(network, "image_shape", None)
        if shape:
            channels, height, width = shape
            return int(channels), int(height), int(width)
    raise UnsupportedError(f"{model.variant} has no network of images, so it cannot be evaluated")


def kept(model: Model) -> Mapping[str, nn.Module]:
    """Return the networks that a trained model keeps, by role, in the order of its card."""
    roles = model.blueprint.entry.recipe.inference
    return {role: model.networks[role] for role in roles if role in model.networks}


def _result(figure: Figure, evidence: Evidence | ClipEvidence, resize_filter: str) -> Result:
    from ganzoo_core.training.run import public_name

    features = None
    if isinstance(evidence, Evidence) and figure.over_features:
        features = evidence.features
    split = figure.split or evidence.split
    data = evidence.of_split(split)
    return Result(
        metric=f"{figure.name}[{features.name}]" if features else figure.name,
        value=figure.estimate.value,
        spread=figure.estimate.spread,
        better=figure.better,
        real=figure.real,
        generated=figure.generated,
        seed=evidence.seed,
        data=public_name(data.name),
        fingerprint=data.fingerprint,
        split=split,
        image_size=data.image_size,
        resize_filter=resize_filter,
        features=features.name if features else None,
        features_hash=features.hash if features else None,
        features_resize_filter=features.resize_filter if features else None,
    )
