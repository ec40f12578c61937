"""Codes of many numbers brought to two, for a picture."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np

from ganzoo_core.errors import UnknownNameError, UnsupportedError

PROJECTIONS = ("pca", "umap")

LEAST_FOR_UMAP = 16
"""Codes below which UMAP's neighbourhoods, of 15, are not there."""

Array = np.ndarray[Any, np.dtype[np.float64]]


class Projected(NamedTuple):
    """Points to draw, and what their two axes are."""

    points: Array
    """[N, 2]"""
    axes: tuple[str, str]


def check_projection(name: str) -> None:
    """Check, before any work is done, that there is such a projection and that it can be had.

    Raises:
        UnknownNameError: there is none of this name.
        UnsupportedError: its package is not installed.
    """
    if name not in PROJECTIONS:
        raise UnknownNameError("projection", name, PROJECTIONS)
    if name == "umap" and not find_spec("umap"):
        raise UnsupportedError(
            "the projection umap needs the package umap-learn, which is not installed; install it "
            "with: pip install umap-learn, or take the projection pca"
        )


def projected(codes: Array, projection: str, seed: int) -> Projected:
    """Bring codes [N, D] to the plane: as they are where D is 1 or 2, else by a projection."""
    size = codes.shape[1]
    if size == 1:
        return Projected(np.pad(codes, ((0, 0), (0, 1))), ("z0", ""))
    if size == 2:
        return Projected(codes, ("z0", "z1"))
    if projection == "umap":
        return Projected(_umap(codes, seed), ("UMAP 1", "UMAP 2"))
    points, shares = _principal(codes)
    first, second = (f"principal component {n + 1} ({share:.0%})" for n, share in enumerate(shares))
    return Projected(points, (first, second))


def _principal(codes: Array) -> tuple[Array, Array]:
    """Return the two directions of largest variance: points [N, 2] and shares of variance [2]."""
    centred = codes - codes.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, :-3:-1]
    # A direction may come with either sign; its largest number decides.
    largest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[largest, [0, 1]])
    total = max(float(variances.sum()), np.finfo(float).tiny)
    return centred @ directions, variances[:-3:-1] / total


def _umap(codes: Array, seed: int) -> Array:
    umap: Any = import_module("umap")
    with catch_warnings():
        simplefilter("ignore")  # that a seed keeps it to one thread, which is what it is for
        mapping = umap.UMAP(random_state=seed % 2**32, n_jobs=1)
        points: Array = mapping.fit_transform(codes).astype(np.float64)
    return points
