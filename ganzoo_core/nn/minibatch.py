"""What a discriminator may know of a batch as a whole."""

import torch
from torch import Tensor, nn


class MinibatchStddev(nn.Module):
    """Append one feature map that says how much a batch varies (Karras et al. 2018, section 3).

    The standard deviation of each feature at each place, over a group of images, is averaged over
    all features and places; the one number that this gives fills the new map of all of the group's
    images. A process sees its own share of the joined batch.

    Args:
        group: images of a group; the whole batch where it cannot be divided into such groups.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, activations: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C + 1, H, W]."""
        count, channels, height, width = activations.shape
        group = self.group if count % self.group == 0 else count
        # As the authors do: image n is in group n modulo the number of groups.
        groups = activations.float().view(group, -1, channels, height, width)
        centred = groups - groups.mean(0, keepdim=True)
        deviations = torch.sqrt(centred.square().mean(0) + 1e-8)
        mean = deviations.mean((1, 2, 3)).to(activations.dtype)
        appended = mean.repeat(group).view(count, 1, 1, 1).expand(-1, -1, height, width)
        return torch.cat([activations, appended], 1)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"group={self.group}"
