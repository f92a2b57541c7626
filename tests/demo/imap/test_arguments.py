import pytest

from daemon.demo.imap.arguments import Arguments, BadCommand


def test_strings_come_in_three_forms():
    args = Arguments(b'atom "a \\"b\\" \\\\" {5}\r\nx "\r\n {2+}\r\nhi end')
    found = []
    for _ in range(5):
        found.append(args.astring())
        if not args.is_done:
            args.space()
    assert found == [b"atom", b'a "b" \\', b'x "\r\n', b"hi", b"end"]
    args.end()


def test_list_may_be_empty_or_nested():
    args = Arguments(b"() (A (B C) D)")
    assert args.listed(args.word) == []
    args.space()
    assert args.listed(lambda: args.listed(args.word) if args.peek() == b"(" else args.word()) == [
        "A",
        ["B", "C"],
        "D",
    ]


def test_flags_are_spelled_as_the_field_spells_them():
    assert Arguments(b"(\\seen $Work \\Recent)").flags() == {"\\Seen", "$Work"}
    assert Arguments(b"\\SEEN \\Flagged").flags() == {"\\Seen", "\\Flagged"}


def test_date_time_knows_its_zone():
    assert Arguments(b'"17-Jul-1996 02:44:25 -0700"').date_time() == 837_596_665
    assert Arguments(b'" 1-jan-1970 00:00:00 +0000"').date_time() == 0


def test_date_is_its_midnight():
    assert Arguments(b"2-Jan-1970").date() == 86_400
    assert Arguments(b'"2-Jan-1970"').date() == 86_400


@pytest.mark.parametrize(
    ("octets", "parse"),
    [
        (b"", Arguments.atom),
        (b"(", Arguments.astring),
        (b'"open', Arguments.string),
        (b'"a\r\nb"', Arguments.string),
        (b"{5}\r\nab", Arguments.string),
        (b"x", Arguments.number),
        (b"+ x", Arguments.tag),
        (b"tag", Arguments.tag),
        (b"x", Arguments.space),
        (b"x", Arguments.end),
        (b'"31-Feb-2020 00:00:00 +0000"', Arguments.date_time),
        (b'"01-Foo-2020 00:00:00 +0000"', Arguments.date_time),
        (b'"01-Jan-2020 00:00:00 +9900"', Arguments.date_time),
        (b"31-Feb-2020", Arguments.date),
        (b"$", Arguments.sequence_set),
    ],
)
def test_what_cannot_be_read_is_a_bad_command(octets, parse):
    with pytest.raises(BadCommand):
        parse(Arguments(octets))


def test_rest_is_everything_left():
    args = Arguments(b"a b c")
    args.word()
    assert args.rest() == b" b c"
    args.end()
