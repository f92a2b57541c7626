"""daemon.config.places: paths, commands and addresses of this machine."""

from pathlib import Path

import pytest

from daemon.config.places import Surroundings, read_command, read_listen, read_path
from daemon.config.values import Unfit

HERE = Surroundings(
    directory=Path("/etc/mailsyncd"), home=Path("/home/me"), env={"XDG_DATA_HOME": "/data", "HOME": "/wrong"}
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/abs/./x/", "/abs/x"),
        ("rel/x", "/etc/mailsyncd/rel/x"),
        ("../x", "/etc/x"),
        ("~", "/home/me"),
        ("~/Mail", "/home/me/Mail"),
        ("$XDG_DATA_HOME/m", "/data/m"),
        ("${XDG_DATA_HOME}/m", "/data/m"),
        ("$XDG_CONFIG_HOME/m", "/home/me/.config/m"),
        ("$XDG_STATE_HOME/m", "/home/me/.local/state/m"),
        ("$XDG_CACHE_HOME/m", "/home/me/.cache/m"),
        ("/a~b", "/a~b"),
    ],
)
def test_paths_are_expanded_and_absolute(text, path):
    assert read_path(text, HERE) == Path(path)


@pytest.mark.parametrize("text", ["~other/x", "$HOME/x", "$XDG_RUNTIME_DIR/x", "", "a\x00b", 3])
def test_paths_that_cannot_be_resolved_are_refused(text):
    with pytest.raises(Unfit):
        read_path(text, HERE)


def test_command_is_a_list_whose_program_may_be_at_home():
    assert read_command(["~/bin/pw", "~/x", "$HOME"], HERE) == ("/home/me/bin/pw", "~/x", "$HOME")
    assert read_command(["pass", "show"], HERE) == ("pass", "show")


@pytest.mark.parametrize("value", ["pass show mail", [], [""], [3]])
def test_command_that_is_no_argument_list_is_refused(value):
    with pytest.raises(Unfit):
        read_command(value, HERE)


def test_listen_addresses_are_taken_and_socket_paths_made_absolute():
    assert read_listen(["127.0.0.1:8420", "[::1]:8420", "unix:api.sock"], HERE) == (
        "127.0.0.1:8420",
        "[::1]:8420",
        "unix:/etc/mailsyncd/api.sock",
    )
    assert read_listen([], HERE) == ()


@pytest.mark.parametrize(
    "value",
    [
        "127.0.0.1:8420",
        [":8420"],
        ["*:8420"],
        ["[::1]:1", "[::1]:1"],
        ["mail.example:1"],
        ["[127.0.0.1]:1"],
        ["unix:/" + "x" * 107],
        ["a b:1"],
        [1],
    ],
)
def test_listen_addresses_that_cannot_be_bound_are_refused(value):
    with pytest.raises(Unfit):
        read_listen(value, HERE)
