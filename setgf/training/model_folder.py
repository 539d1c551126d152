"""The folder of an exported model: everything that scoring needs, and nothing that runs code.

    README.md              the model's card
    model.json             settings, facts of the data, scaling, encoder, metrics (`FORMAT` 1)
    model.safetensors      the network's weights; without those an encoder brings unchanged
    tokenizer.json         or vocab.txt: the word pieces; absent where words are hashed
    encoder/               with `--with-encoder`: config.json and model.safetensors

`model.json` names size and SHA-256 of the other files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from setgf.config import ExperimentConfig, config_from_dict, override
from setgf.data.atomic_folder import hash_file
from setgf.data.normalise import Normaliser
from setgf.data.vocabulary import read_vocabulary
from setgf.errors import CheckpointError, ConfigError, DataError, EncoderError
from setgf.model.network import Network
from setgf.training.model_facts import ModelFacts, normaliser_from_plain
from setgf.training.session import hash_weights

FORMAT = 1
DESCRIPTION, WEIGHTS, CARD, ENCODER = "model.json", "model.safetensors", "README.md", "encoder"
TOKENIZERS = ("tokenizer.json", "vocab.txt")
_PREFIX = "text_encoder.transformer."


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderFacts:
    """The text encoder of an exported model."""

    name: str
    """As `text.encoder` names it."""
    revision: str | None
    """Commit of a model of the hub, or version of the package; None where there is none."""
    pooling: str
    """`first` or `mean`."""
    weights_sha256: str | None
    """Hash of the weights it brings unchanged; None where all are in the export's own file."""
    tokenizer_sha256: str | None
    """Hash of its tokenizer's file; None where it has no tokenizer."""
    is_included: bool
    """It is in the folder `encoder` of the export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What `model.json` says."""

    config: ExperimentConfig
    facts: ModelFacts
    normaliser: Normaliser | None
    encoder: EncoderFacts
    about: Mapping[str, Any]
    """Run, metrics and versions: plain JSON."""
    files: Mapping[str, Mapping[str, Any]]


def is_model_folder(folder: Path) -> bool:
    """Return whether a folder says that it holds an exported model."""
    return (folder / DESCRIPTION).is_file()


def read_description(folder: Path) -> Description:
    """Read what an exported model says of itself, and look whether its files are all there.

    Raises:
        DataError: there is no exported model, or a later setgf wrote it.
        CheckpointError: a file is missing or damaged.
    """
    path = folder / DESCRIPTION
    if not is_model_folder(folder):
        raise DataError(
            f"{folder} holds no exported model: it has no `{DESCRIPTION}`. Make one with "
            f"`setgf model export RUN {folder}`."
        )
    try:
        plain = cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
        if plain["format"] != FORMAT:
            raise DataError(
                f"The exported model {folder} has format {plain['format']}, but this setgf reads "
                f"format {FORMAT}. Use the setgf that wrote it, {plain['about']['setgf']}."
            )
        found = Description(
            config=config_from_dict(plain["config"], where=str(path)),
            facts=ModelFacts.from_plain(plain["facts"]),
            normaliser=normaliser_from_plain(plain["normaliser"]),
            encoder=EncoderFacts(**plain["encoder"]),
            about=plain["about"],
            files=plain["files"],
        )
        _check_files(folder, found.files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
        raise _damaged(folder, f"`{DESCRIPTION}` can't be read ({error})") from error
    return found


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of an exported model onto the CPU.

    Raises:
        CheckpointError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, f"`{WEIGHTS}` can't be read ({error})") from error


def config_to_build(folder: Path, found: Description, encoder: str | None) -> ExperimentConfig:
    """Return the settings a network is built by: those of the run, the encoder where it is now."""
    name = encoder or (str(folder / ENCODER) if found.encoder.is_included else found.encoder.name)
    return override(found.config, {"text.encoder": name, "text.pooling": found.encoder.pooling})


def find_tokenizer(folder: Path) -> Path | None:
    """Return the folder if it holds a tokenizer."""
    return folder if any((folder / name).is_file() for name in TOKENIZERS) else None


def check_encoder(folder: Path, found: Description, network: Network) -> None:
    """Refuse an encoder whose weights or word pieces are not those of training.

    Raises:
        EncoderError: they are others: every score would be another.
    """
    facts, own = found.encoder, network.text_encoder.tokenizer_folder
    wrong = None
    if facts.weights_sha256 not in (None, hash_outside(network)):
        wrong = "weights"
    if own is not None and facts.tokenizer_sha256 is not None and not facts.is_included:
        wrong = wrong or (
            "word pieces" if read_vocabulary(own).sha256 != facts.tokenizer_sha256 else None
        )
    if wrong is not None:
        revision = f", revision {facts.revision}," if facts.revision else ""
        raise EncoderError(
            f"The text encoder of the exported model {folder} has other {wrong} than the "
            f"`{facts.name}`{revision} it was trained with. Give the folder of that one, or export "
            "the model with `--with-encoder`."
        )


def outside_weights(network: Network) -> dict[str, Tensor]:
    """Return the encoder's weights that are in no state of the network: they never change."""
    state = network.state_dict().keys()
    inner = network.text_encoder.transformer.state_dict()
    return {name: value for name, value in inner.items() if _PREFIX + name not in state}


def hash_outside(network: Network) -> str | None:
    """Return the hash of the encoder's weights that never change; None where there are none."""
    found = outside_weights(network)
    return hash_weights(found) if found else None


def _check_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for name, facts in files.items():
        path = folder / name
        if not path.is_file():
            raise _damaged(folder, f"`{name}` is not there")
        if name == CARD:  # a person may write into the card
            continue
        if path.stat().st_size != facts["size"] or hash_file(path) != facts["sha256"]:
            raise _damaged(folder, f"`{name}` does not have the hash in `{DESCRIPTION}`")


def _damaged(folder: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"The exported model {folder} is damaged: {what}. Copy it again, or export it anew with "
        "`setgf model export`."
    )
