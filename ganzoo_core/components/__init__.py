"""The contracts between the core and its plugins: what each kind of component promises.

Names that need no torch (`Config` and the optimisers' settings) can be imported without it.
"""

from typing import TYPE_CHECKING, Any

from ganzoo_core.components.config import Config
from ganzoo_core.components.optimizers import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Optimizer,
    Progress,
    RMSprop,
    constant,
    slowed,
)

if TYPE_CHECKING:
    from ganzoo_core.components.loss import (
        AdversarialLoss,
        Judged,
        Loss,
        PointwiseLoss,
        Regularizer,
        errors_of,
        logits_of,
    )
    from ganzoo_core.components.mapped import (
        NOISE_MODES,
        MappedGenerator,
        NoiseMode,
        Rendering,
    )
    from ganzoo_core.components.networks import (
        Code,
        CodeDiscriminator,
        Decoder,
        Discriminator,
        DiscriminatorOutput,
        Encoder,
        Generator,
        LatentCode,
        Translator,
    )
    from ganzoo_core.components.noise import (
        ImageNoise,
        JointNoise,
        Noise,
        NoisyModule,
        drawing_from,
        mixed_seed,
    )
    from ganzoo_core.components.text import Drawing, Prior, Reranker
    from ganzoo_core.components.trainer import (
        AuthorsWeights,
        Batch,
        ClipShape,
        Losses,
        Parts,
        Phase,
        Stage,
        Step,
        Trainer,
        learning_stages,
    )
    from ganzoo_core.components.video import Composer, Predictor

__all__ = [
    "NOISE_MODES",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdversarialLoss",
    "AuthorsWeights",
    "Batch",
    "ClipShape",
    "Code",
    "CodeDiscriminator",
    "Composer",
    "Config",
    "Decoder",
    "Discriminator",
    "DiscriminatorOutput",
    "Drawing",
    "Encoder",
    "Generator",
    "ImageNoise",
    "JointNoise",
    "Judged",
    "LatentCode",
    "Loss",
    "Losses",
    "MappedGenerator",
    "Noise",
    "NoiseMode",
    "NoisyModule",
    "Optimizer",
    "Parts",
    "Phase",
    "PointwiseLoss",
    "Predictor",
    "Prior",
    "Progress",
    "RMSprop",
    "Regularizer",
    "Rendering",
    "Reranker",
    "Stage",
    "Step",
    "Trainer",
    "Translator",
    "constant",
    "drawing_from",
    "errors_of",
    "learning_stages",
    "logits_of",
    "mixed_seed",
    "slowed",
]

_HOMES = {
    "loss": (
        "AdversarialLoss",
        "Judged",
        "Loss",
        "PointwiseLoss",
        "Regularizer",
        "errors_of",
        "logits_of",
    ),
    "mapped": ("NOISE_MODES", "MappedGenerator", "NoiseMode", "Rendering"),
    "networks": (
        "Code",
        "CodeDiscriminator",
        "Decoder",
        "Discriminator",
        "DiscriminatorOutput",
        "Encoder",
        "Generator",
        "LatentCode",
        "Translator",
    ),
    "noise": ("ImageNoise", "JointNoise", "Noise", "NoisyModule", "drawing_from", "mixed_seed"),
    "text": ("Drawing", "Prior", "Reranker"),
    "trainer": (
        "AuthorsWeights",
        "Batch",
        "ClipShape",
        "Losses",
        "Parts",
        "Phase",
        "Stage",
        "Step",
        "Trainer",
        "learning_stages",
    ),
    "video": ("Composer", "Predictor"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
