"""daemon.config.locate: the one file named, else the first of three places."""

from pathlib import Path

import pytest

from daemon.config.locate import config_home, find_config
from daemon.model.errors import ConfigError


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_file_named_by_hand_wins(tmp_path):
    env = {"MAILSYNCD_CONFIG": str(make(tmp_path / "env.toml"))}
    assert find_config(tmp_path / "hand.toml", env, home=tmp_path) == tmp_path / "hand.toml"


def test_variable_wins_over_the_usual_places_even_if_absent(tmp_path):
    """Another file taken in its place could belong to somebody else's mail."""
    make(tmp_path / ".config/mailsyncd/config.toml")
    env = {"MAILSYNCD_CONFIG": str(tmp_path / "absent.toml")}
    assert find_config(None, env, home=tmp_path) == tmp_path / "absent.toml"


def test_personal_file_wins_over_the_systems(tmp_path):
    system = make(tmp_path / "etc.toml")
    personal = make(tmp_path / "xdg/mailsyncd/config.toml")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_config(None, env, home=tmp_path, system_config=system) == personal


def test_systems_file_is_the_last(tmp_path):
    system = make(tmp_path / "etc.toml")
    assert find_config(None, {}, home=tmp_path, system_config=system) == system


def test_none_at_all_is_an_error(tmp_path):
    with pytest.raises(ConfigError):
        find_config(None, {"MAILSYNCD_CONFIG": ""}, home=tmp_path, system_config=tmp_path / "etc.toml")


@pytest.mark.parametrize("named", ["", "relative/dir"])
def test_config_home_unset_or_relative_is_the_default(tmp_path, named):
    assert config_home({"XDG_CONFIG_HOME": named}, tmp_path) == tmp_path / ".config"
