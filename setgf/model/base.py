"""What every network has: a text encoder, and `batch -> ModelOutput`.

Shapes: B batch, W width of the text encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from setgf.data.batch import Batch
from setgf.model.ordinal import OrdinalHead
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence, as_sequence
from setgf.model.text_encoder import TextEncoder, TextStates
from setgf.terms import Modality


class Network(nn.Module, ABC):
    """A batch in, scores and features of every branch out."""

    needs: ClassVar[frozenset[Modality]] = frozenset()
    """Modalities it can't do without; any other may be left out."""
    has_unimodal_tasks: ClassVar[bool] = False
    """Whether it has heads for single modalities, which want labels of their own."""
    compares_samples: ClassVar[bool] = False
    """Whether a loss of its own compares the samples of a micro-batch with each other."""

    if TYPE_CHECKING:

        def __call__(self, batch: Batch) -> ModelOutput:
            """Call `forward`."""
            ...

    def __init__(self, text_encoder: TextEncoder, *, text_dropout: float) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.text_dropout = nn.Dropout(text_dropout)
        self.ordinal: OrdinalHead | None = None
        """Auxiliary head on the fusion feature; `build_network` adds it where it is asked for."""

    @abstractmethod
    def forward(self, batch: Batch) -> ModelOutput:
        """Return scores and features of every branch the network has."""

    def encode_text(self, batch: Batch, *, only_pooled: bool = False) -> TextStates:
        """Return the transcripts' states, with dropout on the pooled vector (B, W).

        `only_pooled` says that nobody reads the states of single pieces.
        """
        states = self.text_encoder(
            batch.tokens,
            batch.segments,
            batch.text_lengths,
            index=batch.index,
            only_pooled=only_pooled,
        )
        return TextStates(hidden=states.hidden, pooled=self.text_dropout(states.pooled))

    def sequences(self, batch: Batch) -> dict[Modality, Sequence]:
        """Return every modality (B, T, F): frames as they are, text as states with dropout."""
        states = self.text_encoder(
            batch.tokens, batch.segments, batch.text_lengths, index=batch.index
        )
        hidden = self.text_dropout(states.hidden)  # (B, T, W)
        return {
            Modality.TEXT: as_sequence(hidden, batch.text_lengths),
            Modality.AUDIO: as_sequence(batch.audio, batch.audio_lengths),
            Modality.VISION: as_sequence(batch.vision, batch.vision_lengths),
        }
