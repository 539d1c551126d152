import math

from setgf.analysis.display import show_mean, show_setting, show_value


def test_accuracies_are_in_percent_and_errors_as_they_are():
    assert show_value("acc7", 0.45678) == "45.68"
    assert show_value("test.f1_non0", 0.5) == "50.00"
    assert show_value("mae", 0.98349) == "0.983"
    assert show_value("test.text.corr", -0.1) == "-0.100"


def test_what_is_undefined_or_missing_is_said():
    assert show_value("corr", math.nan) == "undefined"
    assert show_value("corr", None) == "-"


def test_a_mean_has_its_deviation_when_there_is_one():
    assert show_mean("acc7", 0.45, 0.0126) == "45.00 ± 1.26"
    assert show_mean("mae", 0.7, None) == "0.700"
    assert show_mean("corr", math.nan, math.nan) == "undefined"


def test_values_are_shown_as_they_are_typed():
    shown = [show_setting(value) for value in (0.0005, True, ["text", "audio"], 3, "fixed")]

    assert shown == ["0.0005", "true", "text,audio", "3", "fixed"]
