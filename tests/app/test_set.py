"""What the command `set` takes for a setting."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from flink_ol.app.errors import UsageError
from flink_ol.app.main import app
from flink_ol.app.set_command import parsed


def test_settings_are_numbers_by_name() -> None:
    read = parsed(["optimizer.learning_rate=5e-3", "optimizer.warm_up=100", "model.clip_norm=null"])
    assert read == {
        "optimizer.learning_rate": 0.005,
        "optimizer.warm_up": 100,
        "model.clip_norm": None,
    }
    assert parsed(["optimizer.feature_learning_rates.a.b=1"]) == {
        "optimizer.feature_learning_rates.a.b": 1
    }


@pytest.mark.parametrize(
    "setting",
    ["model.l2", "model.l2=", "=1", "model.l2=much", 'model.l2="1"', "model.l2=true", "a=[1]"],
)
def test_what_is_no_number_is_a_wrong_call(setting: str) -> None:
    with pytest.raises(UsageError, match="give NAME=VALUE with a number"):
        parsed([setting])


def test_a_setting_given_twice_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match=r"model\.l2 is given twice"):
        parsed(["model.l2=1", "model.l2=2"])


def test_a_wrong_setting_is_told_before_anything_is_read_or_sent() -> None:
    result = CliRunner().invoke(app, ["set", "absent.yaml", "model.l2=much"])
    assert result.exit_code == 2
    assert "give NAME=VALUE" in result.stderr
