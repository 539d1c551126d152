"""ALMT: a hyper-modality learnt from audio and vision under the guidance of text.

Zhang et al., "Learning Language-guided Adaptive Hyper-modality Representation for Multimodal
Sentiment Analysis", EMNLP 2023, section 3.

    H_m^1 = E_m([tokens_m; W_m features_m]), the tokens only                m in {t, a, v}
    H_t^2 = E_2(H_t^1),  H_t^3 = E_3(H_t^2)                                 text at three depths
    H_hyper^j = H_hyper^j-1 + W_o (softmax(Q K_a^T / sqrt(d)) V_a + softmax(Q K_v^T / sqrt(d)) V_v)
    score = w . CrossTransformer(c reads [c; H_hyper^3])

Q is made of H_t^j, K and V of H_a^1 and H_v^1: text reaches the score as what audio and vision
are asked, never as a value.

Shapes: B batch, T steps of a modality, F feature width, K tokens, D model width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig
from setgf.data.batch import Batch, DataFacts
from setgf.model.attention import AttentionBlock, AttentionStack, BlockSizes, attend
from setgf.model.base import Network
from setgf.model.baselines.crossmodal import add_positions
from setgf.model.heads import num_outputs
from setgf.model.output import ModelOutput
from setgf.model.sequence import Sequence
from setgf.model.text_encoder import TextEncoder
from setgf.terms import MODALITIES, Branch, Modality

SIZES = BlockSizes(
    width=128,
    heads=8,
    attention_dropout=0.0,
    feedforward_dropout=0.0,
    null_key=False,
    feedforward_factor=1,
)
FUSION_BLOCKS = 2
"""Blocks of the cross-transformer: 2 on MOSI, 4 on MOSEI and SIMS; the sizes are the same."""
NUM_TOKENS = 8
"""K, learnt tokens a modality is summed up in; the same on every data set."""
DEPTH = 3
"""Depths of text that guide the hyper-modality; the same on every data set."""
HYPER_SCALE = 0.02
"""Standard deviation of a new hyper-modality; BERT's `initializer_range`."""


class TokenEncoder(nn.Module):
    """One attention block by which learnt tokens read the steps of a modality, and one another.

    The tokens' share of a transformer layer over tokens and steps: what the steps would become is
    thrown away by the public code, and is not made here.
    """

    if TYPE_CHECKING:

        def __call__(self, sequence: Sequence) -> Sequence:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, feature_width: int) -> None:
        super().__init__()
        self.project = nn.Linear(feature_width, sizes.width)
        self.tokens = _learnt_tokens(NUM_TOKENS, sizes.width)
        self.block = AttentionBlock(sizes)

    def forward(self, sequence: Sequence) -> Sequence:
        """Return the tokens (B, K, D), all real, of features (B, T, F)."""
        steps = add_positions(sequence.with_states(self.project(sequence.states)))
        tokens = _all_real(self.tokens.expand(steps.states.shape[0], -1, -1))
        return self.block(tokens, _join(tokens, steps))


class HyperUpdate(nn.Module):
    """What one depth of text adds to the hyper-modality (adaptive hyper-modality learning)."""

    if TYPE_CHECKING:

        def __call__(self, text: Sequence, audio: Sequence, vision: Sequence) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes) -> None:
        super().__init__()
        width = sizes.width
        self.sizes = sizes
        self.norms = nn.ModuleDict({m.value: nn.LayerNorm(width) for m in MODALITIES})
        self.query = nn.Linear(width, width, bias=False)
        self.audio = nn.Linear(width, 2 * width, bias=False)
        self.vision = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width)

    def forward(self, text: Sequence, audio: Sequence, vision: Sequence) -> Tensor:
        """Return (B, K, D); all three are tokens (B, K, D)."""
        query = self.query(self.norms[Modality.TEXT.value](text.states))
        read = torch.zeros_like(query)
        for modality, tokens, key_value in (
            (Modality.AUDIO, audio, self.audio),
            (Modality.VISION, vision, self.vision),
        ):
            key, value = key_value(self.norms[modality.value](tokens.states)).chunk(2, -1)
            dropout = self.sizes.attention_dropout if self.training else 0.0
            read = read + attend(query, key, value, heads=self.sizes.heads, dropout=dropout)
        return self.output(read)


class CrossTransformer(nn.Module):
    """A learnt token gathers what it finds in the hyper-modality.

    In the paper it stands in front of the text, which reads along. But what stands on the reading
    side is never read by others, so the text can't reach the token, and only the token is made.
    """

    if TYPE_CHECKING:

        def __call__(self, hyper: Tensor) -> Tensor:
            """Call `forward`."""
            ...

    def __init__(self, sizes: BlockSizes, num_blocks: int) -> None:
        super().__init__()
        self.token = _learnt_tokens(1, sizes.width)
        self.reader_place = _learnt_tokens(1, sizes.width)
        self.places = _learnt_tokens(NUM_TOKENS + 1, sizes.width)
        self.stack = AttentionStack(sizes, num_blocks)

    def forward(self, hyper: Tensor) -> Tensor:
        """Return the token (B, D), having read itself and the hyper-modality (B, K, D)."""
        token = self.token.expand(hyper.shape[0], -1, -1)  # (B, 1, D)
        keys = torch.cat([token, hyper], 1) + self.places  # (B, K + 1, D)
        return self.stack(_all_real(token + self.reader_place), _all_real(keys)).states[:, 0]


class AlmtNetwork(Network):
    """Token encoders, text at three depths, the hyper-modality and a cross-transformer.

    The authors have no dropout (`text.dropout=0`).

    Where the public code differs: frames that are padding are attended, positions are learnt for
    every frame up to a fixed length and for the text tokens once more (here: sinusoids of real
    frames), and the hyper-modality is normed in place before it is added to, which the paper's
    equation has not.
    """

    def __init__(
        self, text_encoder: TextEncoder, config: ExperimentConfig, facts: DataFacts
    ) -> None:
        super().__init__(text_encoder, text_dropout=config.text.dropout)
        widths = (text_encoder.width, facts.audio_width, facts.vision_width)
        self.encoders = nn.ModuleDict(
            {
                modality.value: TokenEncoder(SIZES, width)
                for modality, width in zip(MODALITIES, widths, strict=True)
            }
        )
        self.deepen = nn.ModuleList(AttentionBlock(SIZES) for _ in range(DEPTH - 1))
        self.hyper = nn.Parameter(HYPER_SCALE * torch.randn(1, NUM_TOKENS, SIZES.width))
        self.updates = nn.ModuleList(HyperUpdate(SIZES) for _ in range(DEPTH))
        self.fuse = CrossTransformer(SIZES, FUSION_BLOCKS)
        self.score = nn.Linear(SIZES.width, num_outputs(config))

    def forward(self, batch: Batch) -> ModelOutput:
        """Return the score of the fusion branch."""
        given = self.sequences(batch)
        tokens = {m: self.encoders[m.value](given[m]) for m in MODALITIES}
        texts = [tokens[Modality.TEXT]]
        for block in self.deepen:
            texts.append(block(texts[-1], texts[-1]))
        hyper = self.hyper.expand(batch.size, -1, -1)  # (B, K, D)
        for update, text in zip(self.updates, texts, strict=True):
            hyper = hyper + update(text, tokens[Modality.AUDIO], tokens[Modality.VISION])
        score = self.score(self.fuse(hyper)).squeeze(-1)  # (B,), or logits (B, 3)
        return ModelOutput(scores={Branch.FUSION: score.float()})


def _learnt_tokens(count: int, width: int) -> nn.Parameter:
    """Return (1, count, D), as far apart as the authors' positions: deviation 1.

    Text shows in which tokens of audio and vision are looked at, so these have to differ.
    """
    return nn.Parameter(torch.randn(1, count, width))


def _all_real(states: Tensor) -> Sequence:
    """Return tokens (B, K, D) as a sequence without padding."""
    samples, count = states.shape[:2]
    return Sequence(
        states=states,
        lengths=torch.full((samples,), count),
        padding=torch.zeros(samples, count, dtype=torch.bool, device=states.device),
    )


def _join(tokens: Sequence, steps: Sequence) -> Sequence:
    """Return tokens and steps as one sequence; tokens stand in front."""
    return Sequence(
        states=torch.cat([tokens.states, steps.states], 1),
        lengths=tokens.lengths + steps.lengths,
        padding=torch.cat([tokens.padding, steps.padding], 1),
    )
