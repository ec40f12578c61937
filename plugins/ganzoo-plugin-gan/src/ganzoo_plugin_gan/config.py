"""Hyper-parameters; defaults are those of the paper's MNIST experiment.

They stand in the authors' code, github.com/goodfeli/adversarial, mnist.yaml.
"""

from pydantic import Field

from ganzoo_core.components import SGD, Config, Optimizer


class MLPGeneratorConfig(Config):
    """The generator: two rectified layers and a sigmoid."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    latent_size: int = Field(default=100, ge=1, le=65536)
    width: int = Field(default=1200, ge=1, le=65536)
    """Units of each hidden layer."""
    init_range: float = Field(default=0.05, gt=0, le=1)
    """Weights begin uniform in ± this."""


class MaxoutDiscriminatorConfig(Config):
    """The discriminator: two maxout layers and a sigmoid, with dropout at every input."""

    image_size: int = Field(default=28, ge=1, le=256)
    channels: int = Field(default=1, ge=1, le=64)
    width: int = Field(default=240, ge=1, le=65536)
    """Units of each hidden layer."""
    pieces: int = Field(default=5, ge=1, le=64)
    """Linear pieces of each maxout unit."""
    input_dropout: float = Field(default=0.2, ge=0, lt=1)
    hidden_dropout: float = Field(default=0.5, ge=0, lt=1)
    init_range: float = Field(default=0.005, gt=0, le=1)


class AdversarialConfig(Config):
    """The alternating game of Algorithm 1, and the field's tricks, which are off unless asked for.

    SGD for the discriminator alone, or separate learning rates, are settings of the optimisers.
    """

    discriminator_optimizer: Optimizer = SGD(lr=0.1, momentum=0.5)
    generator_optimizer: Optimizer = SGD(lr=0.1, momentum=0.5)
    learning_rate_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor on both learning rates at every step."""
    discriminator_steps: int = Field(default=1, ge=1, le=1000)
    """k of Algorithm 1: discriminator updates for each of the generator's."""
    share_fake: bool = False
    """Let the discriminator judge the fakes that the generator has just learned from, which saves
    a pass through the generator; Algorithm 1 draws fresh ones."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """One-sided label smoothing (Salimans et al. 2016, section 3.4): real images have the target
    1 - this, fakes stay at 0; the paper takes 0.1."""
    label_noise: float = Field(default=0.0, ge=0, lt=0.5)
    """Targets are drawn uniformly within this of theirs, fakes' from 0 up (Chintala et al. 2016,
    "How to train a GAN?", tip 6)."""
    label_flipping: float = Field(default=0.0, ge=0, lt=0.5)
    """Probability with which an image's target is exchanged in the discriminator's turn (tip 6)."""
    instance_noise: float = Field(default=0.0, ge=0, le=10)
    """Deviation of the Gaussian noise on everything that the discriminator sees; it falls linearly
    to 0 at the end of training (Sønderby et al. 2017, section 3; Arjovsky and Bottou 2017)."""
    history: int = Field(default=0, ge=0, le=1_000_000)
    """Fakes that are kept; half of those that the discriminator judges are drawn from them, and
    replaced there by new ones (Shrivastava et al. 2017, section 2.3)."""


class LossConfig(Config):
    """The losses of this paper have no hyper-parameters."""


CONFIGS: dict[str, type[Config]] = {
    "generator/mlp": MLPGeneratorConfig,
    "discriminator/maxout": MaxoutDiscriminatorConfig,
    "loss/minimax": LossConfig,
    "loss/non-saturating": LossConfig,
    "trainer/adversarial": AdversarialConfig,
}
