"""Tables of the state hold what cannot be rebuilt."""

from daemon.store import tables_state


def test_state_has_these_tables():
    assert set(tables_state.StateModel.metadata.tables) == {
        "meta", "counter", "intent", "maildrop", "name", "operation", "tombstone", "fact", "token", "handover",
    }  # fmt: skip


def test_tokens_are_kept_as_digests_only():
    assert set(tables_state.TOKEN.columns.keys()) == {"name", "sha256", "scope", "created_at_ms"}


def test_one_pending_operation_a_message_is_the_databases_own_rule():
    (index,) = tables_state.OPERATION.indexes
    assert index.unique
    assert str(index.dialect_options["sqlite"]["where"]) == "state = 'pending'"
