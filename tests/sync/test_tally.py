"""A running pass's counts, and what its listener hears."""

from daemon.model.passes import PassResult
from daemon.sync.tally import Tally


def test_results_add_up_and_progress_is_told_at_every_step():
    heard = []
    tally = Tally("a", heard.append)
    tally.expect(messages=3, octets=300)
    tally.transferred(messages=1, octets=100)
    tally.expect(messages=2, octets=50)
    tally.add(PassResult(downloaded=1))
    tally.add(PassResult(downloaded=2, failed=1))
    assert [(one.messages_done, one.messages_total, one.bytes_done, one.bytes_total) for one in heard] == [
        (0, 3, 0, 300),
        (1, 3, 100, 300),
        (1, 5, 100, 350),
    ]
    assert tally.result == PassResult(downloaded=3, failed=1)
    assert heard[-1].account == "a"
