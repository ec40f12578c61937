"""Hyper-parameters; defaults are those of the paper (sections 2 and 3, appendices A and B)."""

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ganzoo_core.components import AdamW, Config, Optimizer

Attention = Literal["full", "row", "column", "convolution"]


class GridConfig(Config):
    """What all parts share: images as a square grid of whole numbers."""

    agreed: ClassVar[frozenset[str]] = Config.agreed | {"codes", "groups"}
    image_size: int = Field(default=256, ge=2, le=256)
    channels: int = Field(default=3, ge=1, le=64)
    codes: int = Field(default=8192, ge=2, le=65536)
    """K, the values that each place of the grid can have."""
    groups: int = Field(default=4, ge=1, le=7)
    """Groups of blocks; between two of them sides halve, so a place of the grid stands for
    2^(groups - 1) × 2^(groups - 1) pixels."""

    @model_validator(mode="after")
    def _has_a_grid(self) -> Self:
        if self.image_size % self.downsampling:
            raise PydanticCustomError(
                "image_size",
                "image_size {size} is no multiple of {step}, the pixels of a code with {groups} "
                "groups; set another image_size, or fewer groups",
                {"size": self.image_size, "step": self.downsampling, "groups": self.groups},
            )
        return self

    @property
    def downsampling(self) -> int:
        """Pixels along the side of what one code stands for."""
        return int(2 ** (self.groups - 1))

    @property
    def side(self) -> int:
        """Codes along the side of the grid."""
        return self.image_size // self.downsampling


class DVAEConfig(GridConfig):
    """Appendix A.1: ResNets without normalisation, four groups of blocks."""

    width: int = Field(default=256, ge=4, le=4096)
    """Channels of the group next to the images; they double from group to group."""
    blocks: int = Field(default=2, ge=1, le=64)
    """Blocks of each group."""
    epsilon: float = Field(default=0.1, ge=0, lt=0.5)
    """ε: pixels in [0, 1] are brought to [ε, 1 - ε] (appendix A.3)."""

    @field_validator("width")
    @classmethod
    def _has_bottlenecks(cls, width: int) -> int:
        if width % 4:
            raise PydanticCustomError("width", "it must be a multiple of 4")
        return width


class DVAEDecoderConfig(DVAEConfig):
    """The decoder p(x|z)."""

    stem: int = Field(default=128, ge=1, le=4096)
    """Numbers that a code becomes first."""
    likelihood: Literal["logit-laplace", "l1", "l2"] = "logit-laplace"
    """log p(x|z): equation 3, or the absolute or squared error instead."""


class StridedConfig(GridConfig):
    """DALLE-pytorch's discrete autoencoder: strided convolutions and a codebook.

    Published files say what they are; these are small.
    """

    image_size: int = Field(default=32, ge=2, le=256)
    codes: int = Field(default=512, ge=2, le=65536)
    width: int = Field(default=64, ge=1, le=4096)
    blocks: int = Field(default=0, ge=0, le=64)
    """Residual blocks beside the codes."""
    code_size: int = Field(default=512, ge=1, le=65536)
    """Numbers of an entry of the codebook."""
    mean: float = Field(default=0.5, ge=-10, le=10)
    """What is taken off pixels in [0, 1] before encoding; its first versions took off nothing."""
    deviation: float = Field(default=0.5, gt=0, le=10)
    """What they are divided by then."""
    likelihood: Literal["l1", "l2"] = "l2"


class TextConfig(GridConfig):
    """What the transformer and the reranker share: captions as tokens."""

    agreed: ClassVar[frozenset[str]] = GridConfig.agreed | {"vocabulary", "text_length"}
    vocabulary: int = Field(default=16384, ge=3, le=1_000_000)
    """Text tokens, of which byte-pair encoding learns as many as the captions give."""
    text_length: int = Field(default=256, ge=1, le=4096)
    """Tokens of a caption; more are cut off."""


class TransformerConfig(TextConfig):
    """Section 2.2 and appendix B.1: 12 billion weights in 64 layers of 62 heads."""

    width: int = Field(default=3968, ge=2, le=65536)
    layers: int = Field(default=64, ge=1, le=1024)
    heads: int = Field(default=62, ge=1, le=1024)

    attention: tuple[Attention, ...] = Field(
        default=("row", "column", "row", "row"), min_length=1, max_length=1024
    )
    """Which image tokens the layers look at, in turn; all look at the whole caption."""
    last_attention: Attention = "convolution"
    """Which the last layer looks at."""
    kernel: int = Field(default=11, ge=1, le=255)
    """Side of the convolutional attention's neighbourhood, odd."""
    gradient_checkpointing: bool = False
    """Compute each layer twice and keep none of its activations: less memory, a third more time."""

    @field_validator("kernel")
    @classmethod
    def _is_odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise PydanticCustomError("kernel", "it must be odd")
        return kernel

    @model_validator(mode="after")
    def _has_heads(self) -> Self:
        if self.width % self.heads:
            raise PydanticCustomError(
                "heads",
                "width {width} is no multiple of {heads} heads; set another width or heads",
                {"width": self.width, "heads": self.heads},
            )
        return self


class RotaryConfig(TextConfig):
    """DALLE-pytorch's transformer: rotary positions, shifted tokens, scaled layers, gated units.

    Published files say what they are; these are small.
    """

    image_size: int = Field(default=32, ge=2, le=256)
    codes: int = Field(default=512, ge=2, le=65536)
    vocabulary: int = Field(default=512, ge=3, le=1_000_000)
    text_length: int = Field(default=16, ge=1, le=4096)
    width: int = Field(default=64, ge=4, le=65536)
    layers: int = Field(default=2, ge=1, le=1024)
    heads: int = Field(default=2, ge=1, le=1024)
    head_size: int = Field(default=32, ge=2, le=1024)
    attention: tuple[Attention, ...] = Field(default=("full",), min_length=1, max_length=1024)
    kernel: int = Field(default=5, ge=1, le=255)
    rotary: bool = True
    """Whether positions turn queries, keys and values; else they have embeddings."""
    rotary_size: int = Field(default=30, ge=1, le=1024)
    """Numbers of each head that are turned."""
    shift_tokens: bool = True
    """Whether a half of what each place holds is that of the places before, or above and left."""
    sandwich: bool = False
    """Whether layers are normalised after they have computed, too."""
    stable: bool = False
    """Whether the last layer's numbers are divided by the largest of them."""
    reversible: bool = False
    """Whether attention and hidden units have each a stream to add to, and see the other's."""
    centred: bool = False
    """Whether convolutional attention reaches to all sides, as before version 1.5.0."""

    @model_validator(mode="after")
    def _has_quarters(self) -> Self:
        if self.width % 4 or self.rotary_size > self.head_size:
            raise PydanticCustomError(
                "rotary", "width must be a multiple of 4, and rotary_size at most head_size"
            )
        return self


class CLIPConfig(TextConfig):
    """A small CLIP (Radford et al. 2021): two transformers whose outputs meet."""

    # It sees pixels, and no codes.
    agreed: ClassVar[frozenset[str]] = TextConfig.agreed - GridConfig.agreed | Config.agreed
    width: int = Field(default=512, ge=2, le=65536)
    layers: int = Field(default=12, ge=1, le=1024)
    heads: int = Field(default=8, ge=1, le=1024)
    patch: int = Field(default=4, ge=1, le=256)
    """Side in pixels of what one token of the image stands for."""
    embedding: int = Field(default=512, ge=1, le=65536)
    """Numbers in which images and captions are compared."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads or self.image_size % self.patch:
            raise PydanticCustomError(
                "clip", "width must be a multiple of heads, and image_size one of patch"
            )
        return self


class HubCLIPConfig(Config):
    """A published CLIP that reads words, and takes images of any size."""

    image_size: int = Field(default=224, ge=1, le=65536)
    channels: int = Field(default=3, ge=1, le=3)
    name: str = Field(default="openai/clip-vit-base-patch32", min_length=3, max_length=200)
    """Repository on the Hub, or folder, that `transformers` reads; of `timm/…` what open_clip does.
    """


class DVAETrainerConfig(Config):
    """Section 2.1 and appendix A.2."""

    optimizer: Optimizer = AdamW(lr=1e-4, weight_decay=1e-4)
    final_rate: float = Field(default=0.0125, ge=0, le=1)
    """The factor to which the learning rate falls, by a cosine."""
    rate_steps: int = Field(default=1_200_000, ge=1, le=10**9)
    temperature: float = Field(default=1.0, gt=0, le=100)
    """τ of the relaxation at first (equation 2)."""
    final_temperature: float = Field(default=1 / 16, gt=0, le=100)
    temperature_steps: int = Field(default=150_000, ge=1, le=10**9)
    """Steps over which τ falls, by a cosine."""
    kl_weight: float = Field(default=6.6, ge=0, le=1e6)
    """β, of the divergence from the uniform prior; the loss is a mean over all numbers of an image,
    so that with 8 × 8 × 3 numbers a code its weight is β / 192."""
    kl_steps: int = Field(default=5_000, ge=1, le=10**9)
    """Steps over which β rises from 0, by a cosine."""
    dead_after: int = Field(default=100, ge=1, le=10**9)
    """A code counts as dead when no batch of so many steps has used it."""


class CLIPTrainerConfig(Config):
    """Contrastive learning of images and captions."""

    reranker_optimizer: Optimizer = AdamW(lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)
    reranker_warmup: int = Field(default=2_000, ge=1, le=10**9)
    """Steps over which the learning rate rises; then it falls to 0 by a cosine."""


class DALLETrainerConfig(DVAETrainerConfig, CLIPTrainerConfig):
    """Section 2: first the codes, then the transformer, and the reranker beside it."""

    dvae_share: float = Field(default=1.0, gt=0, le=1000)
    """Weight of the first stage's steps among all; the paper's is 3,000,000 steps long."""
    transformer_share: float = Field(default=1.0, gt=0, le=1000)
    """Weight of the second stage's steps; the paper's is 430,000 steps long."""
    transformer_optimizer: Optimizer = AdamW(lr=4.5e-4, betas=(0.9, 0.96), weight_decay=0.045)
    warmup: int = Field(default=5_000, ge=1, le=10**9)
    """Steps over which the transformer's learning rate rises; then it falls to 0 by a cosine."""
    text_weight: float = Field(default=1 / 8, ge=0, le=1)
    """Of the caption's cross-entropy; the image's has the rest of 1."""
    drawn_codes: bool = False
    """Whether the transformer learns from codes that are drawn, rather than the likeliest."""
    empty_captions: float = Field(default=0.1, ge=0, le=1)
    """Share of the images that are learned without their caption, for guidance."""


CONFIGS: dict[str, type[Config]] = {
    "encoder/dvae": DVAEConfig,
    "encoder/strided": StridedConfig,
    "generator/dvae": DVAEDecoderConfig,
    "generator/strided": StridedConfig,
    "prior/transformer": TransformerConfig,
    "prior/rotary": RotaryConfig,
    "reranker/clip": CLIPConfig,
    "reranker/hub": HubCLIPConfig,
    "trainer/dvae": DVAETrainerConfig,
    "trainer/clip": CLIPTrainerConfig,
    "trainer/dalle": DALLETrainerConfig,
}
