"""One vector a modality, as TFN makes them (Zadeh et al., EMNLP 2017, section 4.1).

LMF and LF-DNN take them over. The public code (MMSA) puts batch normalisation before the audio and
vision layers; `data.normalise` takes its place here, as batch statistics let the score of a sample
depend on the company it is trained in.

Shapes: B batch, F feature width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.baselines.self_mm import RecurrentSubnetwork
from setgf.model.sequence import masked_mean
from setgf.model.text_encoder import TextEncoder
from setgf.terms import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetworkSizes:
    """Widths of the three subnetworks; those of the models are MMSA's for MOSI."""

    text_hidden: int
    """Hidden units of the text LSTM."""
    text_out: int
    audio: int
    vision: int
    dropout: float
    """Before the layers of audio and vision, 0 to 1."""


class FrameSubnetwork(nn.Module):
    """The mean frame through three layers."""

    if TYPE_CHECKING:

        def __call__(self, frame: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, feature_width: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(feature_width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )

    def forward(self, frame: Tensor) -> Tensor:
        """Return (B, width), none below zero, of mean frames (B, F)."""
        return self.layers(frame)


class SubnetworkModel(Network):
    """Text by a recurrent layer over word pieces, audio and vision by their mean frames."""

    def __init__(
        self,
        text_encoder: TextEncoder,
        config: ExperimentConfig,
        facts: DataFacts,
        sizes: SubnetworkSizes,
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        self.text = RecurrentSubnetwork(text_encoder.width, sizes.text_hidden, sizes.text_out)
        self.audio = FrameSubnetwork(facts.audio_width, sizes.audio, dropout=sizes.dropout)
        self.vision = FrameSubnetwork(facts.vision_width, sizes.vision, dropout=sizes.dropout)

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return one vector (B, own width) for text, audio and vision."""
        sequences = self.sequences(batch)
        return (
            self.text(sequences[Modality.TEXT]),
            self.audio(masked_mean(sequences[Modality.AUDIO])),
            self.vision(masked_mean(sequences[Modality.VISION])),
        )
