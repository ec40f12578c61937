"""Feature extractors: the networks in whose eyes real and generated images are compared.

`find_features` knows the classifiers that ganzoo ships, which need no network to be had
(`mnist-convnet`, `fashion-mnist-convnet`), and every timm backbone by its name
(`inception_v3.tf_in1k`, `vit_small_patch14_dinov2.lvd142m@224`). A number over one is always named
for it: FID[mnist-convnet] is not FID[inception_v3.tf_in1k], and neither is comparable with figures
of other features.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ganzoo_core.errors import CheckpointError, ConfigError, DataError, HubError, UnknownNameError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Embedded(NamedTuple):
    """What a feature extractor makes of a batch."""

    features: "Tensor"
    """[N, size], float32, on the CPU."""
    logits: "Tensor | None"
    """[N, classes], float32, on the CPU; None where the network is no classifier."""


class Features(Protocol):
    """A frozen network between images and numbers to compare them by."""

    @property
    def name(self) -> str:
        """Its name, which becomes part of the name of each metric over it."""

    @property
    def hash(self) -> str:
        """`sha256:…` of its weights."""

    @property
    def image_size(self) -> int:
        """Side in pixels that images are brought to."""

    @property
    def resize_filter(self) -> str:
        """How images of another size are brought there."""

    @property
    def size(self) -> int:
        """How many features an image has."""

    @property
    def classes(self) -> int:
        """How many classes its logits tell apart; 0 where it has none."""

    def embed(self, images: "Tensor") -> Embedded:
        """Return features and class logits of images [N, C, H, W] in [-1, 1]."""

    def maps(self, images: "Tensor") -> "Sequence[Tensor]":
        """Return activations [N, channels, height, width] of several depths."""


@dataclass(frozen=True)
class Shipped:
    """A classifier in this package: `python -m ganzoo_core.evaluation.train_convnet` made it."""

    sha256: str
    data: str
    classes: int


SHIPPED: Mapping[str, Shipped] = {
    "mnist-convnet": Shipped(
        "82dc24ad5edbe44494ffa4d339d3110b4ee898c27101c885733a933b5a9dec3a", "mnist", 10
    ),
    "fashion-mnist-convnet": Shipped(
        "f12415d6e77cde5bae52ef0cf9e2795e3c8ae01829f9d1f208ba907f4a00cd44", "fashion-mnist", 10
    ),
}

GENERAL = "inception_v3.tf_in1k"
"""What images that no shipped classifier knows are compared by unless something else is asked."""


def default_features(data: str, channels: int) -> str:
    """Return which features suit a data set, judged by its name and number of channels.

    Grey data whose name holds "fashion" are compared by `fashion-mnist-convnet`, other grey data
    whose name holds "mnist" or "digits" by `mnist-convnet`, and everything else by `GENERAL`.
    """
    name = data.rpartition("/")[2].lower()
    if channels == 1 and "fashion" in name:
        return "fashion-mnist-convnet"
    if channels == 1 and ("mnist" in name or "digits" in name):
        return "mnist-convnet"
    return GENERAL


def find_features(name: str, device: "torch.device | str" = "cpu") -> Features:
    """Return a feature extractor by name.

    Args:
        name: `mnist-convnet`, `fashion-mnist-convnet`, or a timm backbone; `@SIZE` after the latter
            brings images to another side than that it was trained on.
        device: where to compute.

    Raises:
        UnknownNameError: neither a shipped classifier nor a timm backbone with published weights.
        ConfigError: a size that is no whole number of pixels.
        HubError: the weights are not on this machine and cannot be downloaded.
        CheckpointError: shipped weights that are not what they were.
    """
    if name in SHIPPED:
        return ConvNetFeatures(name, device)
    return timm_features(name, device)


class ConvNetFeatures:
    """A shipped classifier of 28×28 grey images; its features are the 128 below the last layer."""

    resize_filter = "bilinear, antialiased"

    def __init__(self, name: str, device: "torch.device | str" = "cpu") -> None:
        from safetensors.torch import load

        from ganzoo_core.evaluation import convnet
        from ganzoo_core.nn.meta import without_initialisation

        shipped = SHIPPED[name]
        self.name = name
        self.hash = f"sha256:{shipped.sha256}"
        self.image_size = convnet.IMAGE_SIZE
        self.size = convnet.FEATURES
        self.classes = shipped.classes
        self._device = device
        file = Path(__file__).parent / "weights" / f"{name}.safetensors"
        content = read_shipped(file, shipped.sha256)
        with without_initialisation():  # which would draw from the global generator
            network = convnet.ConvNet(shipped.classes)
        weights = {key: tensor.float() for key, tensor in load(content).items()}
        # Batch norm counts its steps, which nobody asks for at rest and the file leaves out.
        network.load_state_dict(weights, strict=False)
        self._network = network.requires_grad_(False).eval().to(device)

    def embed(self, images: "Tensor") -> Embedded:
        """Return features [N, 128] and class logits [N, 10] of images [N, C, H, W] in [-1, 1]."""
        seen = self._network(self._fitted(images))
        return Embedded(seen.features.cpu(), seen.logits.cpu())

    def maps(self, images: "Tensor") -> "Sequence[Tensor]":
        """Return the activations after each of the three blocks."""
        maps: Sequence[Tensor] = self._network(self._fitted(images)).maps
        return maps

    def _fitted(self, images: "Tensor") -> "Tensor":
        return fitted(images, self.image_size, 1, "bilinear").to(self._device)


class TimmFeatures:
    """A timm backbone; its features are what it pools before its classifier.

    Args:
        name: to be named by.
        network: of timm, with its weights.
        image_size: side in pixels that images are brought to.
        device: where to compute.
    """

    def __init__(
        self, name: str, network: "nn.Module", image_size: int, device: "torch.device | str" = "cpu"
    ) -> None:
        import torch

        self.name = name
        self.image_size = image_size
        self._network = network.requires_grad_(False).eval()
        self.hash = weights_hash(self._network)
        self._network.to(device)
        self._device = device
        known: Any = network
        settings = known.pretrained_cfg
        self._filter = settings.get("interpolation", "bicubic")
        self._filter = self._filter if self._filter in ("bilinear", "bicubic") else "bicubic"
        self.resize_filter = f"{self._filter}, antialiased"
        self.size = int(known.num_features)
        self.classes = int(known.num_classes)
        mean, std = settings.get("mean", (0.5,) * 3), settings.get("std", (0.5,) * 3)
        self._mean = torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self._std = torch.tensor(std, device=device).view(1, -1, 1, 1)

    def embed(self, images: "Tensor") -> Embedded:
        """Return features and, of a classifier, logits of images [N, C, H, W] in [-1, 1]."""
        import torch

        network: Any = self._network
        with torch.no_grad():
            below = network.forward_features(self._fitted(images))
            features = network.forward_head(below, pre_logits=True).flatten(1)
            logits = network.forward_head(below).float().cpu() if self.classes else None
        return Embedded(features.float().cpu(), logits)

    def maps(self, images: "Tensor") -> "Sequence[Tensor]":
        """Return the activations at the depths that timm names for the backbone."""
        network: Any = self._network
        maps: Sequence[Tensor] = network.forward_intermediates(
            self._fitted(images), intermediates_only=True
        )
        return maps

    def _fitted(self, images: "Tensor") -> "Tensor":
        seen = fitted(images, self.image_size, self._mean.shape[1], self._filter)
        return ((seen.to(self._device) + 1) / 2 - self._mean) / self._std


def timm_features(name: str, device: "torch.device | str" = "cpu") -> TimmFeatures:
    """Return a timm backbone with its published weights, downloaded by timm where it is not here.

    Raises:
        UnknownNameError: timm has no backbone of this name with published weights.
        ConfigError: a size that is no whole number of pixels.
        HubError: the weights are not on this machine and cannot be downloaded.
    """
    import timm
    import torch

    backbone, at, size = name.partition("@")
    published = timm.list_models(pretrained=True)
    if backbone not in {each.partition(".")[0] for each in published}.union(published):
        raise UnknownNameError("features", backbone, [*SHIPPED, *published])
    if at and not (size.isdigit() and int(size)):
        raise ConfigError(f"--features {name} must end in a size in pixels, as in {backbone}@224")
    try:
        # timm draws initial weights from the global generator before it replaces them.
        with torch.random.fork_rng(devices=[]):
            network = _created(backbone, int(size) if size else None)
    except Exception as error:  # whatever the Hub's client, safetensors and the network raise
        said = " ".join(str(error).split()).rstrip(".")
        said = said if len(said) <= 120 else said[:117] + "…"
        raise HubError(
            f"the features {backbone} are not on this machine and cannot be downloaded "
            f"({type(error).__name__}: {said}); connect to the Hub once, or take --features "
            f"{' or '.join(SHIPPED)}, which need no network"
        ) from error
    return TimmFeatures(
        name, network, int(size or network.pretrained_cfg["input_size"][-1]), device
    )


def _created(backbone: str, image_size: int | None) -> Any:
    import timm

    if image_size is not None:
        with suppress(TypeError):  # networks without position embeddings take images of any size
            return timm.create_model(backbone, pretrained=True, img_size=image_size)
    return timm.create_model(backbone, pretrained=True)


def fitted(images: "Tensor", size: int, channels: int, resize_filter: str) -> "Tensor":
    """Bring images [N, C, H, W] in [-1, 1] to [N, channels, size, size].

    Grey becomes RGB by repeating it, RGB becomes grey by the weights of ITU-R 601.

    Raises:
        DataError: images of another number of channels than 1 or 3, or not of four dimensions.
    """
    from torch.nn import functional

    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(
            f"images of shape {list(images.shape)} have no features; they must be [N, 1, H, W] or "
            "[N, 3, H, W]"
        )
    if images.shape[1] == 3 and channels == 1:
        red, green, blue = images.unbind(1)
        images = (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)
    elif images.shape[1] == 1 and channels == 3:
        images = images.expand(-1, 3, -1, -1)
    if tuple(images.shape[2:]) == (size, size):
        return images
    resized = functional.interpolate(images, (size, size), mode=resize_filter, antialias=True)
    return resized.clamp(-1, 1)  # a cubic filter overshoots


def weights_hash(network: "nn.Module") -> str:
    """Return `sha256:…` of a network's weights, with their names, types and shapes."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        plain = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(plain.view(torch.uint8).numpy().data if plain.numel() else b"")
    return f"sha256:{digest.hexdigest()}"


def read_shipped(file: Path, sha256: str) -> bytes:
    """Return the content of a file of this package.

    Raises:
        CheckpointError: it cannot be read, or is not what it was.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{file} cannot be read ({error.strerror}); install ganzoo-core again"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(
            f"{file} is damaged, for its sha256 is not {sha256[:12]}…; install ganzoo-core again"
        )
    return content
