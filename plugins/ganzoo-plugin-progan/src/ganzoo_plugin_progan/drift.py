"""What keeps the critic's scores from drifting away from zero (appendix A.1)."""

from torch import Tensor

from ganzoo_core.components import Judged, Noise, Regularizer
from ganzoo_core.errors import UnsupportedError
from ganzoo_plugin_progan.config import DriftConfig


class Drift(Regularizer):
    """ε_drift E[D(x)²] over real images: L' = L + ε_drift E_{x ∈ P_r}[D(x)²].

    The Wasserstein loss is the same for a critic whose scores all have an offset more; this one is
    least where real images score about 0. It looks at scores that the trainer has anyway.
    """

    def __init__(self, config: DriftConfig) -> None:
        super().__init__()
        self.weight = config.weight

    def penalty(self, judged: Judged, noise: Noise) -> Tensor:
        """Return the penalty, a scalar.

        Raises:
            UnsupportedError: the discriminator has no logits.
        """
        logits = (judged.of_real or judged.judge(judged.real)).logits
        if logits is None:
            raise UnsupportedError(
                "the regulariser drift needs a discriminator with logits, and this one has none; "
                "leave it out of --regularizer or choose another --discriminator"
            )
        return self.weight * logits.float().square().mean()
