import pytest

from daemon.model.flags import SEEN, Flag
from daemon.model.uidset import UidSet
from daemon.wire.imap.capabilities import Capabilities
from daemon.wire.imap.codes import parse_text
from daemon.wire.imap.responses import (
    AppendUidCode,
    CapabilityCode,
    Code,
    CopyUidCode,
    InProgressCode,
    ModifiedCode,
    NumberCode,
    PermanentFlagsCode,
)


@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        (b"plain words", None, "plain words"),
        (b"", None, ""),
        (b"[READ-WRITE] done", Code(name="READ-WRITE"), "done"),
        (b"[read-only]", Code(name="READ-ONLY"), ""),
        (
            b"[HIGHESTMODSEQ 715194045007]",
            NumberCode(name="HIGHESTMODSEQ", argument="715194045007", number=715194045007),
            "",
        ),
        (b"[UIDNEXT 0] x", NumberCode(name="UIDNEXT", argument="0", number=None), "x"),
        (
            b"[UIDVALIDITY 4294967296] x",
            NumberCode(name="UIDVALIDITY", argument="4294967296", number=None),
            "x",
        ),
        (b"[UNSEEN] x", NumberCode(name="UNSEEN", number=None), "x"),
        (b"[UIDNEXT soon] x", Code(name="UIDNEXT", argument="soon"), "x"),
        (
            b"[APPENDUID 38505 3955] x",
            AppendUidCode(name="APPENDUID", argument="38505 3955", uid_validity=38505, uids=(3955,)),
            "x",
        ),
        (b"[APPENDUID 0 3955] x", Code(name="APPENDUID", argument="0 3955"), "x"),
        (b"[APPENDUID] x", Code(name="APPENDUID"), "x"),
        (
            b"[COPYUID 38505 304,319:320 3956:3958] x",
            CopyUidCode(
                name="COPYUID",
                argument="38505 304,319:320 3956:3958",
                uid_validity=38505,
                source=(304, 319, 320),
                target=(3956, 3957, 3958),
            ),
            "x",
        ),
        (b"[COPYUID 38505 1:2 7] x", Code(name="COPYUID", argument="38505 1:2 7"), "x"),
        (
            b"[COPYUID 1 1:4294967295 1:4294967295] x",
            Code(name="COPYUID", argument="1 1:4294967295 1:4294967295"),
            "x",
        ),
        (
            b"[COPYUID 38505  ] x",
            CopyUidCode(name="COPYUID", argument="38505", uid_validity=38505, source=(), target=()),
            "x",
        ),
        (b"[COPYUID 1 0 1] x", Code(name="COPYUID", argument="1 0 1"), "x"),
        (b"[COPYUID] x", CopyUidCode(name="COPYUID", uid_validity=None, source=(), target=()), "x"),
        (b"[MODIFIED 7,9] x", ModifiedCode(name="MODIFIED", argument="7,9", uids=UidSet([7, 9])), "x"),
        (b"[MODIFIED *] x", Code(name="MODIFIED", argument="*"), "x"),
        (b"[MAILBOXID (F2212ea87-6097)] x", Code(name="MAILBOXID", argument="(F2212ea87-6097)"), "x"),
        (b"[unclosed x", None, "[unclosed x"),
        (b"[] x", None, "[] x"),
        (b"[THROTTLED]", Code(name="THROTTLED"), ""),
    ],
)
def test_code_and_text(raw, code, text):
    assert parse_text(raw) == (code, text)


def test_copyuid_keeps_the_order_written():
    code, _ = parse_text(b"[COPYUID 1 9,3:4 20:22]")
    assert list(code.pairs()) == [(9, 20), (3, 21), (4, 22)]


def test_permanent_flags_with_bracket_in_a_flag():
    """QUIRK Gmail: flags with `]`, unquoted."""
    code, text = parse_text(b"[PERMANENTFLAGS (\\Seen [a] b] \\*)] Flags permitted.")
    assert isinstance(code, PermanentFlagsCode)
    assert code.flags == {SEEN, Flag("[a]"), Flag("b]")}
    assert code.accepts_new_keywords
    assert text == "Flags permitted."


def test_permanent_flags_may_be_empty():
    code, _ = parse_text(b"[PERMANENTFLAGS ()] No permanent flags")
    assert code.flags == frozenset()
    assert not code.accepts_new_keywords


def test_capability_code_is_the_list():
    code, _ = parse_text(b"[CAPABILITY IMAP4rev1 idle ] ready")
    assert isinstance(code, CapabilityCode)
    assert code.capabilities == Capabilities(["IMAP4rev1", "IDLE"])


def test_text_is_cut_and_escaped():
    _, text = parse_text(b"x" * 2000)
    assert len(text) == 512
    _, text = parse_text(b"a\x1b[31m")
    assert text == "a\\u001b[31m"


def test_append_uid_of_several_messages():
    """RFC 3502 and RFC 4315 §3: one UID for each message, in order."""
    code, _ = parse_text(b"[APPENDUID 38505 3955:3957,4000] done")
    assert (code.uid_validity, code.uids, code.uid) == (38505, (3955, 3956, 3957, 4000), 3955)


@pytest.mark.parametrize("argument", [b"0 5", b"5 0", b"5", b"5 x", b"5 1:4294967295"])
def test_append_uid_that_cannot_be_is_a_plain_code(argument):
    code, _ = parse_text(b"[APPENDUID " + argument + b"] done")
    assert type(code) is Code


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b' ("A001" 454 1000)', (b"A001", 454, 1000)),
        (b" (NIL NIL NIL)", (None, None, None)),
        (b" (nil 175 NIL)", (None, 175, None)),
        (b"", (None, None, None)),
        (b" (", (None, None, None)),
    ],
)
def test_in_progress_tells_how_far_a_command_is(argument, expected):
    """RFC 9585 §4."""
    code, text = parse_text(b"[INPROGRESS" + argument + b"] Still working on this...")
    assert isinstance(code, InProgressCode)
    assert (code.tag, code.done, code.total) == expected
    assert text == "Still working on this..."


@pytest.mark.parametrize(
    "raw",
    [b"[MESSAGELIMIT 1000 23221] partial", b"[UIDREQUIRED] UIDs only", b"[NOTIFICATIONOVERFLOW] x",
     b"[COMPRESSIONACTIVE] DEFLATE active via TLS", b"[BADEVENT (MessageNew FlagChange)] no", b"[USEATTR] no",
     b"[OVERQUOTA] full", b"[TOOBIG] x", b"[EXPUNGEISSUED] x"],
)  # fmt: skip
def test_codes_of_extensions_are_named(raw):
    code, _ = parse_text(raw)
    assert f"[{code.name}".encode() == raw.split()[0].rstrip(b"]")
