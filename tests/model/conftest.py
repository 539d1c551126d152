from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> None:  # pyright: ignore[reportUnusedFunction]
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:  # pyright: ignore[reportUnusedFunction]
    torch.manual_seed(7)


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """The folder of a small random BERT, as a user would have one."""
    folder = tmp_path / "small-bert"
    settings = transformers.BertConfig(
        vocab_size=40000,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.logging.disable_progress_bar()
    transformers.BertModel(settings).save_pretrained(folder)
    return folder
