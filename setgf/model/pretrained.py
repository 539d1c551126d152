"""Transformers from a folder, or made at random; the only file that knows `transformers`.

The library is imported when first used: it takes seconds.
"""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from setgf.errors import EncoderError

TINY_IDS = 8191
"""Vocabulary of the tiny encoder: small enough that the optimizer step costs nothing."""
_READS_PADDING = frozenset({"convbert"})
"""Families whose convolutions mix real word pieces with padded ones."""


def make_tiny() -> nn.Module:
    """Return a random BERT of 2 layers of width 64, from torch's random state."""
    transformers = _quiet_transformers()
    settings = transformers.BertConfig(
        vocab_size=TINY_IDS,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
    )
    return transformers.BertModel(settings, add_pooling_layer=False)


def load_pretrained(folder: Path, name: str) -> nn.Module:
    """Return the transformer of a folder, in float32, without its pooling layer.

    Args:
        folder: `config.json` beside `model.safetensors` or `pytorch_model.bin`.
        name: what the user called it, for errors.

    Raises:
        EncoderError: files are missing or damaged, or the model is not BERT-like.
    """
    transformers = _quiet_transformers()
    from safetensors import SafetensorError

    try:
        settings = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        _check_family(settings, name)
        transformer, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,  # a folder is data: it brings no code of its own
            # Else the folder's own type: a half precision folder would train in half precision.
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError, UnpicklingError) as error:
        raise EncoderError(
            f"The text encoder `{name}` at `{folder}` can't be loaded: {_first_line(error)}. "
            "Copy or download its folder again, or use `minilm`."
        ) from error
    _check_loaded(report, folder, name)
    # Nobody reads it, so its weights would never see a gradient.
    transformer.pooler = None
    return transformer


def _check_loaded(report: dict[str, Any], folder: Path, name: str) -> None:
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise EncoderError(
            f"The text encoder `{name}` at `{folder}` lacks {len(missing)} weights, the first is "
            f"`{missing[0]}`; they would be random. Copy or download its folder again."
        )


def _check_family(settings: Any, name: str) -> None:
    """Refuse a model whose states are not those of its word pieces, seen from both sides."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    kind = settings.model_type
    if type(settings) not in MODEL_FOR_MASKED_LM_MAPPING or settings.is_encoder_decoder:
        fault = "does not read a text from both sides, as BERT does"
    elif kind in _READS_PADDING:
        fault = "reads padding, so that a transcript's scores would depend on its batch"
    else:
        needed = ("hidden_size", "vocab_size", "max_position_embeddings")
        absent = [key for key in needed if not hasattr(settings, key)]
        if not absent:
            return
        fault = f"has no `{absent[0]}` in its settings"
    raise EncoderError(
        f"The text encoder `{name}` is a `{kind}`, which {fault}; a BERT-like encoder is needed. "
        "Use `minilm`, a BERT, RoBERTa, DeBERTa, ELECTRA or another of their kin."
    )


def save_pretrained(transformer: nn.Module, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of a transformer into a folder."""
    saved: Any = transformer
    saved.save_pretrained(folder, safe_serialization=True)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def _quiet_transformers() -> Any:
    """Return the library with its progress bars, reports and telemetry switched off."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers
