"""What a trainer promises: which networks learn, on which loss, how often.

The engine of `ganzoo_core.training` does all the rest for every paper alike.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

from ganzoo_core.components.loss import Loss, Regularizer
from ganzoo_core.components.noise import Noise
from ganzoo_core.components.optimizers import SGD, Adagrad, Adam, Progress, RMSprop, constant
from ganzoo_core.errors import UnsupportedError

if TYPE_CHECKING:
    from ganzoo_core.components.config import Config


@dataclass(frozen=True)
class Parts:
    """What a recipe puts together for its trainer."""

    networks: Mapping[str, Any]
    """The networks by role, each keeping the contract of its kind."""
    loss: Loss | None = None
    regularizers: Sequence[Regularizer] = ()
    given: Collection[str] = ()
    """Roles of networks that came with their weights, and learn nothing."""


def unchanged() -> None:
    """Leave the networks as the stage before left them."""


def unconstrained() -> None:
    """Leave the weights as the optimiser moved them."""


@dataclass(frozen=True)
class Phase:
    """One kind of update within a step: these networks learn, all others are frozen.

    `repeat` runs it several times a step, each time on a fresh batch (five critic steps); `every`
    runs it only every so many steps (lazy regularisation).
    """

    name: str
    networks: tuple[str, ...]
    optimizer: Adam | SGD | RMSprop | Adagrad
    schedule: Callable[[Progress], float] = constant
    """Factor on the learning rate."""
    repeat: int = 1
    every: int = 1
    constrain: Callable[[], None] = unconstrained
    """Called after each update, to bring the weights back to where they may be."""
    optimizer_of: str = ""
    """Name of an earlier phase of the stage whose optimiser, moments and all, moves these weights
    too; they are the same networks' then, and `optimizer` is the same setting."""


@dataclass(frozen=True)
class ClipShape:
    """What a stage wants of each clip of a video: some of its frames, in the order of time.

    Where they begin, and which they are, is drawn anew each time a clip is seen.
    """

    frames: int
    """How many."""
    span: int = 0
    """Among so many consecutive frames, or as many as a clip has where that is fewer; 0 for the
    frames alone, one right after the other."""


@dataclass(frozen=True)
class Stage:
    """Phases that run together for a share of the training."""

    name: str
    phases: Sequence[Phase]
    share: float = 1.0
    """Weight among all stages, of its steps, or, where stages have batches of different sizes, of
    the images that they see."""
    batch_size: int | None = None
    """Images a batch during this stage, over all processes together; `training.batch_size` where
    None."""
    clips: ClipShape | None = None
    """The clips that it learns from, which make up `Batch.clips`; None where it learns images."""
    begin: Callable[[], None] = unchanged
    """Called once, before the stage's first step: here one network may be given what another has
    learned. What it changes follows from the networks alone, so that a run that is taken up again
    is as one that was not."""


@dataclass(frozen=True)
class Batch:
    """Images to learn from."""

    images: Tensor
    """[N, channels, height, width], float, in [-1, 1]"""
    labels: Tensor | None = None
    """[N], int64 class numbers"""
    other: "Batch | None" = None
    """As many images of the other domain, where there are two: the counterparts, or any."""
    labelled: "Batch | None" = None
    """As many images again, of the few whose labels a semi-supervised trainer may see."""
    clips: Tensor | None = None
    """[N, T, channels, height, width], float, in [-1, 1]: what `Stage.clips` asks for of each clip
    of a video, of which `images` are the first frames."""
    captions: Tensor | None = None
    """[N, text_length], int64 tokens, 0 where a caption has ended; where a network reads them"""

    def __len__(self) -> int:
        return len(self.images)


class Reused(dict[str, Any]):
    """What earlier phases leave to later ones, by name."""

    def __missing__(self, name: str) -> Any:
        raise UnsupportedError(
            f"a phase goes on from what an earlier one computes ({name}), and that one's networks "
            "are all given; give fewer networks by --from"
        )


@dataclass
class Step:
    """What a loss may use besides its batch."""

    noise: Noise
    progress: Progress
    stage: str
    reuse: dict[str, Any] = field(default_factory=Reused)
    """What an earlier phase computed on this batch and a later one may use, detached."""


@dataclass(frozen=True)
class Losses:
    """A phase's loss and the parts of it that are worth a curve."""

    total: Tensor
    """The scalar to minimise."""
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    """Scalars to log, detached."""


class Trainer:
    """A paper's training procedure.

    A subclass implements `phases` (or `stages`), `loss` and `passes`. What it has to remember
    between steps, such as a history of fakes, it keeps as tensors in `state`, which checkpoints
    hold.
    """

    labelled: int = 0
    """How many images, spread evenly over the classes, come again as `Batch.labelled`."""
    other: Literal["", "unpaired", "unlabelled", "paired"] = ""
    """What `Batch.other` must be: absent, images of another domain (with or without the labels that
    there are), or the counterparts."""

    def __init__(self, config: "Config", parts: Parts) -> None:
        self.config = config
        self.networks: Mapping[str, nn.Module] = parts.networks
        self.criterion = parts.loss
        self.regularizers = parts.regularizers
        self.given = parts.given
        self.state: dict[str, Tensor] = {}

    def phases(self) -> Sequence[Phase]:
        """Return the phases of one step, in their order."""
        raise TypeError(f"{type(self).__name__} implements neither phases nor stages")

    def stages(self) -> Sequence[Stage]:
        """Return the stages of the training; one stage of `phases` unless a paper has several."""
        return (Stage("training", self.phases()),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Compute what the networks of `phase` minimise on `batch`."""
        raise TypeError(f"{type(self).__name__} does not implement loss")

    def passes(self) -> Mapping[str, float]:
        """Return what one step costs each network of the first stage, in forward-equivalents.

        One forward pass of a batch counts 1; a backward pass through a frozen network for its
        input's gradient counts 1, one that also computes weight gradients 2. The number is the
        mean over a full round of the phases' `every`, and is the same however many batches
        `accumulate` averages. The conformance kit counts the real passes and compares.
        """
        raise TypeError(f"{type(self).__name__} does not implement passes")


def learning_stages(trainer: Trainer) -> list[Stage]:
    """Return a trainer's stages as far as something learns in them: given networks do not.

    Raises:
        UnsupportedError: nothing is left to learn.
    """
    if not trainer.given:
        return list(trainer.stages())
    stages = []
    for stage in trainer.stages():
        phases = [
            replace(phase, networks=tuple(r for r in phase.networks if r not in trainer.given))
            for phase in stage.phases
        ]
        learning = [phase for phase in phases if phase.networks]
        if learning:
            stages.append(replace(stage, phases=learning))
    if not stages:
        raise UnsupportedError(
            f"all networks are given ({', '.join(trainer.given)}), so there is nothing to train; "
            "name those that are to be kept, as in --from encoder,decoder=MODEL"
        )
    return stages


@dataclass(frozen=True)
class AuthorsWeights:
    """Published weights in our terms."""

    networks: Mapping[str, Mapping[str, Tensor]]
    """State dicts by role."""
    settings: Mapping[str, Any]
    """Settings that the file's shapes imply, by dotted path."""
    recognised: str
    """Which project's format, which network and which options were recognised."""
    source: Path | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    """Components by role, where a network is another one than the variant's recipe names."""
