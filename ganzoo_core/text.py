"""Captions as tokens: byte-pair encoding, learned from the data's own captions.

A model that takes captions keeps its tokenizer beside its weights as `tokenizer.json`, in the form
of the library `tokenizers`. It is data, a table of merges, and reading it runs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.errors import CheckpointError, ConfigError, DataError
from ganzoo_core.files import whole_file

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganzoo_core.data import ImageData

FILE = "tokenizer.json"
PADDING, UNKNOWN = "[PAD]", "[UNK]"
"""Tokens 0 and 1: a caption has ended, and characters that the training captions did not have."""
LARGEST = 64_000_000
"""Bytes of a tokenizer's file; the vocabularies of large language models take about 20 million."""
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Tokenizer:
    """Turns captions into tokens; `trained` and `read` make one."""

    def __init__(self, content: str, where: str = "the tokenizer") -> None:
        """Read a tokenizer out of the JSON that the library `tokenizers` writes.

        Raises:
            ConfigError: the library is not installed.
            CheckpointError: this is no tokenizer.
        """
        library = _library()
        try:
            self._tokenizer = library.Tokenizer.from_str(content)
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
        except BaseException as error:
            # The library's own panics are no subclass of Exception.
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{where} is no tokenizer of the library tokenizers ({reason}); get the model again"
            ) from None
        self.content = content

    @classmethod
    def trained(cls, captions: Iterable[str], vocabulary: int) -> "Tokenizer":
        """Learn byte-pair encoding (Sennrich, Haddow and Birch 2016) from lower-cased captions.

        Args:
            captions: what it is to be good at.
            vocabulary: the most tokens; few captions give fewer.
        """
        library = _library()
        tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNKNOWN))
        tokenizer.normalizer = library.normalizers.Sequence(
            [library.normalizers.NFKC(), library.normalizers.Lowercase()]
        )
        tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace()
        tokenizer.decoder = library.decoders.Metaspace()
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PADDING, UNKNOWN],
            # Rare characters are unknown rather than crowd out all words.
            limit_alphabet=max(1, vocabulary // 2),
            show_progress=False,
        )
        tokenizer.train_from_iterator(captions, trainer)
        return cls(tokenizer.to_str())

    @classmethod
    def read(cls, file: Path) -> "Tokenizer":
        """Read a file.

        Raises:
            CheckpointError: it cannot be read, or is no tokenizer.
        """
        try:
            if file.stat().st_size > LARGEST:
                raise CheckpointError(f"{file} is larger than a tokenizer; get the model again")
            content = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise CheckpointError(
                f"{file} cannot be read ({reason}); get the model again"
            ) from None
        return cls(content, str(file))

    def save(self, file: Path) -> None:
        """Write it, whole or not at all."""
        with whole_file(file) as partial:
            partial.write_text(self.content, encoding="utf-8")

    @cached_property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, captions: Sequence[str], length: int) -> "Tensor":
        """Return captions as tokens: [N, length] int64, cut off there, 0 where they end before."""
        import torch

        tokens = torch.zeros(len(captions), length, dtype=torch.int64)
        for row, encoding in enumerate(self._tokenizer.encode_batch(list(captions))):
            its = encoding.ids[:length]
            tokens[row, : len(its)] = torch.tensor(its, dtype=torch.int64)
        return tokens

    def unread(self, caption: str, length: int) -> list[str]:
        """Return what `encode` loses of a caption, in clauses: its end, and unknown characters."""
        ids = self._tokenizer.encode(caption).ids
        lost = []
        if len(ids) > length:
            lost.append(f"its end is left out, from {self.decode(ids[length:]).strip()!r} on")
        if self._tokenizer.token_to_id(UNKNOWN) in ids:
            lost.append("it has characters that no caption had in training")
        return lost

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, as far as they tell it."""
        return str(self._tokenizer.decode([token for token in tokens if token]))


def text_shape(networks: "Mapping[str, nn.Module]") -> tuple[int, int] | None:
    """Return the vocabulary and the text length that networks learn from, or None.

    Raises:
        ConfigError: two networks want captions as different tokens.
    """
    shapes = {
        role: (int(network.vocabulary), int(network.text_length))  # type: ignore[arg-type]
        for role, network in networks.items()
        if getattr(network, "vocabulary", 0)
    }
    if len(set(shapes.values())) > 1:
        said = ", ".join(f"{role} {its[0]} tokens, {its[1]} long" for role, its in shapes.items())
        raise ConfigError(
            f"all parts must read the same tokens ({said}); set vocabulary and text_length for all "
            "at once"
        )
    return next(iter(shapes.values()), None)


def captions_of(data: "ImageData") -> tuple[str, ...]:
    """Return the captions of data: their own, or else the names of the images' classes.

    Classes that are called 0 to 9 become words, such as `seven`.

    Raises:
        DataError: there is neither.
    """
    if data.captions is not None:
        return data.captions
    if data.labels is None:
        raise DataError(
            f"{data.name} has no captions; use --data scenes, captions:DIR with images and a table "
            "captions.csv or a .txt beside each image, or hub:ORG/NAME with a column of captions"
        )
    return captions_of_classes(data.labels.tolist(), data.class_names)


def captions_of_classes(
    labels: Sequence[int], names: Sequence[str], sentences: Sequence[str] = ("{}",)
) -> tuple[str, ...]:
    """Return a caption for each label: the sentences in turn, with the class's name for `{}`.

    Classes that are called 0 to 9 become words, such as `seven`.
    """
    numbers = dict(zip(map(str, range(10)), _NUMBER_WORDS, strict=True))
    words = [numbers.get(name, name) for name in names]
    return tuple(
        sentences[place % len(sentences)].replace("{}", words[label])
        for place, label in enumerate(labels)
    )


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise ConfigError(
            "captions need the library tokenizers; install it with: pip install ganzoo-core[text]"
        ) from None
    return tokenizers
