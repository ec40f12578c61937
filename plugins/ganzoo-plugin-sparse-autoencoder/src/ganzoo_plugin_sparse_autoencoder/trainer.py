"""An autoencoder whose code pays for its activity."""

from collections.abc import Mapping

from ganzoo_plugin_autoencoder.trainer import AutoencoderTrainer
from torch import Tensor

from ganzoo_core.components import Step
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_sparse_autoencoder.config import SparseAutoencoderConfig
from ganzoo_plugin_sparse_autoencoder.sparsity import absolute, divergence


class SparseAutoencoderTrainer(AutoencoderTrainer):
    """Reconstruction beside sparsity, with any encoder and decoder."""

    config: SparseAutoencoderConfig

    def penalties(self, codes: Tensor, step: Step) -> Mapping[str, Tensor]:
        """Return β times the sparsity of codes [N, latent_size]."""
        codes = codes.flatten(1)
        if self.config.sparsity == "l1":
            return {"sparsity": self.config.weight * absolute(codes)}
        # Once is enough: units with a sigmoid stay in their range.
        if step.progress.step == 0 and not bool(((codes >= 0) & (codes <= 1)).all()):
            raise UnsupportedError(
                "the divergence of activations needs an encoder whose code is from 0 to 1, and "
                "this one's is not; use --set encoder.code=sigmoid where the encoder has it, or "
                "--set trainer.sparsity=l1"
            )
        return {"sparsity": self.config.weight * divergence(codes, self.config.target)}
