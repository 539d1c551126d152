"""The label files of MOSI and CH-SIMS by themselves: imported and trained on, as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.user import User, check_refusal

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels"
pytestmark = [
    pytest.mark.long,
    pytest.mark.shared,
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(not LABELS.exists(), reason=f"the real data is not at {LABELS}"),
]


@pytest.mark.parametrize(("name", "model"), [("mosi", "text_only"), ("sims", "setgf")])
def test_training_runs_on_a_label_file_alone(tmp_path: Path, name: str, model: str) -> None:
    user = User(tmp_path / "home")
    user.must("data", "import", LABELS / f"{name}_label.csv", "--name", name)
    small = ("--set", "text.encoder=tiny", "--set", "max_epochs=1", "--set", "batch_size=256")

    trained = user.must("train", "--data", name, "--model", model, *small, "--json").json
    asked = user.run("train", "--data", name, "--set", "data.modalities=text,vision", *small)

    assert 0 < trained["metrics"]["test.mae"] < 2
    check_refusal(asked, 2, "names vision", f"the feature store `{name}` has only text")
