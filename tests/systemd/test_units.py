"""The units of systemd/: what they must say, and what systemd itself thinks of them where it is installed."""

import re
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
SYSTEM, USER = SYSTEMD / "mailsyncd.service", SYSTEMD / "user" / "mailsyncd.service"

HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "PrivateUsers": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "KeyringMode": "private",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateMounts": "yes",
    "PrivateDevices": "yes",
    "DevicePolicy": "closed",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "RestrictRealtime": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "LimitCORE": "0",
    "RemoveIPC": "yes",
    "PrivateIPC": "yes",
    "UMask": "0077",
    "User": "mailsyncd",
}


def directives(unit: Path) -> list[tuple[str, str]]:
    return re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_system_unit_is_hardened():
    assert HARDENING.items() <= dict(directives(SYSTEM)).items()
    filters = [value for name, value in directives(SYSTEM) if name == "SystemCallFilter"]
    assert filters == ["@system-service", "~@privileged @resources @obsolete"]


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_unit_ends_and_restarts_as_the_exit_codes_say(unit):
    said = dict(directives(unit))
    assert (said["Type"], said["NotifyAccess"], said["KillMode"]) == ("notify", "main", "mixed")
    assert said["Restart"] == "on-failure"
    assert said["RestartPreventExitStatus"] == "2 75"
    assert said["WatchdogSec"] == "60"


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_unit_starts_with_no_credential_present(unit):
    assert "LoadCredential" not in dict(directives(unit))


def test_unit_runs_a_command_that_exists():
    assert (
        dict(directives(SYSTEM))["ExecStart"] == "/usr/bin/mailsyncd run --config /etc/mailsyncd/config.toml"
    )
    assert dict(directives(USER))["ExecStart"] == "%h/.local/bin/mailsyncd run"


def test_user_of_the_unit_is_made_by_sysusers():
    said = (SYSTEMD / "sysusers.d" / "mailsyncd.conf").read_text(encoding="utf-8")
    assert re.search(r"^u mailsyncd - ", said, flags=re.MULTILINE)


@pytest.mark.parametrize("unit", [SYSTEM, USER])
def test_systemd_finds_no_fault(unit, tmp_path):
    """The program of the unit is not installed here; another stands in for it."""
    copy = tmp_path / "mailsyncd.service"
    text = re.sub(
        r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_exposure_is_at_most_1_1():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=11", "--no-pager", str(SYSTEM)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:]
