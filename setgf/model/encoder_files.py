"""Looks whether a text encoder's files are all there and whole, without loading a library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from setgf.errors import EncoderError

CHOICES = "Give a folder with `config.json` and `model.safetensors`, or use `minilm`."
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000


def check_encoder_files(folder: Path) -> None:
    """Refuse a folder that is no Hugging Face model, or whose copy was cut.

    Raises:
        EncoderError: settings or weights are missing or damaged.
    """
    if not has_weights(folder):
        _check_framework(folder)
    if not (folder / "config.json").is_file():
        raise EncoderError(
            f"The text encoder folder `{folder}` has no `config.json`, so it is not a "
            f"Hugging Face model. {CHOICES}"
        )
    if not has_weights(folder):
        raise EncoderError(
            f"The text encoder folder `{folder}` has a `config.json`, but no weights: neither "
            f"`model.safetensors` nor `pytorch_model.bin`. {CHOICES}"
        )
    if _read_json((folder / "config.json").read_bytes()) is None:
        raise _damaged(folder / "config.json", "is not JSON")
    for path in sorted(folder.glob("model*.safetensors")):
        _check_size(path)


def has_weights(folder: Path) -> bool:
    """Return True when a folder has settings and PyTorch weights of either kind."""
    weights = [*folder.glob("model*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return (folder / "config.json").is_file() and bool(weights)


def digest_of(folder: Path) -> str:
    """Return the SHA-256, in hex, of the files that decide what an encoder computes."""
    safe = sorted(folder.glob("model*.safetensors"))
    digest = hashlib.sha256()
    for path in (folder / "config.json", *(safe or sorted(folder.glob("pytorch_model*.bin")))):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _check_framework(folder: Path) -> None:
    """Refuse weights of TensorFlow or Flax, and say how they become PyTorch's."""
    original = next(iter(sorted(folder.glob("*.ckpt*.index"))), None)
    if original is not None:
        raise EncoderError(
            f"The text encoder folder `{folder}` holds Google's original TensorFlow checkpoint "
            f"(`{original.name}`), which transformers 5 can't read any more. Take the same weights "
            "as Hugging Face has them, such as `bert-base-uncased` or `bert-base-chinese`, or "
            "convert them once, in an environment made with `pip install 'transformers<5' torch "
            "tensorflow`: `from transformers import BertConfig, BertForPreTraining as Bert; "
            f"Bert.from_pretrained('{original}', from_tf=True, config=BertConfig.from_json_file("
            f"'{folder / 'bert_config.json'}')).save_pretrained('NEW_FOLDER')`; then copy "
            "`vocab.txt` into NEW_FOLDER and give that as `text.encoder`."
        )
    for name, option in (("tf_model.h5", "from_tf"), ("flax_model.msgpack", "from_flax")):
        if (folder / name).is_file():
            raise EncoderError(
                f"The text encoder folder `{folder}` has weights only as `{name}`, which "
                "transformers 5 can't read any more. Convert them once, in an environment with "
                "`transformers<5`: `from transformers import AutoModel; AutoModel.from_pretrained("
                f"'{folder}', {option}=True).save_pretrained('{folder}')`."
            )


def _check_size(path: Path) -> None:
    """Compare a weight file's size with what its header announces."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = _read_json(file.read(min(length, _LONGEST_HEADER)))
    if header is None:
        raise _damaged(path, f"has {size} bytes, which do not begin with a list of weights")
    announced = _LENGTH_BYTES + length + _end_of_weights(header)
    if size != announced:
        raise _damaged(path, f"has {size} bytes, but announces {announced}")


def _end_of_weights(header: Mapping[str, Any]) -> int:
    """Return the bytes of all weights together."""
    entries = [cast(Mapping[str, Any], entry) for entry in header.values()]
    return max((int(entry["data_offsets"][1]) for entry in entries if "data_offsets" in entry),
               default=0)  # fmt: skip


def _read_json(data: bytes) -> Mapping[str, Any] | None:
    """Return a JSON object; None for anything else."""
    try:
        value: object = json.loads(data)
    except ValueError:
        return None
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else None


def _damaged(path: Path, what: str) -> EncoderError:
    return EncoderError(
        f"The text encoder's file `{path}` is damaged: it {what}. "
        "Copy or download its folder again, or use `minilm`."
    )
