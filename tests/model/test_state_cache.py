from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from setgf.config import TextConfig
from setgf.model.encoder_files import digest_of
from setgf.model.state_cache import StateCache, Transcripts, kind_of
from setgf.model.text_encoder import TextEncoder, load_text_encoder
from tests.model.builders import make_batch
from tests.model.test_encoder_families import FAMILIES, save

BATCH = make_batch((4, 7, 2, 0), (1,) * 4, (1,) * 4)
CPU = torch.device("cpu")


def frozen(folder: Path, cache: Path | None) -> TextEncoder:
    encoder = load_text_encoder(TextConfig(encoder=str(folder), finetune=False), seed=0)
    if cache is not None:
        encoder.keep_states(cache)
    encoder.use_cache("train")
    return encoder


def encode(encoder: TextEncoder, rows: list[int] | None = None) -> Tensor:
    rows = rows or [0, 1, 2, 3]
    return encoder(
        BATCH.tokens[rows],
        BATCH.segments[rows],
        BATCH.text_lengths[rows],
        index=torch.tensor(rows),
    ).hidden


def watch(encoder: TextEncoder) -> list[int]:
    """Grows with every run of the transformer."""
    runs: list[int] = []
    bert: Any = encoder.transformer
    bert.embeddings.register_forward_hook(lambda *_: runs.append(1))
    return runs


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_another_run_takes_the_states_from_the_disk_and_they_are_the_same_to_the_bit(
    tiny_folder: Path, tmp_path: Path
) -> None:
    plain = encode(frozen(tiny_folder, None))
    first = encode(frozen(tiny_folder, tmp_path / "states"))
    second = frozen(tiny_folder, tmp_path / "states")
    runs = watch(second)

    again = encode(second)

    assert runs == []
    assert first.equal(plain)
    assert again.equal(plain)
    assert [path.suffix for path in files(tmp_path / "states")] == [".safetensors"]


def test_a_run_encodes_only_what_no_other_has_met(tiny_folder: Path, tmp_path: Path) -> None:
    plain = encode(frozen(tiny_folder, None))
    one, other = (frozen(tiny_folder, tmp_path / "states") for _ in range(2))
    encode(other, [2])  # both have looked at the folder now
    encode(one, [1])
    runs = watch(other)

    found = encode(other)

    assert len(runs) == 1  # row 0; 1 was made by the other run, 3 has no word piece
    assert found.equal(plain)


def test_equal_transcripts_are_kept_once_whatever_their_split_and_row(
    tiny_folder: Path, tmp_path: Path
) -> None:
    encoder = frozen(tiny_folder, tmp_path / "states")
    encode(encoder, [0, 1])
    runs = watch(encoder)
    encoder.use_cache("valid")

    encode(encoder, [1, 0])

    assert runs == []
    assert len(files(tmp_path / "states")) == 1


@pytest.mark.parametrize("damage", ["empty", "torn", "no tensors"])
def test_a_damaged_file_is_made_up_for(tiny_folder: Path, tmp_path: Path, damage: str) -> None:
    plain = encode(frozen(tiny_folder, tmp_path / "states"))
    (path,) = files(tmp_path / "states")
    content = path.read_bytes()
    wrong = {"empty": b"", "torn": content[:-5], "no tensors": b"\x02" + bytes(7) + b"{}"}
    path.write_bytes(wrong[damage])

    assert encode(frozen(tiny_folder, tmp_path / "states")).equal(plain)
    assert len(files(tmp_path / "states")) == 2


def test_a_folder_that_can_not_be_written_keeps_nothing_and_harms_nothing(
    tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "states").write_text("in the way")

    kept = encode(frozen(tiny_folder, tmp_path / "states"))

    assert kept.equal(encode(frozen(tiny_folder, None)))


def test_other_weights_are_another_kind(tiny_folder: Path, tmp_path: Path) -> None:
    encode(frozen(tiny_folder, tmp_path / "states"))
    before = digest_of(tiny_folder)
    weights = bytearray((tiny_folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1  # the exponent of the last number
    (tiny_folder / "model.safetensors").write_bytes(weights)

    changed = frozen(tiny_folder, tmp_path / "states")
    runs = watch(changed)
    encode(changed)

    assert digest_of(tiny_folder) != before
    assert len(runs) == 3
    assert len(list((tmp_path / "states").iterdir())) == 2


def test_whatever_changes_the_numbers_makes_another_kind() -> None:
    kinds = [kind_of("a", CPU, path="padded"), kind_of("b", CPU, path="padded")]
    kinds.append(kind_of("a", CPU, path="unpadded"))
    with torch.autocast("cpu", torch.bfloat16):
        kinds.append(kind_of("a", CPU, path="padded"))

    assert len(set(kinds)) == 4
    assert kind_of("a", CPU, path="padded") == kinds[0]


def test_word_pieces_and_segments_make_the_name_and_padding_does_not() -> None:
    tokens = torch.tensor([[5, 6, 9], [5, 6, 0], [6, 5, 0], [5, 6, 0]])
    segments = torch.tensor([[0, 0, 7], [0, 0, 0], [0, 0, 0], [0, 1, 0]])

    one, padded, turned, other = Transcripts(tokens, segments, torch.tensor([2] * 4)).names()

    assert one == padded
    assert len({one, turned, other}) == 3


def test_many_writers_at_once_leave_every_state_whole(tmp_path: Path) -> None:
    states = {f"{n:032x}": torch.full((3, 4), float(n)) for n in range(40)}
    names = list(states)

    def write(first: int) -> None:
        cache = StateCache(tmp_path)
        for shift in range(0, 40, 8):
            chosen = [names[(first + shift + n) % 40] for n in range(8)]
            cache.remember(chosen, lambda places, c=chosen: [states[c[p]] for p in places])

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 3, 17, 29)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    found = StateCache(tmp_path).remember(names, lambda places: pytest.fail(f"{places} are lost"))
    assert all(value.equal(states[name]) for name, value in zip(names, found, strict=True))
    assert not list(tmp_path.glob(".*"))


def test_random_and_trained_encoders_keep_nothing_on_the_disk(
    tiny_folder: Path, tmp_path: Path
) -> None:
    for config in (
        TextConfig(encoder="tiny", finetune=False),
        TextConfig(encoder=str(tiny_folder)),
    ):
        encoder = load_text_encoder(config, seed=0)
        encoder.keep_states(tmp_path / "states")
        encoder.use_cache("train")
        encode(encoder)

    assert not (tmp_path / "states").exists()


def test_states_of_half_precision_come_back_as_they_were(tmp_path: Path) -> None:
    made = torch.randn(3, 4).to(torch.bfloat16)
    StateCache(tmp_path).remember(["a" * 32], lambda _places: [made])

    (found,) = StateCache(tmp_path).remember(["a" * 32], lambda _places: pytest.fail("is lost"))

    assert found.dtype == torch.bfloat16
    assert found.equal(made)


def test_compiled_layers_make_another_kind(tmp_path: Path) -> None:
    folder = save("DistilBert", FAMILIES["DistilBert"], tmp_path / "bert")  # not run unpadded
    encode(frozen(folder, tmp_path / "states"))
    compiled = frozen(folder, tmp_path / "states")
    for layer in compiled.transformer.get_submodule("transformer.layer").children():
        layer._compiled_call_impl = layer._call_impl  # as `layer.compile()` would, but in no time

    encode(compiled)

    assert len(list((tmp_path / "states").iterdir())) == 2
