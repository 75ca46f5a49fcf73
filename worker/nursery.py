"""The nursery: a process that has imported torch and forks a fresh trainer for each attempt on one device.

Started by the worker as `python -m worker.nursery SOCKET`. Importing torch and the laboratory takes seconds, a fork
takes milliseconds. The nursery itself computes nothing, starts no thread and touches no device: what it would touch,
its children would share. A trainer that crashes takes nobody with it; where the nursery dies, its trainers do, and
attempts start cold until the worker has started another.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from mmix.parentage import die_with
from worker import pages, train
from worker.birth import Order, read_order, told_end, told_pid

_BACKLOG = 64


@dataclass
class Nursery:
    """The children that live, each by the handle that tells of its end, with the connection of who asked for it."""

    listener: socket.socket
    children: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)

    def serve(self) -> NoReturn:
        """Forks as it is asked, and tells of each child's end."""
        while True:
            askers = {connection.fileno(): handle for handle, (_, connection) in self.children.items()}
            listener = self.listener.fileno()
            ready, _, _ = select.select([listener, *self.children, *askers], [], [])
            for each in ready:
                if each == listener:
                    self._accept()
                elif each in self.children:
                    self._bury(each)
                elif askers[each] in self.children:
                    self._end(askers[each])

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        order = read_order(connection)
        if order is None:
            connection.close()
            return
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(order, connection, parent_pid=own_pid)
        self.children[os.pidfd_open(pid)] = (pid, connection)
        with contextlib.suppress(OSError):  # who asked may be gone; then the child is ended in the next round
            connection.sendall(told_pid(pid))

    def _end(self, handle: int) -> None:
        """Ends a child whose supervisor hung up: it says nothing more after its order."""
        pid, _ = self.children[handle]
        with contextlib.suppress(ProcessLookupError):  # it may not lead a group of its own yet: in the next round
            os.killpg(pid, signal.SIGKILL)

    def _bury(self, handle: int) -> None:
        pid, connection = self.children.pop(handle)
        _, status = os.waitpid(pid, 0)
        os.close(handle)
        with contextlib.suppress(OSError):  # who asked may be gone
            connection.sendall(told_end(os.waitstatus_to_exitcode(status)))
        connection.close()

    def _become(self, order: Order, connection: socket.socket, *, parent_pid: int) -> NoReturn:
        """In the child: a trainer like one that was started cold."""
        code = 1
        try:
            os.setsid()
            die_with(parent_pid)
            for handle, (_, other) in self.children.items():
                os.close(handle)
                other.close()
            connection.close()
            self.listener.close()
            _redirect(Path(order.log))
            os.environ.update(order.environment)
            train.main(order.socket)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):  # whatever happens, a child may not go on as a second nursery
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _redirect(log: Path) -> None:
    for target, opened in ((0, os.open(os.devnull, os.O_RDONLY)), (1, _appending(log)), (2, _appending(log))):
        os.dup2(opened, target)
        os.close(opened)


def _appending(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def main() -> None:
    """Serves until it is killed, or its worker ends."""
    listener = socket.socket(socket.AF_UNIX)
    # Bound under another name first: whoever finds the name finds a nursery that serves.
    unseen = f"{sys.argv[1]}.{os.getpid()}"
    listener.bind(unseen)
    listener.listen(_BACKLOG)
    os.rename(unseen, sys.argv[1])
    gc.collect()
    gc.freeze()  # what is here now stays shared with the children, page by page
    pages.collapse()
    Nursery(listener).serve()


if __name__ == "__main__":
    main()
