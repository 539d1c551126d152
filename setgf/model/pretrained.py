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
        transformer, report = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,  # a folder is data: it brings no code of its own
            # Else the folder's own type: a half precision folder would train in half precision.
            dtype=torch.float32,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError, UnpicklingError) as error:
        raise EncoderError(
            f"The text encoder `{name}` at `{folder}` can't be loaded: {_first_line(error)}. "
            "Copy or download its folder again, or use `minilm`."
        ) from error
    _check_loaded(transformer, report, folder, name)
    # Nobody reads it, so its weights would never see a gradient.
    transformer.pooler = None
    return transformer


def _check_loaded(transformer: Any, report: dict[str, Any], folder: Path, name: str) -> None:
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise EncoderError(
            f"The text encoder `{name}` at `{folder}` lacks {len(missing)} weights, the first is "
            f"`{missing[0]}`; they would be random. Copy or download its folder again."
        )
    needed = ("hidden_size", "vocab_size", "max_position_embeddings")
    absent = [key for key in needed if not hasattr(transformer.config, key)]
    if absent:
        raise EncoderError(
            f"The text encoder `{name}` is a `{transformer.config.model_type}`, whose settings "
            f"have no `{absent[0]}`; a BERT-like encoder is needed. Use `minilm` or a BERT."
        )


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
