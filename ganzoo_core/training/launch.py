"""Several training processes on one machine, each a Python that Accelerate finds its place in."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

_GRACE_SECONDS = 30.0
"""How long the others may take to end by themselves when one has failed."""


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run `python ARGUMENTS` in several processes that train together; return the exit code.

    Ctrl-C and SIGTERM are passed on, so that all save at the same step. When one process fails the
    others, which would wait for it for ever, are stopped.
    """
    environment = os.environ | {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
    }
    if "OMP_NUM_THREADS" not in environment:
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // processes))
    children = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            # A group of their own: the terminal's Ctrl-C reaches them through us alone.
            start_new_session=True,
        )
        for rank in range(processes)
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _wait(children)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(children: list["subprocess.Popen[bytes]"]) -> int:
    deadline = None
    while any(child.poll() is None for child in children):
        failed = any(child.poll() not in (None, 0) for child in children)
        if failed and deadline is None:
            deadline = time.monotonic() + _GRACE_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(0.05)
    codes = [child.poll() for child in children]
    return next((code if code > 0 else 128 - code for code in codes if code), 0)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
