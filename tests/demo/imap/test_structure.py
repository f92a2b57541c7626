from daemon.demo.imap.structure import body_structure, envelope, part_octets

MIXED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n--b\r\n"
    b'Content-Type: multipart/alternative; boundary="c"\r\n\r\n--c\r\n\r\nPlain\r\n--c\r\n'
    b"Content-Type: text/html\r\n\r\n<p>Rich</p>\r\n--c--\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nInside\r\n--b--\r\n"
)


def test_envelope_fills_sender_and_reply_to_from_from():
    header = (
        b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n"
        b'Subject: say "hi"\r\nTo: a@example.com, B <b@example.com>\r\nMessage-ID: <1@x>\r\n\r\n'
    )
    sender = b'(("=?utf-8?q?J=C3=BCrgen?=" NIL "j" "example.org"))'
    assert envelope(header) == (
        b'("Mon, 7 Feb 1994 21:52:25 -0800" "say \\"hi\\"" ' + b" ".join([sender] * 3) + b" "
        b'((NIL NIL "a" "example.com")("B" NIL "b" "example.com")) NIL NIL NIL "<1@x>")'
    )


def test_envelope_of_nothing_is_all_nil():
    assert envelope(b"\r\n") == b"(" + b" ".join([b"NIL"] * 10) + b")"


def test_raw_octets_in_a_header_come_as_a_literal():
    assert b"{6}\r\ncaf\xc3\xa9!" in envelope("Subject: café!\r\n\r\n".encode())


def test_structure_of_plain_text_counts_octets_and_lines():
    octets = b"Content-Type: text/plain; charset=us-ascii\r\n\r\none\r\ntwo\r\n"
    assert body_structure(octets) == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)'


def test_structure_nests_as_the_parts_do():
    structure = body_structure(MIXED)
    assert structure.startswith(b'(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 0)((')
    assert b'"alternative")' in structure
    assert b'("message" "rfc822" NIL NIL NIL "7bit" 24 (NIL "inner"' in structure
    assert structure.endswith(b' "mixed")')


def test_parts_are_found_by_their_path():
    assert part_octets(MIXED, (1,)) == (b"Content-Type: text/plain; charset=utf-8\r\n\r\n", b"Hello")
    assert part_octets(MIXED, (2, 2)) == (b"Content-Type: text/html\r\n\r\n", b"<p>Rich</p>")
    assert part_octets(MIXED, (4,)) is None
    assert part_octets(MIXED, (1, 2)) is None
