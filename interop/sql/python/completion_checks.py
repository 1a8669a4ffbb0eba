"""psql's completion of names, on a terminal: what it offers, it asks of the catalogue."""

import fcntl
import os
import pty
import select
import struct
import termios
import time

from checks import each

# Long enough for a debug build on a busy machine.
TIMEOUT_SECONDS = 20
PROMPT = "psql> "
TAB = "\t"


class Psql:
    """psql on a terminal that is wide enough to break no lines."""

    def __enter__(self):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", INPUTRC="/dev/null", PSQL_HISTORY="/dev/null")
            os.execvp("psql", ["psql", "-X", "-q", "-v", f"PROMPT1={PROMPT}"])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.until(PROMPT)
        return self

    def __exit__(self, *_):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def until(self, *texts):
        """Reads until all texts have been shown."""
        shown, deadline = "", time.monotonic() + TIMEOUT_SECONDS
        while not all(text in shown for text in texts):
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            assert ready, f"{shown!r} does not contain all of {texts}"
            shown += os.read(self.terminal, 4096).decode()
        return shown


def check_names_are_completed():
    def is_completed(typed, shown):
        with Psql() as psql:
            # What is typed is shown too, so the end of the word has to come from psql.
            psql.type(typed)
            psql.until(typed)
            psql.type(TAB)
            psql.until(shown)

    each([
        ("select * from sys_inv", "ocation"),
        ("select * from sys_inb", "ox"),
        ("\\d sys_j", "ournal"),
        ("\\d sys_dep", "loyment"),
        ("select * from sys_invocation where target_service_n", "ame"),
        ("select * from state order by value_js", "on"),
        ("select * from publ", "ic."),
    ], is_completed)


def check_names_are_offered():
    def are_offered(typed, *names):
        with Psql() as psql:
            psql.type(typed + TAB + TAB)
            psql.until(*names)

    each([
        ("select * from sys_invocation", "sys_invocation_state", "sys_invocation_status"),
        ("select * from sys_", "sys_invocation ", "sys_journal ", "sys_wait"),
        ("\\d sys_journal", "sys_journal_events"),
        ("select * from state where service_", "service_name", "service_key_utf8"),
    ], are_offered)
