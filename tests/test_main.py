"""`python -m daemon` is the same command."""

import subprocess
import sys

from daemon import __version__


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "daemon", "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == f"mailsyncd {__version__}\n"
