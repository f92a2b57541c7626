"""What an application carries."""

from api import limits
from api.app import make_app
from api.context import CONTROL, FAILED_LOGINS, STREAMS, WAITS
from daemon.model.clock import SystemClock


def test_application_carries_what_its_handlers_need(world):
    app = make_app(world.control, clock=SystemClock())
    assert app[CONTROL] is world.control
    assert app[FAILED_LOGINS].total == 0
    assert app[STREAMS].taken == app[WAITS].taken == 0
    assert limits.MAX_STREAMS < limits.MAX_CONNECTIONS
