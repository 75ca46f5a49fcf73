"""Children that don't outlive their parent.

`python -m mmix.parentage PID COMMAND...` becomes COMMAND, and the kernel kills it when process PID ends (Linux). The
kernel watches the thread that started the child, so start children from a main thread. Where COMMAND itself starts
children in this way, its argument `OWN_PID` is replaced by the process id that it will have.
"""

import ctypes
import os
import signal
import sys

OWN_PID = "{pid}"

_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent ends; ends at once if it already has."""
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:  # it ended before the kernel was asked
        os._exit(75)


def bound_command(*command: str) -> list[str]:
    """The command line that runs `command` as a child which dies with the calling process."""
    return [sys.executable, "-m", "mmix.parentage", str(os.getpid()), *command]


def _main() -> None:
    die_with(int(sys.argv[1]))
    command = [str(os.getpid()) if argument == OWN_PID else argument for argument in sys.argv[2:]]
    os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
