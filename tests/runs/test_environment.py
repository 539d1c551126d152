"""What is kept of a run's surroundings: never a secret, whatever it is called."""

from __future__ import annotations

import json

import pytest

from setgf.runs.environment import command_line, describe_environment, without_passwords

SECRET = "hunter2"
HOSTILE = {
    "SETGF_DATABASE_URL": f"postgresql://ada:{SECRET}@host/runs",
    "SETGF_TOKEN": SECRET,
    "SETGF_HOME_PASSWORD": SECRET,
    "OMP_API_KEY": SECRET,
    "CUDA_SECRET": SECRET,
    "CUBLAS_TOKEN": SECRET,
    "HF_TOKEN": SECRET,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "PGPASSWORD": SECRET,
    f"OMP_{SECRET}": "1",
    "SETGF_HOME": f"https://ada:{SECRET}@host/home",
    "OMP_NUM_THREADS": "1",
}


def test_no_variable_brings_a_secret_in_by_its_name_or_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)

    described = describe_environment()

    assert SECRET not in json.dumps(described)
    assert described["variables"]["SETGF_HOME"] == "https://ada:***@host/home"
    assert described["variables"]["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{SECRET}@host/runs",
        f"postgresql+psycopg://ada:{SECRET}@host:5432/runs?sslmode=require",
        f"postgresql://ada:{SECRET}@{SECRET}@host/runs",
        f"postgresql://ada:{SECRET}/{SECRET}@host/runs",
        f"postgresql://:{SECRET}@host/runs",
        f"postgresql://ada@host/runs?password={SECRET}&sslpassword={SECRET}",
        f"https://host/hook?access_token={SECRET}",
    ],
)
def test_a_command_line_is_kept_without_its_passwords(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr("sys.argv", ["setgf", "--db", url, f"--db={url}", "train", "--seed", "1"])

    words = command_line()

    assert SECRET not in " ".join(words)
    assert words[:2] == ("setgf", "--db")
    assert words[-3:] == ("train", "--seed", "1")
    assert "host" in words[2]


@pytest.mark.parametrize(
    "text", ["sqlite:////users/ada/setgf.db", "--set", "name=a:b@c", "http://host:80/x", "a://b"]
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert without_passwords(text) == text
