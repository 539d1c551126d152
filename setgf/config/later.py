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
