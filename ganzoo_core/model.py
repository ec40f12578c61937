"""A model: the networks that a variant keeps after training, and what can be done with them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

import torch
from torch import Tensor, nn

from ganzoo_core.components import (
    NOISE_MODES,
    Code,
    Encoder,
    Generator,
    ImageNoise,
    LatentCode,
    MappedGenerator,
    NoiseMode,
    Predictor,
    Prior,
    Rendering,
    Reranker,
    Translator,
    drawing_from,
)
from ganzoo_core.errors import UnknownNameError, UnsupportedError
from ganzoo_core.hub.origin import Origin
from ganzoo_core.prompting import (
    Prompt,
    Ranked,
    Text,
    drawn_latents,
    kept_codes,
    refuse,
    texts_of,
    tokens_of,
)
from ganzoo_core.translating import TILE, translated
from ganzoo_core.video import (
    Recomposer,
    check_frames,
    chunks,
    image_shape_of,
    predicted,
    predictor_among,
    walked,
)

if TYPE_CHECKING:
    from ganzoo_core.blueprint import Blueprint
    from ganzoo_core.evaluation.features import Features
    from ganzoo_core.projecting import Observe, Projection, Space
    from ganzoo_core.text import Tokenizer

Progress = Callable[[int, int], None]
Labels = int | Sequence[int] | Tensor | None
"""What a conditional model is asked for: one class for all images, or one for each."""
Contract = TypeVar("Contract", bound=nn.Module)
PLAIN = Rendering()


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
        tokenizer: "Tokenizer | None" = None,
    ) -> None:
        self.blueprint = blueprint
        self.networks = dict(networks)
        self.origin = origin or Origin("fresh")
        self.tokenizer = tokenizer
        """How captions become tokens; None where the model takes none."""

    @property
    def variant(self) -> str:
        """Short name of the variant."""
        return self.blueprint.entry.name

    @property
    def verbs(self) -> tuple[str, ...]:
        """What this model can do."""
        able = []
        generator = self._find(Generator)
        if generator:
            # Codes have no prior to speak of unless one was learned, and nothing lies between them.
            able += [] if getattr(generator, "discrete", 0) else ["sample", "interpolate"]
            able += ["sample"] if self._find(Prior) and "sample" not in able else []
            able.append("decode")
        if self._find(MappedGenerator):
            able += ["map", "synthesize", "mix", "project"]
        encoder = self._find(Encoder)
        if encoder:
            able.append("encode")
        if {"decode", "encode"} <= set(able):
            able.append("reconstruct")
        if getattr(encoder, "classes", 0):
            able.append("classify")
        if self._find(Reranker):
            able.append("score")
        if self.directions:
            able.append("translate")
        if self._recomposer:
            able += ["swap", "reconstruct", "interpolate"]
        if self._predictor:
            able.append("predict")
        return tuple(dict.fromkeys(able))

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
        seed: int | Sequence[int] = 0,
        labels: Labels = None,
        codes: Mapping[str, float] = MappingProxyType({}),
        text: Text = None,
        prompt: Prompt = Prompt(),  # noqa: B008 immutable
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: NoiseMode = "drawn",
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> Tensor:
        """Draw images; image number i of a seed is the same however many are drawn and batched.

        Args:
            count: how many images, at least 1.
            seed: of the series; or a seed for each image, which is then the first of its series.
            labels: of a conditional model: the class that all images show, or one for each image;
                by default the classes in turn.
            codes: parts of the latent to set, such as `{"c1": 3}`; see `codes`.
            text: of a model of captions: one for all images, or one for each.
            prompt: of a model of captions: all that can be asked for beside the text.
            truncation: ψ, of a generator with styles: how far they stay from their mean, 0 for the
                mean itself and 1 for no truncation.
            cutoff: how many layers, from the first on, are truncated; by default as the generator
                says.
            noise: of a generator with styles: which layers add noise, and whether it is drawn for
                each image; see `NoiseMode`.
            batch_size: images at a time.
            progress: called with the number of images done and `count`.

        Returns:
            [count, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model has no generator, no such class or code, takes no text, has
                no styles to truncate, or `count` or `batch_size` is below 1.
        """
        drawn = []
        done = 0
        for images, _ in self.batches(
            count,
            seed=seed,
            labels=labels,
            codes=codes,
            text=text,
            prompt=prompt,
            truncation=truncation,
            cutoff=cutoff,
            noise=noise,
            batch_size=batch_size,
            progress=progress,
        ):
            drawn.append(images)
            done += len(images)
            if progress:
                progress(done, count)
        return torch.cat(drawn)

    def batches(
        self,
        count: int,
        *,
        seed: int | Sequence[int] = 0,
        labels: Labels = None,
        codes: Mapping[str, float] = MappingProxyType({}),
        text: Text = None,
        prompt: Prompt = Prompt(),  # noqa: B008 immutable
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: NoiseMode = "drawn",
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Draw what `sample` draws, a batch at a time, with the labels that were asked for.

        Yields:
            images [N, channels, height, width] in [-1, 1] and labels [N], int64, both on the CPU;
            None where the model takes no classes.

        Raises:
            UnsupportedError: as `sample`.
        """
        generator = self._need(Generator, "sample")
        _check_positive(count=count, batch_size=batch_size)
        asked = self._asked_labels(generator, labels, count)
        rendering = self.rendering(truncation, cutoff, noise)
        if not isinstance(seed, int) and len(seed) != count:
            raise UnsupportedError(
                f"{len(seed)} seeds were given for {count} images; give each one"
            )
        prompt = prompt if text is None else replace(prompt, text=text)
        latents_of = self._latents(generator, prompt, count, progress)
        for start in range(0, count, batch_size):
            numbers = range(start, min(start + batch_size, count))
            if isinstance(seed, int):
                draws = ImageNoise(seed, numbers, self.device)
            else:
                draws = ImageNoise.of_seeds(seed[start : numbers.stop], self.device)
            latents = latents_of(numbers, draws)
            for name, value in codes.items():
                latents = self._with_code(latents, name, torch.full((len(latents),), value))
            its = None if asked is None else asked[start : numbers.stop]
            yield self._generate(generator, latents, draws, its, rendering), its

    def rendering(
        self, truncation: float = 1.0, cutoff: int | None = None, noise: NoiseMode = "drawn"
    ) -> Rendering:
        """Return how images are to be made of styles, checked against what the generator has.

        Raises:
            UnsupportedError: it has no styles, or no such layers or kind of noise.
        """
        asked = Rendering(truncation, cutoff, noise)
        if asked == Rendering():
            return asked
        generator = self.mapped("truncate or choose its noise")
        if not math.isfinite(truncation):
            raise UnsupportedError(f"truncation must be a number, such as 0.7, not {truncation}")
        if cutoff is not None and not 0 <= cutoff <= generator.style_layers:
            raise UnsupportedError(
                f"the generator of {self.variant} has {generator.style_layers} layers with styles; "
                f"the cutoff cannot be {cutoff}"
            )
        if noise not in NOISE_MODES:
            raise UnsupportedError(
                f"there is no noise {noise!r}; choose one of {', '.join(NOISE_MODES)}"
            )
        return asked

    def mapped(self, verb: str = "map latents to styles") -> MappedGenerator:
        """Return the generator with styles.

        Raises:
            UnsupportedError: the model has none.
        """
        generator = self._find(MappedGenerator)
        if not isinstance(generator, MappedGenerator):
            raise UnsupportedError(
                f"{self.variant} cannot {verb}: it has no intermediate latent space, as StyleGAN "
                f"has; what it can do: {', '.join(self.verbs) or 'nothing'}"
            )
        return generator

    def map(self, latents: Tensor, *, labels: Labels = None, batch_size: int = 64) -> Tensor:
        """Return the styles w of latents [N, *latent_shape]: [N, style_size], on the CPU.

        Raises:
            UnsupportedError: the model has no styles, or the latents have another shape.
        """
        generator = self.mapped()
        self._check_shape("maps latents", latents, generator.latent_shape)
        asked = self._asked_labels(generator, labels, len(latents))
        styles = []
        for start in range(0, len(latents), batch_size):
            its = None if asked is None else asked[start : start + batch_size].to(self.device)
            with self._at_rest(generator):
                chunk = latents[start : start + batch_size].to(self.device)
                styles.append(generator.map(chunk, its).float().cpu())
        return torch.cat(styles)

    def synthesize(
        self,
        styles: Tensor,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: NoiseMode = "drawn",
        seed: int = 0,
        batch_size: int = 64,
    ) -> Tensor:
        """Make images of styles, in W or W+.

        Args:
            styles: [N, style_size], or [N, style_layers, style_size] with one for each layer.
            truncation: as for `sample`, and so are `cutoff` and `noise`.
            cutoff: see there.
            noise: see there.
            seed: of the drawn noise; image i has the noise of number i.
            batch_size: images at a time.

        Returns:
            [N, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model has no styles, or these have another shape.
        """
        generator = self.mapped("make images of styles")
        size: tuple[int, ...] = (generator.style_size,)
        if styles.dim() != 2:
            size = (generator.style_layers, *size)
        self._check_shape("makes images of styles", styles, size)
        rendering = self.rendering(truncation, cutoff, noise)
        images = []
        for start in range(0, len(styles), batch_size):
            chunk = styles[start : start + batch_size].to(self.device)
            draws = ImageNoise(seed, range(start, start + len(chunk)), self.device)
            images.append(self._draw_styles(generator, chunk, draws, rendering))
        return torch.cat(images)

    def _latents(
        self, generator: Generator, prompt: Prompt, count: int, progress: Progress | None
    ) -> Callable[[range, ImageNoise], Tensor]:
        """Return what draws the latents of images by their numbers: a learned prior, or its own."""
        prior = self._prior
        refuse(prompt, prior, generator, self.variant)
        if prior is None:
            return lambda numbers, noise: generator.latents(len(numbers), noise)
        captions = tokens_of(prompt.text, count, prior, self.tokenizer, self.variant)
        kept = kept_codes(prompt, count, self._find(Encoder), prior, self.variant)

        def drawn(numbers: range, noise: ImageNoise) -> Tensor:
            def partly(done: int, total: int) -> None:
                if progress and done < total:
                    progress(numbers.start + len(numbers) * done // total, count)

            its = slice(numbers.start, numbers.stop)
            with self._at_rest(prior), drawing_from(noise, prior):
                return drawn_latents(
                    prior,
                    len(numbers),
                    noise,
                    None if captions is None else captions[its],
                    None if kept is None else kept[its],
                    prompt.drawing,
                    partly,
                )

        return drawn

    @property
    def _prior(self) -> Prior | None:
        prior = self._find(Prior)
        return prior if isinstance(prior, Prior) else None

    @property
    def takes_text(self) -> bool:
        """Whether it can be asked for images of a caption."""
        return bool(self._prior and self._prior.vocabulary)

    def score(
        self,
        images: Tensor,
        text: str | Sequence[str],
        *,
        reranker: "Reranker | Model | None" = None,
        batch_size: int = 64,
    ) -> Tensor:
        """Return how well images show what they are to show.

        Args:
            images: [N, C, H, W] in [-1, 1]
            text: one caption for all, or one for each.
            reranker: the network that judges, or the model that has it; by default the model's own.
            batch_size: images at a time.

        Returns:
            [N], the better the higher, on the CPU

        Raises:
            UnsupportedError: there is no reranker, it takes no such images, or there are not as
                many captions.
        """
        if isinstance(reranker, Model):
            # It reads captions by a tokenizer of its own.
            return reranker.score(images, text, batch_size=batch_size)
        judge = reranker or self._need(Reranker, "score")
        if tuple(images.shape[1:]) != tuple(judge.image_shape) and judge.vocabulary:
            raise UnsupportedError(
                f"the reranker of {self.variant} judges images of shape "
                f"{('N', *judge.image_shape)}, not {tuple(images.shape)}"
            )
        texts = texts_of(text, len(images))
        assert texts is not None
        tokens = None
        if judge.vocabulary:
            tokens = tokens_of(texts, len(texts), judge, self.tokenizer, self.variant)
        device = self.device
        scores = []
        for start in range(0, len(images), batch_size):
            its = slice(start, start + batch_size)
            captions = texts[its] if tokens is None else tokens[its].to(device)
            with self._at_rest(judge):
                scores.append(judge(images[its].to(device), captions).float().cpu())
        return torch.cat(scores)

    def ranked(
        self,
        count: int,
        text: str,
        *,
        candidates: int = 64,
        seed: int = 0,
        prompt: Prompt = Prompt(),  # noqa: B008 immutable
        reranker: "Reranker | Model | None" = None,
        batch_size: int = 64,
        progress: Progress | None = None,
    ) -> Ranked:
        """Draw many images of a caption and keep those that show it best.

        Args:
            count: how many to keep.
            text: the caption.
            candidates: how many to draw, at least `count`: those that `sample` draws.
            seed: of the series.
            prompt: all that can be asked for beside the text.
            reranker: the network that judges, or the model that has it; by default the model's own.
            batch_size: images at a time.
            progress: called with the number of images done and `candidates`.

        Raises:
            UnsupportedError: as `sample` and `score`, or fewer candidates than are to be kept.
        """
        _check_positive(count=count)
        if candidates < count:
            raise UnsupportedError(
                f"{count} images cannot be kept of {candidates}; rerank at least {count}"
            )
        if reranker is None:
            self._need(Reranker, "rerank")
        images = self.sample(
            candidates,
            seed=seed,
            text=text,
            prompt=prompt,
            batch_size=batch_size,
            progress=progress,
        )
        scores = self.score(images, text, reranker=reranker, batch_size=batch_size)
        numbers = scores.argsort(descending=True, stable=True)[:count]
        return Ranked(images[numbers], scores[numbers], numbers)

    @property
    def directions(self) -> tuple[str, ...]:
        """Which ways it translates: `ab`, `ba` or both; empty where it translates nothing."""
        return tuple(self._translators)

    def translate(
        self,
        images: Tensor,
        *,
        direction: str | None = None,
        seed: int = 0,
        batch_size: int = 1,
        tile: int = TILE,
    ) -> Tensor:
        """Bring images of one domain to the other.

        Args:
            images: [N, channels, height, width] in [-1, 1], of any size: they are padded to what
                the network takes and cropped back.
            direction: `ab` or `ba`; by default the model's only or first one.
            seed: of networks that draw noise, such as dropout; image i has the noise of number i.
            batch_size: images at a time.
            tile: images larger than this in pixels are translated in overlapping tiles of this
                size, so that memory stays bounded.

        Returns:
            [N, channels, height, width] in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model does not translate, not that way, or not such images.
        """
        translator = self.translator(direction)
        channels = translator.image_shape[0]
        if images.dim() != 4 or images.shape[1] != channels:
            raise UnsupportedError(
                f"{self.variant} translates images of shape ('N', {channels}, 'height', 'width'), "
                f"not {tuple(images.shape)}"
            )
        _check_positive(batch_size=batch_size, tile=tile)
        done = []
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size].to(self.device)
            noise = ImageNoise(seed, range(start, start + len(chunk)), self.device)
            with self._at_rest(translator), drawing_from(noise, translator):
                done.append(translated(translator, chunk, tile=tile).float().cpu())
        return torch.cat(done)

    def translator(self, direction: str | None = None) -> Translator:
        """Return the network that translates one way.

        Raises:
            UnsupportedError: there is none, or none that way.
        """
        ways = self.directions
        if not ways:
            raise UnsupportedError(
                f"{self.variant} cannot translate; what it can do: "
                f"{', '.join(self.verbs) or 'nothing'}"
            )
        way = direction or ways[0]
        if way not in ways:
            raise UnsupportedError(
                f"{self.variant} translates {' and '.join(ways)}, not {way}; choose one of these "
                "as the direction"
            )
        return self._translators[way]

    @property
    def _translators(self) -> dict[str, Translator]:
        """The networks that translate, by the way that they go: by their roles.

        Of a model with one translator, a trainer that can be told `direction` says which way.
        """
        found = {
            role: network
            for role in self.blueprint.entry.recipe.inference
            if isinstance(network := self.networks.get(role), Translator)
        }
        if len(found) != 1:
            return found
        (role,) = found
        learned: str = getattr(self.blueprint.trainer.config, "direction", role)
        return {learned: found[role]}

    def swap(self, content: Tensor, pose: Tensor, *, batch_size: int = 64) -> Tensor:
        """Make images that show what some images show, as others show theirs.

        Args:
            content: [N, C, H, W] in [-1, 1]: who or what is to be seen.
            pose: [N, C, H, W] in [-1, 1]: where it is to be, and in which attitude.
            batch_size: images at a time.

        Returns:
            [N, C, H, W] in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model does not tell content from pose, or takes no such images.
        """
        recomposer = self.recomposer("swap")
        for images in (content, pose):
            check_frames(images, recomposer.composer.image_shape, self.variant, 4)
        if len(content) != len(pose):
            raise UnsupportedError(
                f"{len(content)} images of content were given for {len(pose)} of pose; give one "
                "of each"
            )
        _check_positive(batch_size=batch_size)
        made = []
        for part in chunks(len(content), batch_size):
            with self._all_at_rest():
                given = content[part].to(self.device), pose[part].to(self.device)
                made.append(recomposer.swapped(*given).float().cpu())
        return torch.cat(made)

    def predict(self, past: Tensor, future: int, *, seed: int = 0, batch_size: int = 64) -> Tensor:
        """Go on with videos.

        Args:
            past: the frames that are known, [N, T, C, H, W] in [-1, 1].
            future: how many frames to add, at least 1.
            seed: of networks that draw noise; clip i has the noise of number i.
            batch_size: clips at a time.

        Returns:
            [N, future, C, H, W] in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model predicts nothing, or takes no such clips.
        """
        self.check_predicts()
        check_frames(past, image_shape_of(self._kept), self.variant, 5)
        _check_positive(future=future, batch_size=batch_size, frames=past.shape[1])
        made = []
        for part in chunks(len(past), batch_size):
            with self._all_at_rest():
                given = past[part].to(self.device)
                made.append(predicted(self._kept, given, future, seed, part.start).float().cpu())
        return torch.cat(made)

    def check_predicts(self) -> None:
        """Check that the model goes on with videos.

        Raises:
            UnsupportedError: it does not.
        """
        if self._predictor is None:
            raise UnsupportedError(
                f"{self.variant} cannot predict: it has no network that goes on with a video; what "
                f"it can do: {', '.join(self.verbs) or 'nothing'}"
            )

    def interpolate_poses(
        self,
        content: Tensor,
        first: Tensor,
        last: Tensor,
        frames: int = 16,
        *,
        method: Literal["slerp", "linear"] = "slerp",
    ) -> Tensor:
        """Walk from the pose of one image to that of another, showing the content of a third.

        Args:
            content: [N, C, H, W] in [-1, 1]
            first: [N, C, H, W] in [-1, 1], where the walks begin.
            last: [N, C, H, W] in [-1, 1], where they end.
            frames: images on each walk, both ends included, at least 2.
            method: along the great circle, or along the straight line.

        Returns:
            [N, frames, C, H, W] in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model does not tell content from pose, or takes no such images.
        """
        recomposer = self.recomposer("interpolate between poses")
        for images in (content, first, last):
            check_frames(images, recomposer.composer.image_shape, self.variant, 4)
        _check_positive(frames=frames - 1)
        _check_method(method)
        with self._all_at_rest():
            shown, start, end = (images.to(self.device) for images in (content, first, last))
            return walked(recomposer, shown, (start, end), frames, method).float().cpu()

    def recomposer(self, verb: str = "swap") -> Recomposer:
        """Return the encoders of content and of pose, and what puts the two together.

        Raises:
            UnsupportedError: the model has no such networks; `verb` is what it then cannot do.
        """
        if self._recomposer is None:
            raise UnsupportedError(
                f"{self.variant} cannot {verb}: it does not tell content from pose; what it can "
                f"do: {', '.join(self.verbs) or 'nothing'}"
            )
        return self._recomposer

    @property
    def _kept(self) -> dict[str, nn.Module]:
        roles = self.blueprint.entry.recipe.inference
        return {role: self.networks[role] for role in roles if role in self.networks}

    @property
    def _recomposer(self) -> Recomposer | None:
        return Recomposer.among(self._kept)

    @property
    def _predictor(self) -> Predictor | None:
        return predictor_among(self._kept)

    @property
    def classes(self) -> int:
        """How many classes its generator can be asked for; 0 where it takes none."""
        generator = self._find(Generator)
        return int(getattr(generator, "classes", 0))

    @property
    def codes(self) -> Mapping[str, LatentCode]:
        """The parts of the latent that can be set by name.

        They are those that the generator names, such as an InfoGAN's c1; where it names none, each
        number of a latent [latent_size] is one, from z0 on.
        """
        generator = self._find(Generator)
        if not isinstance(generator, Generator):
            return {}
        if generator.codes:
            return generator.codes
        if len(generator.latent_shape) != 1:
            return {}
        return {f"z{number}": LatentCode(number) for number in range(generator.latent_shape[0])}

    def traverse(
        self,
        codes: Mapping[str, Sequence[float]],
        *,
        count: int = 8,
        seed: int = 0,
        labels: Labels = None,
    ) -> Tensor:
        """Draw a grid in which one or two codes take values in turn and all else stays.

        Args:
            codes: one code with its values, which go along the columns while each row has a latent
                of its own; or two, the first down the rows and the second along the columns, all
                of one latent. Codes with a single value are set throughout.
            count: rows, where only one code moves.
            seed: of the latents.
            labels: of a conditional model, as for `sample`: one for all, or one for each row.

        Returns:
            [rows, columns, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: no such code, or none or more than two that move.
        """
        generator = self._need(Generator, "traverse its codes")
        moving = [name for name, values in codes.items() if len(values) > 1]
        if not 1 <= len(moving) <= 2:
            raise UnsupportedError(
                f"a grid has one or two codes that move, not {len(moving)}; give one or two of "
                "them several values, such as c1=0:9"
            )
        *down, along = moving
        rows = len(codes[down[0]]) if down else count
        _check_positive(count=count)
        asked = self._asked_labels(generator, labels, rows)
        pictures = []
        for row in range(rows):
            columns = len(codes[along])
            # Every image of a row has the same noise, so that only the codes move.
            noise = ImageNoise(seed, [0 if down else row] * columns, self.device)
            latents = generator.latents(columns, noise)
            for name, values in codes.items():
                its = torch.tensor(values, dtype=torch.float64)
                if name != along:
                    its = its[row if name in down else 0].expand(columns)
                latents = self._with_code(latents, name, its)
            its_labels = None if asked is None else asked[row].expand(columns)
            pictures.append(self._generate(generator, latents, noise, its_labels))
        return torch.stack(pictures)

    def interpolate(
        self,
        pairs: int = 8,
        frames: int = 16,
        *,
        seed: int = 0,
        labels: Labels = None,
        method: Literal["slerp", "linear"] | None = None,
        space: Literal["z", "w"] = "z",
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: NoiseMode = "drawn",
    ) -> Tensor:
        """Walk between pairs of latents.

        Args:
            pairs: how many walks.
            frames: images on each walk, both ends included, at least 2.
            seed: of the latents; walk i goes from image 2i of `sample` to image 2i + 1.
            labels: of a conditional model, as for `sample`: one for all, or one for each walk.
            method: along the great circle, as suits Gaussian latents and is done in z unless asked
                otherwise, or along the straight line, as in w.
            space: "z", the latents, or "w", the styles that a generator maps them to.
            truncation: as for `sample`, and so are `cutoff` and `noise`.
            cutoff: see there.
            noise: see there.

        Returns:
            [pairs, frames, channels, height, width], in [-1, 1], on the CPU

        Raises:
            UnsupportedError: the model has no generator or no such space, or there are too few
                pairs or frames.
        """
        generator = self._need(Generator, "interpolate")
        if generator.discrete:
            raise UnsupportedError(
                f"{self.variant} cannot interpolate: nothing lies between whole codes"
            )
        _check_positive(pairs=pairs, frames=frames - 1)
        method = method or ("linear" if space == "w" else "slerp")
        _check_method(method)
        if space not in ("z", "w"):
            raise UnsupportedError(f"there is no space {space!r} to walk in; choose z or w")
        mapped = self.mapped("interpolate in w") if space == "w" else None
        rendering = self.rendering(truncation, cutoff, noise)
        walk = slerp if method == "slerp" else torch.lerp
        asked = self._asked_labels(generator, labels, pairs)
        walks = []
        for pair in range(pairs):
            draws = ImageNoise(seed, (2 * pair, 2 * pair + 1), self.device)
            ends = generator.latents(2, draws)
            # One series of noise for the whole walk: only the latent moves.
            still = ImageNoise(seed, [2 * pair] * frames, self.device)
            generator.latents(frames, still)  # it goes on where the first image's does
            shares = torch.linspace(0, 1, frames, device=self.device)
            its = None if asked is None else asked[pair].expand(frames)
            if mapped is not None:
                with self._at_rest(mapped):
                    ends = mapped.map(ends, None if its is None else its[:2].to(self.device))
            first, last = ends.split(1)
            path = torch.cat([walk(first, last, share) for share in shares])
            if mapped is None:
                walks.append(self._generate(generator, path, still, its, rendering))
            else:
                walks.append(self._draw_styles(mapped, path, still, rendering))
        return torch.stack(walks)

    def mix(
        self,
        rows: Sequence[int],
        columns: Sequence[int],
        layers: Sequence[int] = range(4),
        *,
        label: int | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: NoiseMode = "drawn",
    ) -> Tensor:
        """Give images some of the styles of others (Karras et al. 2019, figure 3).

        Args:
            rows: seeds of the images that keep all other styles, down the left.
            columns: seeds of those whose styles are taken, along the top.
            layers: whose styles are taken: 0 to 3 for the coarse ones of the figure, 4 to 7 for the
                middle ones.
            label: of a conditional model: the class of all images.
            truncation: as for `sample`, and so are `cutoff` and `noise`.
            cutoff: see there.
            noise: see there; a mixed image has that of its row.

        Returns:
            [1 + rows, 1 + columns, channels, height, width], in [-1, 1], on the CPU: the sources in
            the first row and column, whose corner is white.

        Raises:
            UnsupportedError: the model has no styles or no such layers, or there are no seeds.
        """
        generator = self.mapped("mix styles")
        rendering = self.rendering(truncation, cutoff, noise)
        _check_positive(rows=len(rows), columns=len(columns), layers=len(layers))
        beyond = [layer for layer in layers if not 0 <= layer < generator.style_layers]
        if beyond:
            raise UnsupportedError(
                f"the generator of {self.variant} has the layers 0 to "
                f"{generator.style_layers - 1}, and not {beyond[0]}"
            )
        sources = []
        for seeds in (rows, columns):
            labels = self._asked_labels(generator, label, len(seeds))
            draws = ImageNoise.of_seeds(seeds, self.device)
            latents = generator.latents(len(seeds), draws)
            with self._at_rest(generator):
                its = None if labels is None else labels.to(self.device)
                styles = generator.broadcast(generator.map(latents, its))
            sources.append((styles, self._draw_styles(generator, styles, draws, rendering)))
        (kept, down), (taken, along) = sources
        lines = [torch.cat([torch.ones_like(along[:1]), along])]
        for number, seed in enumerate(rows):
            styles = kept[number].expand_as(taken).clone()
            styles[:, list(layers)] = taken[:, list(layers)]
            draws = ImageNoise.of_seeds([seed] * len(columns), self.device)
            generator.latents(len(columns), draws)  # the noise goes on where the source's does
            mixed = self._draw_styles(generator, styles, draws, rendering)
            lines.append(torch.cat([down[number : number + 1], mixed]))
        return torch.stack(lines)

    def decode(
        self, latents: Tensor, *, labels: Labels = None, seed: int = 0, batch_size: int = 64
    ) -> Tensor:
        """Make images of latents [N, *latent_shape], on the CPU; `labels` as for `sample`."""
        generator = self._need(Generator, "decode")
        self._check_shape("decodes latents", latents, generator.latent_shape)
        codes = generator.discrete
        if codes and (latents.is_floating_point() or _outside(latents, codes)):
            raise UnsupportedError(
                f"{self.variant} decodes whole numbers from 0 to {codes - 1}; give what encode "
                "returns"
            )
        asked = self._asked_labels(generator, labels, len(latents))
        decoded = []
        for start in range(0, len(latents), batch_size):
            chunk = latents[start : start + batch_size].to(self.device)
            noise = ImageNoise(seed, range(start, start + len(chunk)), self.device)
            its = None if asked is None else asked[start : start + batch_size]
            decoded.append(self._generate(generator, chunk, noise, its))
        return torch.cat(decoded)

    def encoder(self, space: str = "") -> Encoder:
        """Return the network that encodes; `space` is its role, of a model with several.

        Raises:
            UnsupportedError: there is none, or none of that role.
        """
        if not space:
            return self._need(Encoder, "encode")
        found = {role: net for role, net in self._kept.items() if isinstance(net, Encoder)}
        if space not in found:
            raise UnsupportedError(
                f"{self.variant} has no codes of {space!r}; what it encodes: "
                f"{', '.join(found) or 'nothing'}"
            )
        return found[space]

    def encode(self, images: Tensor, *, space: str = "", batch_size: int = 64) -> Tensor:
        """Return the codes of images [N, C, H, W], on the CPU.

        They are the means of Gaussian codes, and int64 grids of discrete ones. `space` is which
        codes, of a model with several encoders, such as "content" or "pose".
        """
        codes = self._codes_of(images, "encode", batch_size, space)
        return torch.cat(
            [(code.mean if code.indices is None else code.indices).cpu() for code in codes]
        )

    def classify(self, images: Tensor, *, batch_size: int = 64) -> Tensor:
        """Return how probable each class is for images [N, C, H, W]: [N, classes], on the CPU."""
        codes = self._codes_of(images, "classify", batch_size)
        return torch.cat([_logits(code, self.variant).softmax(1).cpu() for code in codes])

    def reconstruct(self, images: Tensor, *, labels: Labels = None, batch_size: int = 64) -> Tensor:
        """Return what encoding and decoding leaves of images [N, C, H, W], on the CPU.

        A decoder that takes classes is given `labels`, or else those that the encoder names.
        """
        if self._recomposer:
            return self.swap(images, images, batch_size=batch_size)
        self._need(Encoder, "reconstruct")
        if labels is None and self.classes and "classify" in self.verbs:
            labels = self.classify(images, batch_size=batch_size).argmax(1)
        codes = self.encode(images, batch_size=batch_size)
        return self.decode(codes, labels=labels, batch_size=batch_size)

    def _codes_of(
        self, images: Tensor, verb: str, batch_size: int, space: str = ""
    ) -> Iterator[Code]:
        if verb not in self.verbs:
            raise UnsupportedError(
                f"{self.variant} cannot {verb}; what it can do: "
                f"{', '.join(self.verbs) or 'nothing'}"
            )
        encoder = self.encoder(space) if space else self._need(Encoder, verb)
        if tuple(images.shape[1:]) != tuple(encoder.image_shape):
            raise UnsupportedError(
                f"{self.variant} encodes images of shape {('N', *encoder.image_shape)}, not "
                f"{tuple(images.shape)}"
            )
        for chunk in images.split(batch_size):
            with self._at_rest(encoder):
                yield encoder(chunk.to(self.device))

    def _asked_labels(self, generator: Generator, labels: Labels, count: int) -> Tensor | None:
        """Return the classes of `count` images [count], or None where the model takes none."""
        classes = generator.classes
        if not classes:
            if labels is not None:
                raise UnsupportedError(f"{self.variant} cannot be asked for a class: it takes none")
            return None
        if labels is None:
            return torch.arange(count) % classes
        asked = torch.as_tensor(labels, dtype=torch.int64).cpu()
        if not asked.dim():
            asked = asked.expand(count)
        if asked.shape != (count,):
            raise UnsupportedError(
                f"{len(asked)} labels were given for {count}; give one for all, or one for each"
            )
        unknown = asked[(asked < 0) | (asked >= classes)]
        if len(unknown):
            raise UnsupportedError(
                f"{self.variant} knows the classes 0 to {classes - 1}, and was asked for "
                f"{int(unknown[0])}"
            )
        return asked

    def check_label(self, label: int | None) -> None:
        """Check that images can be asked for of a class.

        Raises:
            UnsupportedError: the model takes no classes, or knows no such one.
        """
        self._asked_labels(self._need(Generator, "sample"), label, 1)

    def _with_code(self, latents: Tensor, name: str, values: Tensor) -> Tensor:
        known = self.codes
        if name not in known:
            raise UnknownNameError("code", name, known, f"the latent of {self.variant}")
        code = known[name]
        if code.categorical:
            whole = values == values.round()
            if not bool((whole & (values >= 0) & (values < code.size)).all()):
                raise UnsupportedError(
                    f"the code {name} of {self.variant} is one of 0 to {code.size - 1}, and was "
                    f"given {values.tolist()[0]:g}"
                    if len(values.unique()) == 1
                    else f"the code {name} of {self.variant} is one of 0 to {code.size - 1}"
                )
        return code.written(latents, values.to(latents.device))

    def project(
        self,
        target: Tensor,
        *,
        space: "Space" = "w",
        steps: int = 1000,
        label: int | None = None,
        features: "Features | None" = None,
        noise: bool = True,
        seed: int = 0,
        observe: "Observe | None" = None,
    ) -> "Projection":
        """Look for the style that the generator draws an image of.

        Args:
            target: [channels, height, width] in [-1, 1], of the size of the model's images.
            space: "w", one style for all layers, or "w+", one for each.
            steps: how long to look.
            label: of a conditional model: the image's class, 0 unless given.
            features: the network in whose eyes the images are compared, such as
                `ganzoo_core.evaluation.features.find_features` gives; by pixels where None.
            noise: look for the layers' noise too; else it is what `seed` draws.
            seed: of all that is drawn.
            observe: told how it goes; see `ganzoo_core.projecting.Observe`.

        Raises:
            UnsupportedError: the model has no styles, the target another shape, or `steps` is
                below 1.
        """
        from ganzoo_core.projecting import project

        generator = self.mapped("project images")
        if generator.classes and label is None:
            label = 0
        with self._at_rest(generator, gradients=True):
            return project(
                generator,
                target,
                space=space,
                steps=steps,
                label=self._asked_labels(generator, label, 1),
                features=features,
                noise=noise,
                seed=seed,
                observe=observe,
            )

    def _generate(
        self,
        generator: Generator,
        latents: Tensor,
        noise: ImageNoise,
        labels: Tensor | None,
        rendering: Rendering = PLAIN,
    ) -> Tensor:
        its = None if labels is None else labels.to(self.device)
        with self._at_rest(generator), drawing_from(noise, generator):
            return rendering.of(generator, latents, its).float().cpu()

    def _draw_styles(
        self,
        generator: MappedGenerator,
        styles: Tensor,
        noise: ImageNoise,
        rendering: Rendering,
    ) -> Tensor:
        with self._at_rest(generator), drawing_from(noise, generator):
            return rendering.of_styles(generator, styles).float().cpu()

    def _check_shape(self, does: str, given: Tensor, wanted: tuple[int, ...]) -> None:
        if tuple(given.shape[1:]) != tuple(wanted):
            raise UnsupportedError(
                f"{self.variant} {does} of shape {('N', *wanted)}, not {tuple(given.shape)}"
            )

    @contextmanager
    def _at_rest(self, network: nn.Module, *, gradients: bool = False) -> Iterator[None]:
        """Run a network in eval mode and without gradients unless asked, then put its mode back."""
        training = [layer for layer in network.modules() if layer.training]
        network.eval()
        try:
            with torch.set_grad_enabled(gradients):
                yield
        finally:
            for layer in training:
                layer.training = True

    @contextmanager
    def _all_at_rest(self) -> Iterator[None]:
        with ExitStack() as stack:
            for network in self._kept.values():
                stack.enter_context(self._at_rest(network))
            yield

    def _find(self, contract: type) -> nn.Module | None:
        for role in self.blueprint.entry.recipe.inference:
            network = self.networks.get(role)
            # A translator's latent is an image: there is no prior to sample it from.
            if isinstance(network, contract) and not isinstance(network, Translator):
                return network
        return None

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


def _logits(code: Code, variant: str) -> Tensor:
    if code.logits is None:
        raise UnsupportedError(f"the encoder of {variant} promises classes and names none")
    return code.logits


def _check_method(method: str) -> None:
    if method not in ("slerp", "linear"):
        raise UnsupportedError(f"there is no interpolation {method!r}; choose slerp or linear")


def _outside(codes: Tensor, count: int) -> bool:
    return bool(((codes < 0) | (codes >= count)).any())


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UnsupportedError(f"{name.replace('_', ' ')} must be at least 1, not {number}")
