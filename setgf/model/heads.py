"""The head of a branch: a vector in, a score and the label generator's feature out.

Where classes are predicted, a score is three logits: negative, neutral, positive.

Shapes: B batch, F input width, D_s feature width of branch s, K outputs (1 or 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from setgf.config import ExperimentConfig, LossConfig, ModelConfig
from setgf.terms import MODALITIES, Branch, Modality, Task


class ScoreHead(nn.Module):
    """Three layers, as in Self-MM (`msa.md` 3.2); the first one's output is the feature."""

    if TYPE_CHECKING:

        def __call__(self, vector: Tensor) -> tuple[Tensor, Tensor]:
            """Call `forward`."""
            ...

    def __init__(self, in_width: int, width: int, *, dropout: float, outputs: int = 1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.first = nn.Linear(in_width, width)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, outputs)

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and feature of `vector` (B, F).

        Returns:
            score: (B,) float32; logits (B, K) where there are several outputs.
            feature: (B, D_s) float32, non-negative.
        """
        feature = torch.relu(self.first(self.dropout(vector)))  # (B, D_s)
        score = self.third(torch.relu(self.second(feature)))  # (B, K)
        return score.squeeze(-1).float(), feature.float()


class BranchHeads(nn.Module):
    """The heads of all branches a network is trained on; fusion is always there."""

    if TYPE_CHECKING:

        def __call__(
            self, vectors: dict[Branch, Tensor]
        ) -> tuple[dict[Branch, Tensor], dict[Branch, Tensor]]:
            """Call `forward`."""
            ...

    def __init__(
        self, in_widths: dict[Branch, int], config: ModelConfig, *, outputs: int = 1
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {
                branch.value: ScoreHead(
                    in_width,
                    head_width(config, branch),
                    dropout=head_dropout(config, branch),
                    outputs=outputs,
                )
                for branch, in_width in in_widths.items()
            }
        )

    def forward(
        self, vectors: dict[Branch, Tensor]
    ) -> tuple[dict[Branch, Tensor], dict[Branch, Tensor]]:
        """Return scores and features by branch; vectors of branches without a head are ignored."""
        scores: dict[Branch, Tensor] = {}
        features: dict[Branch, Tensor] = {}
        for name, head in self.heads.items():
            branch = Branch(name)
            scores[branch], features[branch] = head(vectors[branch])
        return scores, features


def num_outputs(config: ExperimentConfig) -> int:
    """Return K: the logits of three classes, or the one score."""
    return 3 if config.train.task == Task.CLASSIFICATION else 1


def head_width(config: ModelConfig, branch: Branch) -> int:
    """Return D_s, the width of a branch's feature."""
    widths = {
        Branch.FUSION: config.fusion_width,
        Branch.TEXT: config.text_width,
        Branch.AUDIO: config.audio_width,
        Branch.VISION: config.vision_width,
    }
    return widths[branch]


def head_dropout(config: ModelConfig, branch: Branch) -> float:
    """Return the dropout before a branch's head: its own, else the general one."""
    own = {
        Branch.FUSION: config.fusion_head_dropout,
        Branch.TEXT: config.text_head_dropout,
        Branch.AUDIO: config.audio_head_dropout,
        Branch.VISION: config.vision_head_dropout,
    }[branch]
    return own if own >= 0 else config.head_dropout


def unimodal_tasks(config: ExperimentConfig) -> tuple[Modality, ...]:
    """Return the modalities that have a head: tasks with a weight, of modalities that are there."""
    if config.labels.mode == "none" or config.loss.unimodal_weight == 0:
        return ()
    wanted = set(config.loss.tasks) & set(config.data.modalities)
    wanted = {name for name in wanted if task_weight(config.loss, Modality(name)) > 0}
    return tuple(modality for modality in MODALITIES if modality.value in wanted)


def task_weight(config: LossConfig, task: Modality) -> float:
    """Return the weight of a task within the unimodal losses."""
    return {
        Modality.TEXT: config.text_weight,
        Modality.AUDIO: config.audio_weight,
        Modality.VISION: config.vision_weight,
    }[task]


def branch_widths(config: ExperimentConfig, widths: dict[Branch, int]) -> dict[Branch, int]:
    """Return the input widths of the heads that exist, fusion first."""
    tasks = unimodal_tasks(config)
    return {
        branch: width
        for branch, width in widths.items()
        if branch is Branch.FUSION or Modality(branch.value) in tasks
    }
