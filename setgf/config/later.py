"""Settings added after 0.1.0, and the hash of a config that does not see them at rest.

Experiments keep their fingerprints when settings are added: what is done is found to be done, and
checkpoints of an earlier version can be gone on from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

LATER: Mapping[str, Mapping[str, Any]] = {
    "data": {
        "normalise_modalities": ["audio", "vision"],
        "audio_features": [],
        "vision_features": [],
        "keep_mib": 1024,
        "align_to_text": False,
    },
    "text": {
        "train_layers": 0,
        "lora_rank": 0,
        "lora_alpha": 16,
    },
    "model": {
        "fusion_head_dropout": -1.0,
        "text_head_dropout": -1.0,
        "audio_head_dropout": -1.0,
        "vision_head_dropout": -1.0,
    },
    "labels": {"form": "ratio", "limit": 0.0},
    "loss": {
        "text_weight": 1.0,
        "audio_weight": 1.0,
        "vision_weight": 1.0,
        "task_weighting": "auto",
        "ordinal_weight": 0.0,
    },
    "optim": {
        "lr_audio": 0.0,
        "lr_vision": 0.0,
        "weight_decay_text": -1.0,
        "weight_decay_audio": -1.0,
        "weight_decay_vision": -1.0,
        "decay_on": "weights",
        "accumulation": "mean",
        "ema_decay": 0.0,
    },
    "train": {
        "compile": False,
        "max_minutes": 0.0,
        "calibrate": False,
        "task": "regression",
    },
}
"""Settings by section that 0.1.0 did not have, with the values that do what it did."""


def hash_config(plain: Mapping[str, Any]) -> str:
    """Return 12 hex digits that nested plain data share with no other, later settings at rest."""
    text = json.dumps(_as_first_hashed(plain), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_first_hashed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested data without later settings that change nothing, nor sections of only such."""
    kept: dict[str, Any] = {}
    for name, part in plain.items():
        later = LATER.get(name, {})
        if later:
            section = cast(Mapping[str, Any], part)
            part = {k: v for k, v in section.items() if k not in later or v != later[k]}
            if not part:
                continue
        kept[name] = part
    return kept
