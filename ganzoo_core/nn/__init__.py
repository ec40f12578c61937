"""Building blocks that more than one paper uses."""

from ganzoo_core.nn.batch_norm import SyncedBatchNorm, synced
from ganzoo_core.nn.dropout import Dropout
from ganzoo_core.nn.gaussian_noise import GaussianNoise

__all__ = ["Dropout", "GaussianNoise", "SyncedBatchNorm", "synced"]
