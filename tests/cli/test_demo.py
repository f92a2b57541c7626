"""`mailsyncd demo`: nothing to configure, what it prints works, and Ctrl-C ends it with 0."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path


def test_lines_it_prints_work_and_nothing_is_left(mailsyncd, tmp_path):
    """8420 may be taken: here it is for certain. The mail server's own listing shows that the message is gone."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8420))
            taken.listen()
        except OSError:
            taken.close()  # somebody else has it, which is as good
        demo = mailsyncd.start("demo", TMPDIR=str(tmp_path))
        assert demo.stdout is not None
        said: list[str] = []
        while sum(line.startswith("  curl") for line in said) < 3:
            said.append(demo.stdout.readline())
            assert said[-1], f"it ended: {said}"
        lines = [line.strip() for line in said if line.startswith("  curl")]
        assert ":8420/" not in lines[0]

        listed, deleted, left = (
            subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
            for line in lines
        )
        newest = json.loads(listed)["items"][0]["id"]
        assert newest in lines[1]
        assert json.loads(deleted)["state"] == "done"
        uids = re.match(r"\* SEARCH((?: \d+)+)", left)
        assert uids is not None
        assert len(uids[1].split()) == 11

    home = Path(next(line for line in said if line.startswith("  Mail")).split()[1]).parents[1]
    assert home.is_relative_to(tmp_path)
    assert home.stat().st_mode & 0o777 == 0o700
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=20) == 0
    assert not home.exists()
