"""Settings out of one TOML file (https://toml.io/en/v1.0.0), with every problem in it at once.

Never asks the network, never creates a file, never shows the value of a password key.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daemon.config import rules, tables, values
from daemon.config.accounts import ReadAccount, read_account
from daemon.config.locate import find_config
from daemon.config.places import Surroundings
from daemon.config.tables import Findings
from daemon.model.errors import ConfigError, ConfigProblem
from daemon.model.settings import ApiSettings, Settings, StoreSettings

MOST_BYTES: Final = 4 * 1024 * 1024  # thousands of accounts; what is larger is not a config file

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def load_settings(path: Path | None, env: Mapping[str, str], *, home: Path | None = None) -> Settings:
    """The settings of the config file at `path`, or of the first one found where the contract says.

    Args:
        path: The file named by the user; None to look for it.
        env: The environment: `$MAILSYNCD_CONFIG`, `$XDG_…` and `$HOME` are read.
        home: What `~` means; `$HOME` by default.

    Raises:
        ConfigError: With every problem of the file, in its order.
    """
    home = home or Path(env.get("HOME") or Path.home())
    file = find_config(path, env, home=home)
    text, mode = _read_file(file)
    document = _parse(text, file)
    around = Surroundings(directory=file.parent, home=home, env=env)
    findings = Findings(file, document)

    for name in document:
        if name not in tables.TOP_TABLES:
            findings.add((name,), *tables.unknown_key(name, tables.TOP_TABLES))
    store = _read_store(document, around, findings)
    api = _read_api(document, around, findings)
    read = _read_accounts(document, around, findings)
    rules.check_trees(store, read, findings)
    accounts = tuple(one.settings for one in read if one.settings is not None)

    problems = findings.in_order()
    if problems or store is None or api is None:
        raise ConfigError(problems)
    return Settings(
        source=file,
        store=store,
        api=api,
        accounts=accounts,
        warnings=rules.warnings_of(file, mode, accounts),
    )


def _read_file(file: Path) -> tuple[str, int]:
    """The file's text and mode."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            octets = stream.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise _file_error(
            file, "does not exist", "correct the path, or create it from config.example.toml"
        ) from error
    except OSError as error:
        remedy = "name a file that this user may read"
        raise _file_error(file, f"cannot be read: {os.strerror(error.errno or 0)}", remedy) from error
    if len(octets) > MOST_BYTES:
        raise _file_error(file, f"is larger than {MOST_BYTES} bytes", "name the config file itself")
    try:
        return octets.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _file_error(file, f"line {line} is not UTF-8", "save the file as UTF-8") from error


def _parse(text: str, file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error)
        place = _PLACE.search(said)
        if place is None:
            where = "somewhere"
        elif place[1] is None:
            where = "at its end"
        else:
            where = f"line {place[1]}, column {place[2]}"
        what = said[: place.start()] if place else type(error).__name__
        raise _file_error(file, f"{where}: no valid TOML: {what}", "correct this line first") from error


def _file_error(file: Path, problem: str, remedy: str) -> ConfigError:
    return ConfigError((ConfigProblem(file, "config", problem, remedy),))


def _table(document: Mapping[str, object], name: str, findings: Findings) -> dict[str, object] | None:
    """The top-level table of that name, empty where absent; None with a finding where it is something else."""
    table = document.get(name, {})
    if isinstance(table, dict):
        return table
    findings.add((name,), f"is {values.kind_of(table)}", f"write it as a table [{name}]")
    return None


def _read_store(
    document: Mapping[str, object], around: Surroundings, findings: Findings
) -> StoreSettings | None:
    table = _table(document, "store", findings)
    if table is None:
        return None
    found = tables.read_table(table, ("store",), tables.STORE_KEYS, around, findings)
    if "path" not in table:
        findings.add(("store", "path"), "is missing", f"add it: {tables.STORE_KEYS['path'].form}")
    if "path" not in found:
        return None
    store = tables.validated(StoreSettings, found, ("store",), tables.STORE_KEYS, findings)
    if store is not None:
        rules.check_group(store, findings)
    return store


def _read_api(document: Mapping[str, object], around: Surroundings, findings: Findings) -> ApiSettings | None:
    table = _table(document, "api", findings)
    if table is None:
        return None
    found = tables.read_table(table, ("api",), tables.API_KEYS, around, findings)
    api = tables.validated(ApiSettings, found, ("api",), tables.API_KEYS, findings)
    if api is not None and not rules.API_KEYS_JUDGED_TOGETHER & (set(table) - set(found)):
        rules.check_api(api, findings)
    return api


def _read_accounts(
    document: Mapping[str, object], around: Surroundings, findings: Findings
) -> tuple[ReadAccount, ...]:
    table = _table(document, "accounts", findings) or {}
    return tuple(read_account(name, value, around, findings) for name, value in table.items())
