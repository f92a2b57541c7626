"""Runs a command and writes what it spent to the file named first: seconds, processor seconds and peak memory, as JSON.

A process of its own, small on purpose: a child inherits the memory of whoever started it as its own peak until it has
more, so the child of a test run full of messages would tell nothing. Run it with `python -I -S`.
"""

import os
import sys
import time

target, *command = sys.argv[1:]
began = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - began
with open(target, "w", encoding="ascii") as file:
    file.write(
        f'{{"seconds": {seconds}, "cpu_seconds": {usage.ru_utime + usage.ru_stime}, '
        f'"peak_mib": {usage.ru_maxrss / 1024}}}'
    )
sys.exit(os.waitstatus_to_exitcode(status))
