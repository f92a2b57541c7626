from daemon.wire.pop3.states import CHANGERS, MOVES, Kind, State


def test_every_command_has_its_states():
    assert {kind for _, kind in MOVES} == set(Kind)


def test_no_command_is_legal_when_it_cannot_be():
    for state, _ in MOVES:
        assert state in {State.AUTHORIZATION, State.USER_GIVEN, State.TRANSACTION}


def test_mail_is_touched_in_transaction_only():
    for kind in (Kind.STAT, Kind.LIST, Kind.UIDL, Kind.TOP, Kind.RETR, Kind.DELE, Kind.RSET, Kind.NOOP):
        assert [state for state, other in MOVES if other is kind] == [State.TRANSACTION]


def test_login_leads_to_transaction_and_quit_to_update():
    assert MOVES[State.USER_GIVEN, Kind.PASS].on_ok is State.TRANSACTION
    assert MOVES[State.AUTHORIZATION, Kind.AUTH].on_ok is State.TRANSACTION
    assert MOVES[State.AUTHORIZATION, Kind.AUTH].on_err is None
    for (_, kind), move in MOVES.items():
        if kind is Kind.QUIT:
            assert move.on_ok is move.on_err is State.UPDATE


def test_what_changes_the_state_travels_alone():
    assert {Kind.STLS, Kind.AUTH, Kind.USER, Kind.PASS, Kind.QUIT} == CHANGERS


def test_apop_is_not_spoken():
    """P16 and CVE-2007-1558."""
    assert "APOP" not in {kind.value for kind in Kind}
