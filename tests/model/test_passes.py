"""What a pass did."""

from daemon.model.passes import PassResult


def test_results_add_up():
    both = PassResult(downloaded=1, failed=2, held=9).plus(PassResult(downloaded=3, moved=1, held=4))
    assert both == PassResult(downloaded=4, moved=1, failed=2, held=4)


def test_pass_that_changed_nothing_is_quiet_even_with_failures_and_holds():
    assert PassResult(failed=1, held=2).is_quiet
    for name in ("downloaded", "uploaded", "flags_changed", "removed_here", "expunged_there", "moved"):
        assert not PassResult(**{name: 1}).is_quiet
