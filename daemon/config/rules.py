"""Rules between tables: no two accounts share a tree, nothing is open to other machines in clear, and the warnings."""

import grp
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from daemon.config import values
from daemon.config.accounts import ReadAccount, password_key_of
from daemon.config.tables import Findings
from daemon.model.settings import AccountSettings, ApiSettings, StoreSettings

API_KEYS_JUDGED_TOGETHER: Final = frozenset(
    {"listen", "tls_cert", "tls_key", "behind_proxy", "trusted_proxies"}
)
"""While one of these cannot be read, a default in its place must not be judged."""


def tree_of(store: StoreSettings, account: AccountSettings) -> Path:
    """The root of the account's Maildir tree."""
    return account.maildir or store.path / "mail" / account.id


def check_group(store: StoreSettings, findings: Findings) -> None:
    """The group that may read the mail must be one of this machine's."""
    if store.group is None:
        return
    try:
        grp.getgrnam(store.group)
    except KeyError:
        findings.add(
            ("store", "group"), f'no group "{store.group}" on this machine', "create it or name another"
        )


def check_api(api: ApiSettings, findings: Findings) -> None:
    """Beyond loopback only under TLS; certificate and key together; a trusted proxy has an address."""
    if (api.tls_cert is None) != (api.tls_key is None):
        there, missing = ("tls_cert", "tls_key") if api.tls_key is None else ("tls_key", "tls_cert")
        findings.add(("api", there), f"stands without {missing}", "set both or neither")
    elif api.tls_cert is None:
        for text in api.listen:
            if not text.startswith("unix:") and not values.is_loopback(values.split_listen(text)[0]):
                findings.add(
                    ("api", "listen"),
                    f'"{text}" can be reached from other machines in clear',
                    "set tls_cert and tls_key, or listen on 127.0.0.1",
                )
    if api.behind_proxy and not api.trusted_proxies:
        findings.add(
            ("api", "behind_proxy"),
            "no proxy is trusted",
            'name its addresses: trusted_proxies = ["127.0.0.1"]',
        )
    if api.trusted_proxies and not api.behind_proxy:
        findings.add(
            ("api", "trusted_proxies"), "behind_proxy is not set", "set behind_proxy = true, or remove it"
        )


def check_trees(store: StoreSettings | None, accounts: Sequence[ReadAccount], findings: Findings) -> None:
    """No tree is, holds or lies in another's, and none holds the store's own files.

    Links are followed, so that two names of one directory are seen as one.
    """
    home = _real(store.path) if store else None
    roots: dict[str, Path] = {}
    for account in accounts:
        if not account.is_placed:
            continue
        key = ("accounts", account.id, "maildir")
        if account.maildir is not None:
            root = _real(account.maildir)
        elif home is not None:
            root = home / "mail" / account.id
        else:
            continue
        for other, other_root in roots.items():
            if root == other_root:
                findings.add(key, f"is also the maildir of {other}", "give each account its own directory")
            elif root in other_root.parents or other_root in root.parents:
                problem = f"and the maildir of {other} lie one in the other"
                findings.add(key, problem, "give each account its own directory")
        roots[account.id] = root
        if home is None or account.maildir is None:
            continue
        mail = home / "mail"
        if root == home or root in home.parents:
            findings.add(key, "holds the store itself", "choose a directory outside of store.path")
        elif (root == mail or mail in root.parents) and root != mail / account.id:
            findings.add(
                key, "lies where other accounts' mail is kept", "leave the key out, or choose another place"
            )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def warnings_of(file: Path, mode: int, accounts: Sequence[AccountSettings]) -> tuple[str, ...]:
    """What works and should be done better, one sentence each; `mode` is the config file's."""
    found: list[str] = []
    for account in accounts:
        key = password_key_of(account)
        where = f"{file}: accounts.{account.id}.{key}"
        better = "password_command, password_file or password_credential keep it apart"
        if key == "password":
            found.append(f"{where}: the password stands in the config file; {better}")
        elif key == "password_env":
            found.append(f"{where}: other programs of the same user can read the environment; {better}")
    if mode & (stat.S_IRGRP | stat.S_IROTH) and any(password_key_of(a) == "password" for a in accounts):
        found.append(f"{file}: others can read this file and the passwords in it; chmod 600 {file}")
    return tuple(found)
