from daemon.wire.imap.capabilities import MOST_SHARED_BYTES, Capabilities, parse_capabilities


def test_unknown_until_said():
    assert not Capabilities()
    assert Capabilities(["IMAP4rev1"])


def test_case_does_not_matter():
    known = Capabilities(["idle", "AUTH=plain"])
    assert known.has("IDLE")
    assert known.has("Idle")
    assert known.sasl_mechanisms == {"PLAIN"}


def test_qresync_brings_condstore_and_enable():
    known = Capabilities(["QRESYNC"])
    assert known.has("CONDSTORE")
    assert known.has("ENABLE")
    assert known.names == {"QRESYNC"}


def test_imap4rev2_brings_what_it_absorbed():
    known = Capabilities(["IMAP4rev2"])
    assert all(known.has(name) for name in ("UIDPLUS", "MOVE", "IDLE", "ESEARCH", "LIST-STATUS", "LITERAL-"))
    assert not known.has("CONDSTORE")


def test_quirk_literal_plus_with_a_space():
    """QUIRK MailKit#1654."""
    assert Capabilities(["LITERAL", "+", "IDLE"]).has("LITERAL+")
    assert not Capabilities(["+", "IDLE"]).has("LITERAL+")


def test_append_limit():
    assert Capabilities(["APPENDLIMIT=35651584"]).append_limit == 35651584
    assert Capabilities(["APPENDLIMIT"]).append_limit is None
    assert Capabilities(["APPENDLIMIT=much"]).append_limit is None


def test_without_is_not_fooled_by_what_brings_it():
    known = Capabilities(["IMAP4rev2", "QRESYNC"]).without(["esearch", "CONDSTORE"])
    assert not known.has("ESEARCH")
    assert not known.has("CONDSTORE")
    assert known.has("QRESYNC")


def test_equal_by_content():
    assert Capabilities(["A", "b"]) == Capabilities(["B", "a"])
    assert len({Capabilities(["A"]), Capabilities(["a"])}) == 1
    assert repr(Capabilities(["b", "A"])) == "Capabilities(['A', 'B'])"


def test_equal_lists_are_one_object_unless_absurd():
    said = b"IMAP4rev1 IDLE QRESYNC "
    assert parse_capabilities(said) is parse_capabilities(bytes(bytearray(said)))
    assert parse_capabilities(said).without(["idle"]) is parse_capabilities(said).without(["IDLE"])
    assert parse_capabilities(said).without(["MOVE"]) is parse_capabilities(said)
    absurd = b"X " * MOST_SHARED_BYTES
    assert parse_capabilities(absurd) is not parse_capabilities(bytes(bytearray(absurd)))


def test_what_was_implied_is_gone_with_what_implied_it():
    said = Capabilities(["QRESYNC"])
    both = Capabilities(["QRESYNC", "CONDSTORE", "ENABLE"])
    assert said == both
    assert not said.without(["QRESYNC"]).has("CONDSTORE")
    assert both.without(["QRESYNC"]).has("CONDSTORE")
