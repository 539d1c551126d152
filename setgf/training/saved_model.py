"""A trained model that scores: from a run, or from a folder that `setgf model export` wrote.

    >>> from setgf.training.saved_model import load
    >>> model = load("exports/mosi")
    >>> found = model.predict(["I loved every minute of it.", "A waste of time."])
    >>> found.fusion.shape, len(found.classes(3)), sorted(map(str, found.scores))[-1]
    ((2,), 2, 'vision')

`found.scores["audio"]` is the score of a branch, `found.rows()` gives plain data of every sample.
Frames are given as `model.predict(texts, audio=[array_of_T_by_D, ...], vision=[...])`.

Shapes: N samples, T frames of one sample, D width of a frame as the training data has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from setgf.config import ExperimentConfig
from setgf.data.batch import BatchSource, DataFacts, make_batches
from setgf.data.normalise import Normaliser
from setgf.data.ragged import Array
from setgf.data.sample_file import Samples
from setgf.data.split_data import SplitData
from setgf.data.tokens import Tokens, installed_tokenizer, tokenise
from setgf.data.vocabulary import ENGLISH_VOCABULARY
from setgf.errors import CheckpointError, DataError, EncoderError
from setgf.model.network import Network, build_network
from setgf.terms import Dataset, Modality, Split
from setgf.training.calibration import Calibration, calibration_of
from setgf.training.drop import drop
from setgf.training.evaluate import evaluate
from setgf.training.model_facts import ModelFacts
from setgf.training.model_folder import (
    WEIGHTS,
    check_encoder,
    config_to_build,
    find_tokenizer,
    read_description,
    read_weights,
)
from setgf.training.own_samples import (
    chosen_columns,
    find_present,
    find_warnings,
    fit_widths,
    lay_out,
    token_warnings,
)
from setgf.training.predictions import Predictions
from setgf.training.session import number_format
from setgf.training.setup import choose_device


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedModel:
    """A network with its best weights, and all it needs to score samples."""

    config: ExperimentConfig
    facts: ModelFacts
    normaliser: Normaliser | None
    """Of the training data."""
    network: Network
    device: torch.device
    tokenizer_folder: Path | None
    """The encoder's own tokenizer; None where it has none."""
    spare_tokenizer: Path | None = None
    """Tokenizer of the training data's own word pieces, where the encoder has none."""
    calibration: Calibration | None = None
    """Fitted on validation, where the run was asked to: a score of its own beside the plain one."""
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Which run it is from, what was measured: plain JSON."""

    def precision(self) -> torch.autocast:
        """Return the number format of matrix products, as a context."""
        return number_format(self.config.train, self.device)

    def tell_batch(self) -> None:
        """Do nothing: nobody watches."""

    def predict(
        self,
        transcripts: Sequence[str],
        *,
        audio: Sequence[Array | None] | None = None,
        vision: Sequence[Array | None] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Score samples by what was said, and by frames where there are some.

        Args:
            transcripts: N texts.
            audio: (T, D) of every sample, as the training data has them, before any scaling; None
                for a sample without; None altogether where no sample has any.
            vision: the same.
            ids: names of the samples; None numbers them.

        Raises:
            DataError: a sample has nothing to score, or frames are not of the training data's kind.
            EncoderError: text can't be tokenised as it was in training.
        """
        frames = {Modality.AUDIO: audio, Modality.VISION: vision}
        return self.predict_samples(lay_out(self.facts, transcripts, frames=frames, ids=ids))

    def predict_samples(self, samples: Samples, *, vocabulary: str | None = None) -> Predictions:
        """Score samples of a file (`setgf.data.sample_file`) or of a store.

        Args:
            samples: their labels are not looked at.
            vocabulary: of their own word pieces; None for that of the training data.

        Raises:
            DataError: a sample has nothing to score, or frames are not of the training data's kind.
            EncoderError: text can't be tokenised as it was in training.
        """
        settings = self.config.data
        data = fit_widths(samples.data, self.facts, settings)
        present = find_present(data, settings)
        source = self.batches(data, vocabulary=vocabulary)
        lost = ~present[Modality.TEXT]
        evaluation = evaluate(
            self, drop(source, {Modality.TEXT: lost}), Split.TEST, keep_states=False
        )
        warnings = (
            *samples.remarks,
            *token_warnings(source.token_facts, settings),
            *find_warnings(data, present, settings, self.normaliser),
        )
        return Predictions(
            dataset=Dataset(self.facts.data.dataset),
            ids=data.ids,
            transcripts=data.transcripts,
            scores=evaluation.scores,
            logits=evaluation.logits,
            present=present,
            calibrated=None if self.calibration is None else self.calibration.apply(evaluation),
            warnings=warnings,
        )

    def batches(
        self, data: SplitData, *, vocabulary: str | None = None, cache: Path | None = None
    ) -> BatchSource:
        """Return batches of samples, prepared as the training data was.

        Args:
            data: the samples.
            vocabulary: of their own word pieces; None for that of the training data.
            cache: folder that keeps what was tokenised.

        Raises:
            DataError: frames or word pieces are not of the training data's kind.
            EncoderError: text can't be tokenised as it was in training.
        """
        return make_batches(
            fit_widths(data, self.facts, self.config.data),
            self.config.data,
            tokens=self._tokenise(data, vocabulary or self.facts.vocabulary, cache),
            facts=self.facts.data,
            columns=chosen_columns(self.config.data),
            normaliser=self.normaliser,
            device=self.device,
        )

    def _tokenise(self, data: SplitData, vocabulary: str, cache: Path | None) -> Tokens:
        folder, facts = self.tokenizer_folder, self.facts
        if folder is None and data.tokens is not None and vocabulary != facts.vocabulary:
            raise DataError(
                f"The data's word pieces are those of `{vocabulary}`, but the model was trained on "
                f"those of `{facts.vocabulary}`, and its text encoder has no tokenizer. Import "
                "data with the same word pieces."
            )
        if folder is None and data.tokens is None and facts.has_tokens:
            folder = self._find_spare_tokenizer()
        return tokenise(
            data,
            folder,
            max_tokens=self.config.data.max_tokens,
            vocabulary=vocabulary,
            cache=cache,
        )

    def _find_spare_tokenizer(self) -> Path:
        """Return the tokenizer of the word pieces the training data came with."""
        found = self.spare_tokenizer
        if found is None and self.facts.vocabulary == ENGLISH_VOCABULARY:
            found = installed_tokenizer()
        if found is None:
            raise EncoderError(
                f"Text can't be tokenised: the text encoder `{self.config.text.encoder}` has no "
                f"tokenizer, and that of `{self.facts.vocabulary}`, whose word pieces the training "
                "data came with, is not installed. Train with an encoder that has a tokenizer."
            )
        return found


def restore_network(
    config: ExperimentConfig, facts: DataFacts, weights: Mapping[str, Tensor], where: Path
) -> Network:
    """Return a network with weights that were stored; torch's random state stays as it was.

    Args:
        config: the experiment.
        facts: of its data.
        weights: by name; those of a frozen text encoder come from the encoder.
        where: the weights are from, for errors.

    Raises:
        CheckpointError: the weights are not those of the experiment's network.
        EncoderError: the text encoder can't be found or loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(config, facts)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"The weights in {where} are not those of a `{config.model.name}` as this setgf builds "
            f"it: {' '.join(str(error).split())[:300]}. Use the setgf that trained it."
        ) from error
    return network.eval()


def load(
    folder: str | Path,
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    encoder: str | None = None,
) -> SavedModel:
    """Return the model that `setgf model export` wrote into a folder.

    Neither the feature store nor the run database is needed; of the text encoder only what the
    export does not hold.

    Args:
        folder: of the export.
        device: `auto` takes a GPU where there is one.
        encoder: folder of the text encoder, where it is not found by its name.

    Raises:
        DataError: there is no exported model, or a later setgf wrote it.
        CheckpointError: a file is missing or damaged.
        EncoderError: the text encoder can't be found, or is another one than in training.
        ConfigError: `cuda` where there is none.
    """
    place = Path(folder)
    found = read_description(place)
    settings = config_to_build(place, found, encoder)
    weights = read_weights(place)
    network = restore_network(settings, found.facts.data, weights, place / WEIGHTS)
    check_encoder(place, found, network)
    used = choose_device(device)
    tokenizer = find_tokenizer(place)
    has_own = network.text_encoder.tokenizer_folder is not None
    return SavedModel(
        config=found.config,
        facts=found.facts,
        normaliser=found.normaliser,
        network=network.to(used),
        device=used,
        tokenizer_folder=tokenizer if has_own else None,
        spare_tokenizer=None if has_own else tokenizer,
        calibration=calibration_of(found.about["metrics"]),
        about=found.about,
    )
