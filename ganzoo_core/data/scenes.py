"""Captioned scenes with a known truth: coloured shapes, one to three alike, or two beside another.

Each scene has one of two captions, "three blue triangles" or "a red circle above a blue square".
They are drawn anew by `SEED` wherever they are used, at the size that is asked for, so that no file
and no network is needed.

Combinations are held out: how many of which colour and shape, and which two objects stand together,
whatever their order and relation. A fifth of them, by lot, is seen in the test split alone, though
each of their parts is frequent in the training split. Images of them show whether a model puts
together what it has only seen apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np

from ganzoo_core.data.pixels import Bytes, PixelFormat
from ganzoo_core.data.source import Broken, DataInfo, Factors

SEED = 2021
"""Of all scenes; the splits, the combinations held out and the drawings follow from it."""
DRAWING = 1
"""Raised whenever the same seed gives other scenes, pixels or captions, so that none are taken from
the cache that were drawn before; a test knows what this version draws."""
IMAGE_SIZE = 32
"""Side in pixels unless another is asked for."""
COUNTS = {"train": 20_000, "test": 2_000}
HELD_OUT = 0.2
"""Share of the combinations that training never shows."""
ALONE = 0.4
"""Share of the scenes that show one kind of object."""

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
NUMBERS = ("a", "two", "three")
RELATIONS = ("above", "below", "left of", "right of")
OPPOSITES = (1, 0, 3, 2)
"""Of the relations: what B is to A where A is this to B."""

FACTORS = ("number", "colour", "shape", "relation", "other colour", "other shape")
SIZES = (3, len(COLOURS), len(SHAPES), 1 + len(RELATIONS), 1 + len(COLOURS), 1 + len(SHAPES))
"""Values of each factor; of the last three 0 stands for none, in scenes of one kind of object."""

_PAINTS = np.array(
    [(220, 40, 40), (40, 160, 60), (50, 80, 220), (235, 205, 40), (140, 60, 180), (240, 135, 30)]
)
_PAPER = 245
_BATCH = 512

_Numbers = np.ndarray[Any, np.dtype[np.float64]]
_Whole = np.ndarray[Any, np.dtype[np.int64]]


class Scene(NamedTuple):
    """What a scene shows, each a number of a value of `FACTORS`."""

    number: int
    colour: int
    shape: int
    relation: int = 0
    other_colour: int = 0
    other_shape: int = 0

    @property
    def caption(self) -> str:
        """The scene in words, such as `a red circle above a blue square`."""
        plural = "s" if self.number else ""
        if SHAPES[self.shape] == "cross" and plural:
            plural = "es"
        article = NUMBERS[self.number]
        if not self.number and COLOURS[self.colour][0] in "aeiou":
            article = "an"
        first = f"{article} {COLOURS[self.colour]} {SHAPES[self.shape]}{plural}"
        if not self.relation:
            return first
        other = Scene(0, self.other_colour - 1, self.other_shape - 1).caption
        return f"{first} {RELATIONS[self.relation - 1]} {other}"


@dataclass(frozen=True)
class ScenesSource:
    """One split of the scenes."""

    split: str

    @property
    def place(self) -> str:
        """Their name."""
        return "scenes"

    def __len__(self) -> int:
        return COUNTS[self.split]

    def look(self) -> DataInfo:
        """Return what is known without drawing anything."""
        return DataInfo(image_size=IMAGE_SIZE, channels=3, classes=0, count=len(self))

    def signature(self) -> list[object]:
        """Return the version of the drawing, the seed and the split."""
        return ["scenes", DRAWING, SEED, self.split, len(self)]

    def labels(self) -> tuple[None, tuple[str, ...]]:
        """Scenes have captions instead of classes."""
        return None, ()

    def factors(self) -> Factors:
        """Return what each scene shows."""
        return Factors(_scenes(self.split), FACTORS, SIZES)

    def captions(self) -> tuple[str, ...]:
        """Return each scene in words."""
        return tuple(Scene(*map(int, row)).caption for row in _scenes(self.split))

    def decode(self, target: PixelFormat) -> Iterator[Bytes | Broken]:
        """Yield the scenes, drawn at the target's size."""
        scenes = _scenes(self.split)
        for start in range(0, len(scenes), _BATCH):
            generator = np.random.default_rng([SEED, _number(self.split), 1, start])
            drawn = draw(scenes[start : start + _BATCH], target.image_size, generator)
            if target.channels == 1:
                drawn = np.rint(drawn @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.uint8)
            yield drawn


def split_of(scene: Scene) -> str:
    """Return which split shows a scene's combination."""
    return "test" if _combination(scene) in _held_out() else "train"


def draw(scenes: _Whole, size: int, generator: np.random.Generator) -> Bytes:
    """Draw scenes [N, F], values of `FACTORS`, as uint8 [N, size, size, 3].

    Sizes, places and shades differ from drawing to drawing; objects do not overlap.
    """
    count = len(scenes)
    number, colour, shape, relation, other_colour, other_shape = scenes.T
    shown = np.where(relation > 0, 2, number + 1)
    centres = _places(shown, relation, generator)
    largest = np.array([0.26, 0.19, 0.135])[shown - 1][:, None]
    radii = largest * generator.uniform(0.8, 1.0, (count, 1)) * np.ones((1, 3))
    second = relation > 0
    shapes = np.repeat(shape[:, None], 3, 1)
    colours = np.repeat(colour[:, None], 3, 1)
    shapes[second, 1], colours[second, 1] = other_shape[second] - 1, other_colour[second] - 1
    picture = np.full((count, size, size, 3), float(_PAPER))
    for slot in range(3):
        paint = _PAINTS[colours[:, slot]] * generator.uniform(0.92, 1.05, (count, 1))
        cover = _cover(shapes[:, slot], centres[:, slot], radii[:, slot], size)
        cover *= (slot < shown)[:, None, None]
        picture += cover[..., None] * (paint[:, None, None, :] - picture)
    pixels: Bytes = np.rint(picture).clip(0, 255).astype(np.uint8)
    return pixels


def _places(shown: _Whole, relation: _Whole, generator: np.random.Generator) -> _Numbers:
    """Return the centres (x, y) of up to three objects [N, 3, 2], the picture being 1 wide."""
    count = len(shown)
    jitter = generator.uniform(-1, 1, (count, 3, 2))
    centres = 0.5 + jitter * 0.2
    # Two or three alike stand in a row, or in a column: apart along it, about the middle across.
    upright = generator.random(count) < 0.5
    steps = np.array([[0, 0, 0], [-0.24, 0.24, 0], [-0.32, 0, 0.32]])[shown - 1]
    lined = np.stack([0.5 + steps + 0.03 * jitter[..., 0], 0.5 + 0.16 * jitter[..., 1]], -1)
    lined[upright] = lined[upright][..., ::-1]
    centres = np.where((shown > 1)[:, None, None], lined, centres)
    # Relations: along y for above and below, along x for left and right.
    for value, (axis, sign) in enumerate(((1, -1), (1, 1), (0, -1), (0, 1)), 1):
        chosen = relation == value
        its = jitter[chosen]
        along = 0.5 + sign * np.array([1, -1, 0]) * 0.24 + 0.03 * its[..., axis]
        across = 0.5 + 0.12 * its[..., 1 - axis]
        pair = (along, across) if axis == 0 else (across, along)
        centres[chosen] = np.stack(pair, -1)
    return centres


def _cover(shapes: _Whole, centres: _Numbers, radii: _Numbers, size: int) -> _Numbers:
    """Return how much of each pixel an object covers, 0 to 1: [N, size, size]."""
    grid = (np.arange(size) + 0.5) / size
    x = (grid[None, None, :] - centres[:, 0, None, None]) / radii[:, None, None]
    y = (grid[None, :, None] - centres[:, 1, None, None]) / radii[:, None, None]
    ax, ay = np.abs(x), np.abs(y)
    # How far outside of the shape a point is, in radii; below 0 within it.
    arms = np.maximum(np.minimum(ax, ay) - 0.3, np.maximum(ax, ay) - 0.95)
    outside = np.select(
        [shapes[:, None, None] == number for number in range(len(SHAPES))],
        [
            np.hypot(x, y) - 1,
            np.maximum(ax, ay) - 0.86,
            np.maximum(y - 0.75, 0.894 * ax - 0.447 * (y + 1.0)),
            arms,
        ],
    )
    edges: _Numbers = np.clip(0.5 - outside * radii[:, None, None] * size, 0, 1)
    return edges


@cache
def _scenes(split: str) -> _Whole:
    """Return what the scenes of a split show: [N, F], int64."""
    generator = np.random.default_rng([SEED, _number(split), 0])
    seen = [scene for scene in all_scenes() if split_of(scene) == split]
    alone = [scene for scene in seen if not scene.relation]
    related = [scene for scene in seen if scene.relation]
    count = COUNTS[split]
    is_alone = generator.random(count) < ALONE
    rows = np.where(
        is_alone[:, None],
        np.array(alone)[generator.integers(len(alone), size=count)],
        np.array(related)[generator.integers(len(related), size=count)],
    )
    return rows.astype(np.int64)


def all_scenes() -> list[Scene]:
    """Return every scene that there can be, those with one kind of object first."""
    alone = [
        Scene(number, colour, shape)
        for number, colour, shape in product(
            range(len(NUMBERS)), range(len(COLOURS)), range(len(SHAPES))
        )
    ]
    objects = list(product(range(len(COLOURS)), range(len(SHAPES))))
    related = [
        Scene(0, *first, relation, other[0] + 1, other[1] + 1)
        for first, other in product(objects, objects)
        for relation in range(1, 1 + len(RELATIONS))
        if first != other
    ]
    return alone + related


def _combination(scene: Scene) -> tuple[object, ...]:
    """Return what is held out together: number, colour and shape; or two objects in any order."""
    if not scene.relation:
        return scene.number, scene.colour, scene.shape
    other = (scene.other_colour - 1, scene.other_shape - 1)
    return tuple(sorted(((scene.colour, scene.shape), other)))


@cache
def _held_out() -> frozenset[tuple[object, ...]]:
    generator = np.random.default_rng([SEED, 7])
    objects = list(product(range(len(COLOURS)), range(len(SHAPES))))
    alone = list(product(range(len(NUMBERS)), range(len(COLOURS)), range(len(SHAPES))))
    kept_back: list[tuple[object, ...]] = []
    groups: list[list[tuple[object, ...]]] = [[*alone], [*combinations(objects, 2)]]
    for group in groups:
        chosen = generator.permutation(len(group))[: round(HELD_OUT * len(group))]
        kept_back += [group[number] for number in sorted(chosen)]
    return frozenset(kept_back)


def _number(split: str) -> int:
    return list(COUNTS).index(split)
