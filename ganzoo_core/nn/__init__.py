"""Building blocks that more than one paper uses."""

from ganzoo_core.nn.batch_norm import SyncedBatchNorm, synced
from ganzoo_core.nn.dropout import Dropout
from ganzoo_core.nn.equalized import EqualizedConv2d, EqualizedLinear
from ganzoo_core.nn.gaussian_noise import GaussianNoise
from ganzoo_core.nn.initial import init_normal
from ganzoo_core.nn.minibatch import MinibatchStddev
from ganzoo_core.nn.pixel_norm import PixelNorm

__all__ = [
    "Dropout",
    "EqualizedConv2d",
    "EqualizedLinear",
    "GaussianNoise",
    "MinibatchStddev",
    "PixelNorm",
    "SyncedBatchNorm",
    "init_normal",
    "synced",
]
