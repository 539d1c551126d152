"""Settings by name: read, replaced, refused with the nearest name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setgf.config import (
    ExperimentConfig,
    build_config,
    config_from_dict,
    describe_settings,
    full_name,
    override,
    parse_assignments,
    parse_seeds,
    preset_names,
    setting_names,
)
from setgf.errors import ConfigError
from setgf.terms import Dataset


def test_a_bare_name_stands_for_the_only_setting_of_that_name():
    assert full_name("max_epochs") == "train.max_epochs"
    assert full_name("optim.lr") == "optim.lr"


def test_an_ambiguous_bare_name_is_refused_with_both_meanings():
    with pytest.raises(ConfigError, match=r"`data\.name` and `model\.name`"):
        full_name("name")


def test_an_unknown_setting_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"Did you mean `optim\.clip_norm`\?"):
        override(ExperimentConfig(), {"optim.clip_nrm": 1})


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        override(ExperimentConfig(), {"max_epochz": 1, "optim.lr": "fast", "seed": "1.5"})

    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"max_epochs": 0}, r"`train\.max_epochs` must be 1 or more, but is 0\."),
        ({"optim.lr": "-1"}, r"`optim\.lr` must be above 0, but is -1\.0\."),
        ({"optim.lr": "nan"}, r"`optim\.lr` must be above 0, but is nan\."),
        ({"text.dropout": "2"}, r"`text\.dropout` must be between 0 and 1, but is 2\.0\."),
        ({"data.normalise": "maybe"}, r"`data\.normalise` must be true or false, but is 'maybe'\."),
        ({"labels.mode": "magic"}, r"`labels\.mode` must be one of fixed, reference, human, "),
        ({"loss.tasks": "text,smell"}, r"`loss\.tasks` must name text, audio or vision"),
        ({"data.modalities": ""}, r"`data\.modalities` must name at least one"),
        ({"model.width": 100}, r"`model\.width` must be a multiple of `model\.heads` \(8\)"),
        ({"train.monitor": "luck"}, r"`train\.monitor` must be one of mae, "),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        override(ExperimentConfig(), settings)


def test_text_is_read_as_the_type_of_the_setting():
    config = override(
        ExperimentConfig(),
        {"data.normalise": "no", "optim.lr": "1e-3", "loss.tasks": "text, audio", "seed": "7"},
    )

    assert config.data.normalise is False
    assert config.optim.lr == 1e-3
    assert config.loss.tasks == ("text", "audio")
    assert config.seed == 7


def test_a_config_survives_json():
    config = build_config(dataset=Dataset.SIMS, settings={"data.name": "a", "seed": 3})

    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_seeds_share_a_variant_but_not_a_fingerprint():
    one, two = (override(ExperimentConfig(), {"seed": seed}) for seed in (1, 2))

    assert one.variant == two.variant
    assert one.fingerprint != two.fingerprint


@given(st.sampled_from(setting_names()))
def test_every_setting_has_a_sentence_and_reads_its_own_default(name):
    default, sentence = describe_settings()[name]

    assert sentence.endswith(".")
    assert override(ExperimentConfig(), {name: default}) == ExperimentConfig()


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_builds(preset):
    assert build_config(dataset=Dataset.MOSI, preset=preset, settings={}).fingerprint


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"Known presets: .*mosi"):
        build_config(dataset=Dataset.MOSI, preset="mosii", settings={})


def test_a_settings_file_that_is_not_toml_is_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("optim = [")

    with pytest.raises(ConfigError, match=r"mine\.toml is not TOML"):
        build_config(dataset=Dataset.MOSI, preset=str(file), settings={})


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("1111", (1111,)), ("1,5", (1, 5)), ("1111-1113", (1111, 1112, 1113)), ("1-2,9", (1, 2, 9))],
)
def test_seeds_are_numbers_lists_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "1-"])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(ConfigError, match=r"[Ss]eed"):
        parse_seeds(text)


def test_an_assignment_without_equals_is_refused_with_an_example():
    with pytest.raises(ConfigError, match="for example `max_epochs=20`"):
        parse_assignments(["max_epochs"])


def test_settings_that_came_later_leave_fingerprints_as_they_were():
    before = "291caee6a365", "f0090a9e8d9d"  # of 0.1.0's defaults
    config = ExperimentConfig()

    assert (config.fingerprint, config.variant) == before
    for name, value in (
        ("data.audio_features", "0-3"),
        ("data.vision_features", "1"),
        ("data.normalise_modalities", "audio"),
        ("data.keep_mib", 0),
        ("text.train_layers", 2),
        ("text.lora_rank", 8),
    ):
        changed = override(config, {name: value})
        assert changed.fingerprint != config.fingerprint
        assert changed.to_dict() == config_from_dict(changed.to_dict()).to_dict()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"audio_features": "0-x"}, r"numbers and ranges like 0-11,20, but `0-x` is neither"),
        ({"vision_features": "9-3"}, r"the range `9-3` runs backwards"),
        ({"audio_features": "1,0-3"}, r"a feature is named twice"),
        ({"normalise_modalities": "text"}, r"must name audio, vision or both, but names text"),
        ({"normalise_modalities": ""}, r"`data\.normalise=false` scales none"),
        ({"keep_mib": -1}, r"`data\.keep_mib` must be 0 or more"),
    ],
)
def test_features_and_scaling_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        override(ExperimentConfig(), settings)


@pytest.mark.parametrize("name", ["text.train_layers", "text.lora_rank"])
def test_a_part_to_train_of_an_encoder_that_is_not_trained_is_refused(name):
    with pytest.raises(ConfigError, match=f"`{name}` is 2, but `text.finetune` is false"):
        override(ExperimentConfig(), {name: 2, "text.finetune": False})
