"""An account's password, from the one source that its settings name.

Read anew at each login, so that a changed secret counts at the next one. No error tells anything of what was read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from daemon.credentials import command, files
from daemon.model.errors import CredentialUnavailable
from daemon.model.secret import Secret
from daemon.model.settings import AccountSettings, PasswordSource

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"  # systemd.exec(5), LoadCredential=


async def read_password(settings: AccountSettings, env: Mapping[str, str] = os.environ) -> Secret:
    """The password, without the end of its line.

    Of a command, file or credential it is the first line.

    Raises:
        CredentialUnavailable: The source gave nothing usable; `.remedy` says what to do. Worth another try later.
    Cancellation:
        Safe. A command that is running is killed with its children.
    """
    source = settings.password
    octets = await _read(source, env)
    if source.literal is None and source.env is None:
        octets = octets.split(b"\n", 1)[0]
    return Secret(_as_text(octets.rstrip(b"\r\n"), source))


async def _read(source: PasswordSource, env: Mapping[str, str]) -> bytes:
    if source.command is not None:
        return await command.read_output(source.command, env)
    if source.file is not None:
        return await files.read_private(source.file)
    if source.credential is not None:
        return await files.read_private(_credential_path(source.credential, env), is_guarded=True)
    if source.env is not None:
        if source.env not in env:
            raise CredentialUnavailable(
                f"the environment variable {source.env} is not set",
                remedy="set it where the service is started, or name another source of the password",
            )
        return os.fsencode(env[source.env])
    return (source.literal or "").encode()


def _credential_path(name: str, env: Mapping[str, str]) -> Path:
    directory = env.get(CREDENTIALS_VARIABLE, "")
    if not directory:
        raise CredentialUnavailable(
            f"credential {name}: the service was started without credentials",
            remedy=f"add LoadCredential={name}:/path to the unit, or name another source of the password",
        )
    return Path(directory) / name


def _as_text(octets: bytes, source: PasswordSource) -> str:
    [kind] = source.model_dump(exclude_none=True)
    if not octets:
        raise CredentialUnavailable(
            f"the password's source ({kind}) gave nothing", remedy="put the password on its first line"
        )
    if b"\0" in octets:  # neither LOGIN nor SASL PLAIN can carry it (RFC 4616 §2)
        raise CredentialUnavailable(
            f"the password's source ({kind}) has a NUL in it", remedy="choose a password without it"
        )
    try:
        return octets.decode()
    except UnicodeDecodeError:
        # The cause is left out: its message shows octets of the password.
        raise CredentialUnavailable(
            f"the password's source ({kind}) is not UTF-8", remedy="store the password as UTF-8"
        ) from None
