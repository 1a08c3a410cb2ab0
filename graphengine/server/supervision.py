"""The server in a process of its own, which is started again when its own code ended it.

A plugin, or a library below it, can end the whole process. The process that was started waits and
starts another, which fails the job that did it (`graphengine.crash`) and goes on with the queue.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections import deque

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
"""How a process is ended by its own code. Other signals are sent by somebody who means them."""
MOST_CRASHES = 5
WITHIN_S = 60.0
START_ANEW = 75
"""With this status the process ends to be started again (sysexits.h: EX_TEMPFAIL)."""
_PASSED_ON = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_PR_SET_PDEATHSIG = 1
logger = logging.getLogger(__name__)


def start_again_after_crashes() -> bool:
    """Return in a new process; the one that called stays behind and starts it anew if it crashes.

    The same if it ends with the status `START_ANEW`. To be called before there are threads. Signals
    are passed on; SystemExit with the new process's exit status (128 + its signal) once that has
    ended otherwise, or has crashed `MOST_CRASHES` times within `WITHIN_S`. What was opened before,
    as the sockets that listen, stays open meanwhile. If the process that stays behind is killed, so
    is the other. On systems other than Linux it just returns False.
    """
    if sys.platform != "linux":
        return False
    awaited = {*_PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    crashes: deque[float] = deque(maxlen=MOST_CRASHES)
    while True:
        child = _fork()
        if child == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return True
        status = _wait(child, awaited)
        if status == START_ANEW:
            continue
        if status >= 0:
            raise SystemExit(status)
        crashes.append(time.monotonic())
        often = len(crashes) == MOST_CRASHES and crashes[-1] - crashes[0] < WITHIN_S
        if -status not in CRASHES or often:
            raise SystemExit(128 - status)
        logger.error("the server was ended by its own code (%s); started again", _name(-status))


def _fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return child


def _wait(child: int, awaited: set[signal.Signals]) -> int:
    """The exit status of a process, or minus the signal that ended it; passes signals on to it."""
    while True:
        number = signal.sigwait(awaited)
        if number != signal.SIGCHLD:
            os.kill(child, number)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)


def _name(number: int) -> str:
    return signal.Signals(number).name
