"""daemon.credentials.password: one Secret from the one source that is set."""

import os

import pytest

from daemon.credentials import read_password
from daemon.model.errors import CredentialUnavailable, Retry

CANARY = "c4nary-s3cret"


def private(path, octets: bytes):
    path.write_bytes(octets)
    path.chmod(0o600)
    return path


async def test_literal_is_taken_as_it_is(account):
    assert (await read_password(account(literal=" p\nä "))).reveal() == " p\nä "


async def test_variable_is_read_from_the_environment_given(account):
    assert (await read_password(account(env="PW"), {"PW": "x"})).reveal() == "x"


async def test_variable_that_is_not_set_says_so(account):
    with pytest.raises(CredentialUnavailable, match="PW is not set") as caught:
        await read_password(account(env="PW"), {})
    assert caught.value.remedy
    assert caught.value.retry is Retry.LATER
    assert caught.value.reason == "credential_unavailable"


@pytest.mark.parametrize(
    ("octets", "password"),
    [(b"pw", "pw"), (b"pw\n", "pw"), (b"pw\r\n", "pw"), (b"pw \nlogin: me\n", "pw "), ("pä".encode(), "pä")],
)
async def test_first_line_of_a_file_is_the_password(account, tmp_path, octets, password):
    file = private(tmp_path / "pw", octets)
    assert (await read_password(account(file=file))).reveal() == password


async def test_first_line_of_a_command_is_the_password(account):
    settings = account(command=("printf", "pw\\nlogin: me\\n"))
    assert (await read_password(settings, os.environ)).reveal() == "pw"


async def test_credential_is_read_from_its_directory(account, tmp_path):
    """systemd may let the service read by an access list, which shows as the group's permission."""
    (tmp_path / "work").write_bytes(b"pw\n")
    (tmp_path / "work").chmod(0o440)
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert (await read_password(account(credential="work"), env)).reveal() == "pw"


async def test_credential_without_credentials_tells_the_unit_line(account):
    with pytest.raises(CredentialUnavailable) as caught:
        await read_password(account(credential="work"), {})
    assert "LoadCredential=work:" in (caught.value.remedy or "")


async def test_changed_file_counts_at_the_next_read(account, tmp_path):
    file = private(tmp_path / "pw", b"old")
    await read_password(account(file=file))
    file.write_bytes(b"new")
    assert (await read_password(account(file=file))).reveal() == "new"


@pytest.mark.parametrize(
    "octets", [b"", b"\n", b"\r\nx", b"\0", CANARY.encode() + b"\0", CANARY.encode() + b"\xff"]
)
async def test_unusable_password_is_refused_without_being_shown(account, tmp_path, octets):
    file = private(tmp_path / "pw", octets)
    with pytest.raises(CredentialUnavailable) as caught:
        await read_password(account(file=file))
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.remedy}"
    assert CANARY not in shown


async def test_secret_is_not_shown(account):
    secret = await read_password(account(literal=CANARY))
    assert CANARY not in f"{secret} {secret!r}"
