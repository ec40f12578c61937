"""Building blocks that more than one paper uses."""

from ganzoo_core.nn.batch_norm import SyncedBatchNorm, synced
from ganzoo_core.nn.dropout import Dropout

__all__ = ["Dropout", "SyncedBatchNorm", "synced"]
