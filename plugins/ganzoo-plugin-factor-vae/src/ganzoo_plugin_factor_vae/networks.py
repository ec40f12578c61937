"""The discriminator of codes (section 3, appendix A); other networks are the vae plugin's."""

from torch import Tensor, nn

from ganzoo_core.components import CodeDiscriminator, DiscriminatorOutput
from ganzoo_plugin_factor_vae.config import FactorVAEDiscriminatorConfig


class FactorVAEDiscriminator(CodeDiscriminator):
    """Codes to how probable it is that an encoder made them rather than a permutation."""

    def __init__(self, config: FactorVAEDiscriminatorConfig) -> None:
        super().__init__()
        self.latent_shape = (config.latent_size,)
        self.layers = nn.Sequential()
        for inputs in (config.latent_size, *[config.width] * (config.layers - 1)):
            self.layers.append(nn.Linear(inputs, config.width))
            self.layers.append(nn.LeakyReLU(config.slope, inplace=True))
        self.layers.append(nn.Linear(config.width, 2))

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Judge codes [N, latent_size]: logits [N], log D(z) − log(1 − D(z))."""
        own, permuted = self.layers(codes).unbind(1)
        return DiscriminatorOutput(own - permuted)
