"""The training procedure: both networks learn in one phase."""

from collections.abc import Mapping, Sequence

from ganzoo_core.components import (
    Batch,
    Code,
    Encoder,
    Generator,
    Losses,
    Parts,
    Phase,
    Step,
    Trainer,
)
from ganzoo_core.errors import UnsupportedError
from torch import Tensor

from ganzoo_plugin_my_autoencoder.config import TrainerConfig


class MyAutoencoderTrainer(Trainer):
    """An encoder and a decoder that learn to reconstruct images from few numbers."""

    config: TrainerConfig

    def __init__(self, config: TrainerConfig, parts: Parts) -> None:
        super().__init__(config, parts)
        self.encoder: Encoder = parts.networks["encoder"]
        self.decoder: Generator = parts.networks["decoder"]

    def phases(self) -> Sequence[Phase]:
        """Return the only phase; a network that learns on another loss has a phase of its own."""
        return (Phase("reconstruction", ("encoder", "decoder"), self.config.optimizer),)

    def loss(self, phase: Phase, batch: Batch, step: Step) -> Losses:
        """Return the squared error of the reconstruction plus β times the code's divergence."""
        code: Code = self.encoder(batch.images)
        reconstructed: Tensor = self.decoder(code.draw(step.noise))
        error = (reconstructed - batch.images).square().flatten(1).sum(1).mean()
        spread = divergence(code)
        parts = {"error": error.detach(), "divergence": spread.detach()}
        return Losses(error + self.config.beta * spread, parts)

    def passes(self) -> Mapping[str, float]:
        """Return the cost of a step: each network once forward, and backward with its weights."""
        return {"encoder": 3, "decoder": 3}


def divergence(code: Code) -> Tensor:
    """Return the Kullback-Leibler divergence of Gaussian codes from N(0, 1), a scalar.

    Summed over a code's numbers, averaged over the batch.

    Raises:
        UnsupportedError: the codes are not Gaussian.
    """
    if code.log_variance is None:
        raise UnsupportedError(
            "this trainer needs an encoder with a Gaussian code; choose another --encoder"
        )
    variance = code.log_variance.exp()
    return 0.5 * (code.mean.square() + variance - 1 - code.log_variance).sum(1).mean()
