"""MISA: what modalities share and what is private to each, fused by a transformer over six tokens.

Hazarika, Zimmermann and Poria, "MISA: Modality-Invariant and -Specific Representations for
Multimodal Sentiment Analysis", ACM Multimedia 2020, section 3.

    u_m = LN(relu(W_m [last states of two stacked BiLSTMs, or text vector]))
    p_m = sigmoid(P_m u_m),  s_m = sigmoid(S u_m)                 S is one for all modalities
    score = MLP(Transformer([p_t, p_a, p_v, s_t, s_a, s_v]))
    loss += 0.3 similarity(s) + 0.1 difference(p, s) + 1.0 reconstruction(u_m; R_m (p_m + s_m))

Shapes: B batch, F feature width, H hidden width of an LSTM, D model width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.base import Network
from setgf.model.baselines.misa_losses import Subspaces, subspace_losses
from setgf.model.heads import head_dropout, num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence, as_sequence, pack
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch, Modality

SIMILARITY_WEIGHT = 0.3
DIFFERENCE_WEIGHT = 0.1
RECONSTRUCTION_WEIGHT = 1.0
"""Weights of the three losses in MMSA's settings for MOSI."""
WIDTH = 128
"""D; the same on every data set but SIMSv2."""
HEADS = 2
FEEDFORWARD_WIDTH = 2048
DROPOUT = 0.1
"""Of the fusion layer; the last two are torch's own defaults, which the authors leave."""


class StackedRecurrence(nn.Module):
    """Two bidirectional LSTMs with a norm between them: the last states of both."""

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, feature_width: int, hidden_width: int) -> None:
        super().__init__()
        self.first = nn.LSTM(feature_width, hidden_width, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden_width)
        self.second = nn.LSTM(2 * hidden_width, hidden_width, batch_first=True, bidirectional=True)

    def forward(self, sequence: Sequence) -> Tensor:
        """Return (B, 4 * H) of frames (B, T, F); zero for a sample without frames."""
        read, (early, _) = self.first(pack(sequence))
        normed = PackedSequence(
            self.norm(read.data), read.batch_sizes, read.sorted_indices, read.unsorted_indices
        )
        _, (late, _) = self.second(normed)
        last = torch.cat([*early, *late], -1)  # (B, 4 * H)
        return last.masked_fill(~sequence.is_present, 0)


class MisaNetwork(Network):
    """Shared and private subspaces of the three modalities, a fusion layer and two output layers.

    Reads the transcript as one vector, in the paper its mean: `text.pooling=mean`. LSTMs are as
    wide as their features, but no wider than D: SIMS has 709. MMSA's other settings for MOSI are
    `text.dropout=0` and `model.head_dropout=0.2`.

    The task loss is the mean absolute error, as every model's here, and not squared. A modality a
    sample does not have takes no part in the three further losses.
    """

    compares_samples: ClassVar[bool] = True

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        audio_hidden, vision_hidden = min(facts.audio_width, WIDTH), min(facts.vision_width, WIDTH)
        self.audio = StackedRecurrence(facts.audio_width, audio_hidden)
        self.vision = StackedRecurrence(facts.vision_width, vision_hidden)
        in_widths = (text_encoder.width, 4 * audio_hidden, 4 * vision_hidden)
        self.project = nn.ModuleDict(
            {
                m.value: nn.Sequential(nn.Linear(in_width, WIDTH), nn.ReLU(), nn.LayerNorm(WIDTH))
                for m, in_width in zip(MODALITIES, in_widths, strict=True)
            }
        )
        self.private = nn.ModuleDict({m.value: _sigmoid_layer(WIDTH) for m in MODALITIES})
        self.shared = _sigmoid_layer(WIDTH)
        self.rebuild = nn.ModuleDict({m.value: nn.Linear(WIDTH, WIDTH) for m in MODALITIES})
        self.fuse = nn.TransformerEncoderLayer(
            WIDTH, HEADS, FEEDFORWARD_WIDTH, DROPOUT, batch_first=True
        )
        self.first = nn.Linear(6 * WIDTH, 3 * WIDTH)
        self.dropout = nn.Dropout(head_dropout(config.model, Branch.FUSION))
        self.second = nn.Linear(3 * WIDTH, num_outputs(config))

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score and the feature of the fusion branch, and the three further losses."""
        subspaces = self._divide(batch)
        tokens = [space[m] for space in (subspaces.private, subspaces.shared) for m in MODALITIES]
        fused = self.fuse(torch.stack(tokens, 1))  # (B, 6, D)
        feature = torch.relu(self.dropout(self.first(fused.flatten(1))))  # (B, 3 * D)
        score = self.second(feature).squeeze(-1)
        losses = subspace_losses(subspaces)
        return ModelOutput(
            scores={Branch.FUSION: score.float()},
            features={Branch.FUSION: feature.float()},
            losses={
                "similarity": SIMILARITY_WEIGHT * losses.similarity,
                "difference": DIFFERENCE_WEIGHT * losses.difference,
                "reconstruction": RECONSTRUCTION_WEIGHT * losses.reconstruction,
            },
        )

    def _divide(self, batch: Batch) -> Subspaces:
        """Return u_m, p_m, s_m and the rebuilt u_m of every modality."""
        audio = as_sequence(batch.audio, batch.audio_lengths)
        vision = as_sequence(batch.vision, batch.vision_lengths)
        read = {
            Modality.TEXT: self.encode_text(batch, only_pooled=True).pooled,
            Modality.AUDIO: self.audio(audio),
            Modality.VISION: self.vision(vision),
        }
        vectors = {m: self.project[m.value](read[m]) for m in MODALITIES}
        private = {m: self.private[m.value](vectors[m]) for m in MODALITIES}
        shared = {m: self.shared(vectors[m]) for m in MODALITIES}
        return Subspaces(
            vectors=vectors,
            private=private,
            shared=shared,
            rebuilt={m: self.rebuild[m.value](private[m] + shared[m]) for m in MODALITIES},
            present={
                Modality.TEXT: (batch.text_lengths > 0).to(batch.index.device)[:, None],
                Modality.AUDIO: audio.is_present,
                Modality.VISION: vision.is_present,
            },
        )


def _sigmoid_layer(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.Sigmoid())
