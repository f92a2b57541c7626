"""Where the config file is: the one named, else the first of three places.

A file that is named, by hand or by `$MAILSYNCD_CONFIG`, must exist: another one taken silently in its place could
belong to somebody else's mail.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daemon.model.errors import ConfigError, ConfigProblem

CONFIG_VARIABLE: Final = "MAILSYNCD_CONFIG"
SYSTEM_CONFIG: Final = Path("/etc/mailsyncd/config.toml")


def find_config(
    path: Path | None, env: Mapping[str, str], *, home: Path, system_config: Path = SYSTEM_CONFIG
) -> Path:
    """The config file to read, absolute.

    Raises:
        ConfigError: No file in any of the three places, all of which the error names.
    """
    if path is not None:
        return path.absolute()
    named = env.get(CONFIG_VARIABLE, "")
    if named:
        return Path(named).absolute()
    personal = config_home(env, home) / "mailsyncd" / "config.toml"
    for candidate in (personal, system_config):
        if _stands(candidate):
            return candidate
    problem = f"no config file: ${CONFIG_VARIABLE} is not set, {personal} and {system_config} do not exist"
    remedy = f"copy config.example.toml to {personal} and edit it, or name a file with --config"
    raise ConfigError((ConfigProblem(None, "config", problem, remedy),))


def config_home(env: Mapping[str, str], home: Path) -> Path:
    """`$XDG_CONFIG_HOME`, or `~/.config` where it is unset or relative (XDG Base Directory Specification)."""
    named = env.get("XDG_CONFIG_HOME", "")
    return Path(named) if named.startswith("/") else home / ".config"


def _stands(path: Path) -> bool:
    """Whether something lies there; a place we may not look into counts, so that reading it names the reason."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
