from daemon.wire.imap.states import AFTER_NO, AFTER_OK, CONFLICTS, LEGAL, Kind, Lane, State, may_overlap


def test_every_command_has_its_states():
    assert set(LEGAL) == set(Kind)


def test_no_command_is_legal_when_it_cannot_be():
    for states in LEGAL.values():
        assert not states & {State.AWAITING_GREETING, State.TLS_PENDING, State.LOGOUT, State.BROKEN}


def test_conflicts_are_mutual():
    assert all((other, one) in CONFLICTS for one, other in CONFLICTS)


def test_alone_overlaps_with_nothing():
    assert not any(may_overlap(Lane.ALONE, lane) or may_overlap(lane, Lane.ALONE) for lane in Lane)


def test_bodies_appends_and_status_are_pipelined():
    for lane in (Lane.BODY, Lane.APPEND, Lane.STATUS, Lane.FLAGS_WRITE, Lane.FLAGS_READ):
        assert may_overlap(lane, lane)


def test_answers_without_a_correlator_come_one_at_a_time():
    for lane in (Lane.LIST, Lane.LSUB, Lane.SEARCH, Lane.MOVE, Lane.ID):
        assert not may_overlap(lane, lane)


def test_expunge_waits_for_what_reads_and_writes():
    for lane in (Lane.BODY, Lane.FLAGS_WRITE, Lane.COPY, Lane.MOVE):
        assert not may_overlap(Lane.EXPUNGE, lane)


def test_state_changes_lead_somewhere_known():
    assert set(AFTER_OK) <= set(Kind)
    assert set(AFTER_NO) <= set(AFTER_OK)
