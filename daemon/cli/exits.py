"""Exit codes of every command (the contract)."""

from typing import Final

OK: Final = 0
FAILED: Final = 1  # some account, or the service is not well
USAGE: Final = 2  # usage or configuration
NO_SERVICE: Final = 3
IN_USE: Final = 75  # EX_TEMPFAIL of sysexits.h: another process owns the store
