"""A model: the networks that a variant keeps after training, and what can be done with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import torch
from torch import Tensor, nn

from ganzoo_core.components import Encoder, Generator, ImageNoise, drawing_from
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.hub.origin import Origin

if TYPE_CHECKING:
    from ganzoo_core.blueprint import Blueprint

Progress = Callable[[int, int], None]
Contract = TypeVar("Contract", bound=nn.Module)


class Model:
    """A variant's networks with the verbs that they are able to do.

    `networks` are ordinary `torch.nn.Module` objects by role; images are float tensors
    [N, channels, height, width] in [-1, 1].
    """

    def __init__(
        self,
        blueprint: "Blueprint",
        networks: Mapping[str, nn.Module],
        origin: Origin | None = None,
    ) -> None:
        self.blueprint = blueprint
        self.networks = dict(networks)
        self.origin = origin or Origin("fresh")

    @property
    def variant(self) -> str:
        """Short name of the variant."""
        return self.blueprint.entry.name

    @property
    def verbs(self) -> tuple[str, ...]:
        """What this model can do."""
        able = []
        if self._find(Generator):
            able += ["sample", "interpolate", "decode"]
        if self._find(Encoder):
            able.append("encode")
        if {"decode", "encode"} <= set(able):
            able.append("reconstruct")
        return tuple(able)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(weight.device for net in self.networks.values() for weight in net.parameters())

    @property
    def parameters(self) -> int:
        """How many weights its networks have together."""
        return sum(w.numel() for net in self.networks.values() for w in net.parameters())

    def to(self, device: torch.device | str) -> "Model":
        """Move all networks to a device; returns the model itself."""
        for network in self.networks.values():
            network.to(device)
        return self

    def save(self, folder: Path | str) -> Path:
        """Write a model folder in the Hub's layout, which `ganzoo_core.load` reads again."""
        from ganzoo_core.hub.folder import write_model_folder

        return write_model_folder(self, Path(folder))

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> Tensor:
        """Draw images; image number i of a seed is the same however many are drawn and batched.

        Args:
            count: how many images, at least 1.
            seed: of the series.
            batch_size: images at a time.
            progress: called with the number of images done and `count`.

        Returns:
            [count, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model has no generator, or `count` or `batch_size` is below 1.
        """
        generator = self._need(Generator, "sample")
        _check_positive(count=count, batch_size=batch_size)
        drawn = []
        for start in range(0, count, batch_size):
            numbers = range(start, min(start + batch_size, count))
            noise = ImageNoise(seed, numbers, self.device)
            drawn.append(self._generate(generator, generator.latents(len(numbers), noise), noise))
            if progress:
                progress(numbers.stop, count)
        return torch.cat(drawn)

    def interpolate(
        self,
        pairs: int = 8,
        frames: int = 16,
        *,
        seed: int = 0,
        method: Literal["slerp", "linear"] = "slerp",
    ) -> Tensor:
        """Walk between pairs of latents.

        Args:
            pairs: how many walks.
            frames: images on each walk, both ends included, at least 2.
            seed: of the latents; walk i goes from image 2i of `sample` to image 2i + 1.
            method: along the great circle, as suits Gaussian latents, or along the straight line.

        Returns:
            [pairs, frames, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model has no generator, or there are too few pairs or frames.
        """
        generator = self._need(Generator, "interpolate")
        _check_positive(pairs=pairs, frames=frames - 1)
        if method not in ("slerp", "linear"):
            raise UnsupportedError(f"there is no interpolation {method!r}; choose slerp or linear")
        walk = slerp if method == "slerp" else torch.lerp
        walks = []
        for pair in range(pairs):
            noise = ImageNoise(seed, (2 * pair, 2 * pair + 1), self.device)
            first, last = generator.latents(2, noise).split(1)
            # One series of noise for the whole walk: only the latent moves.
            still = ImageNoise(seed, [2 * pair] * frames, self.device)
            shares = torch.linspace(0, 1, frames, device=self.device)
            latents = torch.cat([walk(first, last, share) for share in shares])
            walks.append(self._generate(generator, latents, still))
        return torch.stack(walks)

    def decode(self, latents: Tensor, *, seed: int = 0, batch_size: int = 64) -> Tensor:
        """Make images of latents [N, *latent_shape]; returns them on the CPU."""
        generator = self._need(Generator, "decode")
        wanted = tuple(generator.latent_shape)
        if tuple(latents.shape[1:]) != wanted:
            raise UnsupportedError(
                f"{self.variant} decodes latents of shape {('N', *wanted)}, not "
                f"{tuple(latents.shape)}"
            )
        decoded = []
        for start in range(0, len(latents), batch_size):
            chunk = latents[start : start + batch_size].to(self.device)
            noise = ImageNoise(seed, range(start, start + len(chunk)), self.device)
            decoded.append(self._generate(generator, chunk, noise))
        return torch.cat(decoded)

    def encode(self, images: Tensor, *, batch_size: int = 64) -> Tensor:
        """Return the codes of images [N, C, H, W] (the means, of Gaussian codes), on the CPU."""
        encoder = self._need(Encoder, "encode")
        if tuple(images.shape[1:]) != tuple(encoder.image_shape):
            raise UnsupportedError(
                f"{self.variant} encodes images of shape {('N', *encoder.image_shape)}, not "
                f"{tuple(images.shape)}"
            )
        with self._at_rest(encoder):
            chunks = images.split(batch_size)
            return torch.cat([encoder(chunk.to(self.device)).mean.cpu() for chunk in chunks])

    def reconstruct(self, images: Tensor, *, batch_size: int = 64) -> Tensor:
        """Return what encoding and decoding leaves of images [N, C, H, W], on the CPU."""
        self._need(Encoder, "reconstruct")
        return self.decode(self.encode(images, batch_size=batch_size), batch_size=batch_size)

    def _generate(self, generator: Generator, latents: Tensor, noise: ImageNoise) -> Tensor:
        with self._at_rest(generator), drawing_from(noise, generator):
            images: Tensor = generator(latents)
        return images.float().cpu()

    @contextmanager
    def _at_rest(self, network: nn.Module) -> Iterator[None]:
        """Run a network in eval mode and without gradients, then put its mode back."""
        training = [layer for layer in network.modules() if layer.training]
        network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for layer in training:
                layer.training = True

    def _find(self, contract: type) -> nn.Module | None:
        kept: Sequence[str] = self.blueprint.entry.recipe.inference
        return next(
            (self.networks[role] for role in kept if isinstance(self.networks.get(role), contract)),
            None,
        )

    def _need(self, contract: type[Contract], verb: str) -> Contract:
        network = self._find(contract)
        if not isinstance(network, contract):
            raise UnsupportedError(
                f"{self.variant} cannot {verb}: it has no {contract.__name__.lower()}; "
                f"what it can do: {', '.join(self.verbs) or 'nothing'}"
            )
        return network


def slerp(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Go along the great circle from one latent to another (Shoemake 1985; White 2016).

    Args:
        first: [N, …], where `share` is 0
        last: [N, …], where `share` is 1
        share: scalar in [0, 1]

    Returns:
        [N, …]; on the straight line where the two are parallel
    """
    a, b = first.flatten(1), last.flatten(1)
    cosine = nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = torch.acos(cosine)[:, None]
    sine = torch.sin(angle)
    curved = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / sine
    straight = torch.lerp(a, b, share)
    return torch.where(sine.abs() > 1e-4, curved, straight).view_as(first)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UnsupportedError(f"{name.replace('_', ' ')} must be at least 1, not {number}")
