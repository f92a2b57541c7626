"""daemon.cli.logs: one JSON line an event, no secret in any, and no failure of the log stops anything."""

import json
import logging

import pytest
import structlog

from daemon.cli import logs

CANARY = "c4nary-s3cret"


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_event_is_one_json_line(capsys):
    logs.configure("info")
    structlog.stdlib.get_logger("mailsyncd").bind(account="work").info(
        "mailbox.synced", downloaded=3, name="ü\n"
    )
    [line] = lines(capsys)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mailbox.synced",
        "level": "info",
        "logger": "mailsyncd",
        "account": "work",
        "downloaded": 3,
        "name": "ü\n",
    }


def test_less_important_events_are_left_out(capsys):
    logs.configure("warning")
    log = structlog.stdlib.get_logger("mailsyncd")
    log.info("a.b")
    log.warning("c.d")
    assert [line["event"] for line in lines(capsys)] == ["c.d"]


@pytest.mark.parametrize(
    "key",
    ["password", "old_password", "token", "api_token", "Authorization", "client_secret", "cookie", "api-key"],
)
def test_values_of_secret_keys_are_masked_at_any_depth(capsys, key):
    logs.configure("info")
    log = structlog.stdlib.get_logger("mailsyncd")
    log.info("a.b", **{key: CANARY}, nested={"list": [{key: CANARY}]})
    logging.getLogger("other").warning("x", extra={key: CANARY})
    said = capsys.readouterr().err
    assert CANARY not in said
    assert logs.MASK in said


def test_harmless_keys_are_kept(capsys):
    logs.configure("info")
    structlog.stdlib.get_logger("x").info("a.b", password_source="file", tokens=3, path="/secretary")
    [line] = lines(capsys)
    assert (line["password_source"], line["tokens"], line["path"]) == ("file", 3, "/secretary")


def test_libraries_are_heard_from_warnings_on(capsys):
    logs.configure("debug")
    for name in ("aiohttp.access", "apscheduler.scheduler"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("said %s", "this")
    assert [line["event"] for line in lines(capsys)] == ["said this", "said this"]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_traceback_has_no_local_variables(capsys, monkeypatch, is_terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    logs.configure("info")

    def fail(hidden: str) -> None:
        raise RuntimeError("broken")

    try:
        fail(CANARY)
    except RuntimeError:
        structlog.stdlib.get_logger("x").exception("a.crashed")
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert "broken" in said
    assert CANARY not in said


def test_closed_standard_error_stops_nothing(monkeypatch, tmp_path):
    logs.configure("info")
    stream = (tmp_path / "log").open("w")
    stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    structlog.stdlib.get_logger("x").info("a.b")
    monkeypatch.setattr("sys.stderr", None)
    structlog.stdlib.get_logger("x").info("a.b")


def test_full_disk_stops_nothing(monkeypatch):
    logs.configure("info")
    full = open("/dev/full", "w")  # noqa: SIM115 - closing it fails, which is the point
    monkeypatch.setattr("sys.stderr", full)
    structlog.stdlib.get_logger("x").info("a.b")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_progress_line_is_taken_out_of_the_way(capsys):
    cleared = []
    logs.configure("info", before_line=lambda: cleared.append(1))
    structlog.stdlib.get_logger("x").info("a.b")
    assert cleared == [1]


def test_terminal_gets_columns(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    logs.configure("info")
    structlog.stdlib.get_logger("x").info("a.b", account="work")
    said = capsys.readouterr().err
    assert "a.b" in said
    assert not said.startswith("{")
