"""The text encoder: word pieces in, one state a piece and one vector a transcript out.

Any BERT-like model serves. A frozen encoder never changes, so its states are computed once a sample
and kept. Frozen weights are in no checkpoint: they come back from where they came from.

Shapes: B batch, T word pieces of the longest transcript, W width of the encoder.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import Tensor, nn

from setgf.config import TextConfig
from setgf.data.batch import Batch, padding_mask
from setgf.errors import EncoderError
from setgf.model.adapters import train_part
from setgf.model.encoder_files import digest_of
from setgf.model.encoder_source import encoder_folder
from setgf.model.pretrained import load_pretrained, make_tiny
from setgf.model.sequence import as_sequence, masked_mean
from setgf.model.state_cache import KeptStates, StateCache, Transcripts, kind_of
from setgf.model.unpadded import can_unpad, encode_unpadded

__all__ = ["TextEncoder", "TextStates", "encoder_folder", "load_text_encoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStates:
    """What an encoder makes of a batch of transcripts."""

    hidden: Tensor
    """(B, T, W) float32. State of each word piece, zero where padded; 1 <= T.

    (B, 1, W) where only the pooled vector was asked for and reads no more.
    """
    pooled: Tensor
    """(B, W) float32. The whole transcript; zero where it has no word piece."""

    def part(self, rows: Tensor, batch: Batch) -> TextStates:
        """Return the states of the samples `rows` (n,) of a batch, without others' padding."""
        steps = max(int(batch.text_lengths[rows].max()), 1)
        return TextStates(hidden=self.hidden[rows, :steps], pooled=self.pooled[rows])


ALL_LAYERS = slice(None)


class TextEncoder(nn.Module):
    """A BERT-like transformer, fine-tuned or frozen, and its pooling."""

    if TYPE_CHECKING:

        def __call__(
            self,
            tokens: Tensor,
            segments: Tensor,
            lengths: Tensor,
            *,
            index: Tensor | None = None,
            only_pooled: bool = False,
        ) -> TextStates:
            """Call `forward`."""
            ...

    def __init__(
        self,
        transformer: nn.Module,
        *,
        pooling: Literal["first", "mean"],
        tokenizer_folder: Path | None,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.pooling = pooling
        self.tokenizer_folder = tokenizer_folder
        """Where the vocabulary is; None keeps the store's own word pieces."""
        self.folder = folder
        """Where the weights came from; None for random ones."""
        settings: Any = transformer.config
        self.width: int = settings.hidden_size
        """W."""
        self.num_ids: int = settings.vocab_size
        self.max_tokens: int = settings.max_position_embeddings - _kept_positions(transformer)
        names = inspect.signature(transformer.forward).parameters
        self._takes_segments = "token_type_ids" in names and settings.type_vocab_size > 1
        self.unpads = can_unpad(transformer)
        """Padding is not computed, where that is faster; states are the same."""
        self._is_frozen = False
        self._resting: tuple[nn.Module, ...] = ()
        self.frozen_layers = 0
        """Lowest layers that never change, whose states are kept; not used when all are frozen."""
        self._kept = KeptStates(self.width)
        self._cache_folder: Path | None = None
        self.register_state_dict_post_hook(_leave_frozen_out)
        self.register_load_state_dict_post_hook(_expect_frozen_missing)

    @property
    def is_frozen(self) -> bool:
        """Whether weights stay as they are and no gradient reaches them."""
        return self._is_frozen

    def freeze(self) -> None:
        """Keep the weights as they are from now on, without dropout."""
        self._is_frozen = True
        self.frozen_layers = 0
        self.requires_grad_(False)
        self.train(False)

    def rest(self, modules: tuple[nn.Module, ...], *, layers: int) -> None:
        """Leave dropout out of frozen modules, the lowest `layers` among them, from now on."""
        self._resting = modules
        self.frozen_layers = layers if self.unpads else 0
        self.train(self.training)

    def use_cache(self, split: str | None) -> None:
        """Keep a frozen encoder's states by split and `batch.index`; None does not."""
        self._kept.split = split

    def keep_states(self, folder: Path) -> None:
        """Share a frozen encoder's states with all runs that keep theirs in `folder`."""
        self._cache_folder = folder

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on or off; what is frozen has none."""
        super().train(mode and not self._is_frozen)
        for module in self._resting:
            module.training = False
        return self

    def forward(
        self,
        tokens: Tensor,
        segments: Tensor,
        lengths: Tensor,
        *,
        index: Tensor | None = None,
        only_pooled: bool = False,
    ) -> TextStates:
        """Return the states of a batch of transcripts.

        Args:
            tokens: (B, T) int64. Word piece ids; padding is never read.
            segments: (B, T) int64. Segment ids.
            lengths: (B,) int64, on the CPU, 0 <= length <= T.
            index: (B,) int64. Row of each sample in its split: the key of the cache.
            only_pooled: nobody reads `hidden`, which may then be of the first piece alone.

        Raises:
            EncoderError: a transcript is longer, or an id larger, than the encoder knows.
        """
        only_first = only_pooled and self.pooling == "first"
        rows = None if index is None or self._kept.split is None else index
        if not lengths.any():
            device = next(self.parameters()).device
            hidden = torch.zeros(*tokens.shape, self.width, device=device)  # (B, T, W)
        elif rows is not None and self.frozen_layers:
            below = self._recall(Transcripts(tokens, segments, lengths), rows.tolist())
            hidden = encode_unpadded(
                self.transformer,
                tokens[:, : below.shape[1]],
                segments[:, : below.shape[1]],
                lengths,
                only_first=only_first,
                layers=slice(self.frozen_layers, None),
                below=below,
            )
        elif rows is not None and self._is_frozen:
            hidden = self._recall(Transcripts(tokens, segments, lengths), rows.tolist())
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self._is_frozen):
                hidden = self._encode(tokens, segments, lengths, only_first=only_first)
        lengths = lengths.clamp(max=hidden.shape[1])
        sequence = as_sequence(hidden.float(), lengths)
        pooled = masked_mean(sequence) if self.pooling == "mean" else sequence.states[:, 0]
        return TextStates(hidden=sequence.states, pooled=pooled)

    def _encode(
        self,
        tokens: Tensor,
        segments: Tensor,
        lengths: Tensor,
        *,
        only_first: bool = False,
        layers: slice = ALL_LAYERS,
    ) -> Tensor:
        """Return states (B, T, W), undefined where padded; (B, 1, W) if `only_first`.

        Other `layers` than all need a transformer that `unpads`.
        """
        self._check(tokens)
        # On a GPU a step of usual size waits for kernels to start, and this path has more of them.
        if self.unpads and (tokens.device.type == "cpu" or layers != ALL_LAYERS):
            return encode_unpadded(
                self.transformer,
                tokens,
                segments,
                lengths,
                only_first=only_first,
                layers=layers,
            )
        # A transcript without a word piece looks at its first padded one; the caller masks it.
        padding = padding_mask(lengths.clamp(min=1), tokens.shape[1], tokens.device)
        tokens = tokens.masked_fill(padding, 0)
        inputs: dict[str, Tensor] = {"input_ids": tokens, "attention_mask": (~padding).long()}
        if self._takes_segments:
            inputs["token_type_ids"] = segments
        states: Tensor = self.transformer(**inputs).last_hidden_state
        return states[:, :1] if only_first else states

    def _recall(self, transcripts: Transcripts, rows: Sequence[int]) -> Tensor:
        """Return the states (B, T, W) that frozen layers give, encoded at most once."""
        if self._kept.cache is None and self._cache_folder is not None and self.folder is not None:
            # What decides the numbers is as it is at the first call.
            device = transcripts.tokens.device
            is_unpadded = self.frozen_layers or (self.unpads and device.type == "cpu")
            path = f"{_way(self.transformer, is_unpadded)} {self.frozen_layers}"
            kind = kind_of(digest_of(self.folder), device, path=path)
            self._kept.cache = StateCache(self._cache_folder / kind)
        layers = slice(self.frozen_layers) if self.frozen_layers else ALL_LAYERS
        with torch.no_grad():
            return self._kept.recall(
                lambda some: self._encode(some.tokens, some.segments, some.lengths, layers=layers),
                transcripts,
                rows,
            )

    def _check(self, tokens: Tensor) -> None:
        if tokens.shape[1] > self.max_tokens:
            raise EncoderError(
                f"A transcript has {tokens.shape[1]} word pieces, but the text encoder reads at "
                f"most {self.max_tokens}. Lower `data.max_tokens`."
            )
        # Only where it costs nothing: on a GPU the host would wait for the device here.
        if tokens.device.type == "cpu" and int(tokens.max()) >= self.num_ids:
            raise EncoderError(
                f"A word piece has id {int(tokens.max())}, but the text encoder knows "
                f"{self.num_ids}. The data are tokenised for another vocabulary: choose a text "
                "encoder of the data's language."
            )


class TinyEncoder(TextEncoder):
    """The random encoder for tests: any word piece id goes, folded into its small vocabulary."""

    def _encode(self, tokens: Tensor, segments: Tensor, lengths: Tensor, **options: Any) -> Tensor:
        return super()._encode(tokens % self.num_ids, segments, lengths, **options)


def load_text_encoder(config: TextConfig, *, seed: int) -> TextEncoder:
    """Return the encoder of the settings; torch's random state is left as it was.

    Args:
        config: which encoder, how it pools, whether it is trained.
        seed: decides the weights of `tiny`.

    Raises:
        EncoderError: it can't be found, or its files can't be read.
    """
    folder = encoder_folder(config.encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if folder is None:
            encoder = TinyEncoder(
                make_tiny(), pooling=_pooling(config, None), tokenizer_folder=None
            )
        else:
            encoder = TextEncoder(
                load_pretrained(folder, config.encoder),
                pooling=_pooling(config, folder),
                tokenizer_folder=folder,
                folder=folder,
            )
        if not config.finetune:
            encoder.freeze()
        elif config.train_layers or config.lora_rank:
            part = train_part(encoder.transformer, config)
            encoder.rest(part.resting, layers=part.frozen_layers)
    return encoder


def _way(transformer: nn.Module, is_unpadded: object) -> str:
    """Return which of the ways to compute the same states is taken: their rounding differs."""
    if is_unpadded:
        return "unpadded"
    modules: Any = transformer.modules()
    is_compiled = any(module._compiled_call_impl is not None for module in modules)  # noqa: SLF001
    return "compiled" if is_compiled else "padded"


def _kept_positions(transformer: nn.Module) -> int:
    """Return the position rows a family keeps for itself: RoBERTa's begin after its padding id."""
    for name, module in transformer.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def _pooling(config: TextConfig, folder: Path | None) -> Literal["first", "mean"]:
    if config.pooling != "auto":
        return config.pooling
    # A sentence encoder names its pooling in this folder; those in use average.
    is_sentence_encoder = folder is not None and (folder / "1_Pooling").is_dir()
    return "mean" if is_sentence_encoder else "first"


def _frozen_names(encoder: TextEncoder) -> set[str]:
    """Return the names of weights that come back from where the encoder came from."""
    if encoder.is_frozen:
        return {f"transformer.{name}" for name in encoder.transformer.state_dict()}
    weights = encoder.named_parameters(remove_duplicate=False)
    return {name for name, weight in weights if not weight.requires_grad}


def _leave_frozen_out(
    module: nn.Module, state: dict[str, Any], prefix: str, _metadata: dict[str, Any]
) -> None:
    """Take frozen weights out of a state."""
    if isinstance(module, TextEncoder):
        for name in _frozen_names(module):
            state.pop(prefix + name, None)


def _expect_frozen_missing(module: nn.Module, incompatible: Any) -> None:
    """Accept a state without frozen weights."""
    if isinstance(module, TextEncoder):
        frozen = tuple(f".{name}" for name in _frozen_names(module))
        missing: list[str] = incompatible.missing_keys
        missing[:] = [name for name in missing if not f".{name}".endswith(frozen)]
