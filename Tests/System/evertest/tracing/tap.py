"""The tap: strace records every byte that a program and its children pass to the kernel.

strace is started with `-D`, so the program keeps its parent, its process id and its signals. What
is recorded: every buffer of every kind of write and send, in full; arguments and environment of
every exec; every path; every name of a thread. What is read is recorded to know which request an
answer belongs to, and is not searched.
"""

import dataclasses
import re
import subprocess

WRITES = "write pwrite64 writev pwritev pwritev2 sendto sendmsg sendmmsg vmsplice".split()
#: Moves bytes inside the kernel, invisible for the tap.
WITHOUT_BUFFER = "splice tee sendfile copy_file_range".split()
READS = "read recvfrom recvmsg".split()
PATHS = ("open openat openat2 creat mkdir mkdirat rename renameat renameat2 link linkat symlink "
         "symlinkat mknod mknodat unlink unlinkat connect setxattr fsetxattr").split()
#: Other invisible ways of moving bytes: no program may use them.
UNSEEN = "io_uring_setup memfd_create process_vm_writev msgsnd mq_timedsend shmat".split()
OTHERS = "execve execveat prctl mmap".split()

LINE = re.compile(r"^(\d+) +(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((?:(\d+)<(.*?)>(?:, |\)))?")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
OPENED = re.compile(r"= \d+<(.*)>(?: \(deleted\))?$")
ESCAPED = re.compile(r"(?:\\x[0-9a-f]{2})+")
#: What this process may have written in the place of a program that it has not become yet.
BEFORE_EXEC = "start"


def strace(out):
    """The command that is put before a program's own."""
    calls = ",".join(WRITES + WITHOUT_BUFFER + READS + PATHS + UNSEEN + OTHERS)
    return ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-yy", "-v", "-xx", "-s", "4000000",
            "-e", "signal=none", "-o", str(out), "-e", "trace=" + calls]


def tapped(command, out, **options):
    """Starts a command under the tap; the process id is the command's own."""
    return subprocess.Popen([*strace(out), *map(str, command)], **options)


def _bytes(escaped):
    return bytes.fromhex(escaped.replace("\\x", ""))


def _plain(text):
    return ESCAPED.sub(lambda found: _bytes(found[0]).decode(errors="replace"), text)


def connection(target):
    """One end of a connection: strace names the other end only while there is one."""
    return re.split(r"->|\]|,", target)[0]


@dataclasses.dataclass
class Event:
    """One system call."""

    role: str  # daemon, cli, hook, command, start
    program: list[str]  # its arguments
    call: str
    descriptor: int  # -1 where the first argument is none
    target: str  # what the descriptor is: a path, a socket with its ends, a pipe
    data: bytes
    text: str  # the line of strace, for the flags
    opened: str = ""  # the path of the file that was opened

    @property
    def is_write(self):
        return self.call in WRITES

    @property
    def port(self):
        """The port at the other end of a TCP connection."""
        found = re.match(r"TCP.*->.*:(\d+)\]", self.target)
        return int(found[1]) if found else None


class Recording:
    """All events of a tapped program, and for each connection the first line that it read."""

    def __init__(self, file):
        self.events, self.requests, self.size = [], {}, file.stat().st_size
        self._programs, self._pending = {}, {}
        self._first = None
        with open(file, encoding="latin-1") as lines:
            for line in lines:
                self._read(line.rstrip("\n"))
        for thread, text in list(self._pending.items()):
            self._event(thread, text)  # it never came back

    def _read(self, line):
        found = LINE.match(line)
        if not found:
            return
        thread, text = int(found[1]), found[2]
        if text.endswith("<unfinished ...>"):
            self._pending[thread] = text.removesuffix("<unfinished ...>")
            return
        if resumed := RESUMED.match(text):
            text = self._pending.pop(thread, resumed[1] + "(") + resumed[2]
        self._event(thread, text)

    def _event(self, thread, text):
        call = CALL.match(text)
        if not call:
            return
        name = call[1]
        # What describes the descriptor may hold the path of a socket.
        strings = [_bytes(found) for found in STRING.findall(text, call.end())]
        if name in ("execve", "execveat"):
            self._exec(thread, text, strings)
            return
        role, program = self._programs.get(thread, self._first or (BEFORE_EXEC, []))
        target = _plain(call[3] or "")
        if name in READS:
            if strings and strings[0]:
                first = strings[0].partition(b"\r\n")[0].decode("latin-1")
                self.requests.setdefault(connection(target), first)
            return
        opened = OPENED.search(text) if name in PATHS else None
        self.events.append(Event(
            role, program, name, int(call[2]) if call[2] else -1, target, b"".join(strings),
            text if len(text) < 4000 else "", _plain(opened[1]) if opened else ""))

    def _exec(self, thread, text, strings):
        if not text.rstrip().endswith("= 0"):
            return
        words = re.search(r", \[(.*?)\], ", text)
        arguments = [_bytes(w).decode(errors="replace") for w in STRING.findall(words[1])]
        variables = strings[1 + len(arguments):]
        name = arguments[0].rpartition("/")[2] if arguments else ""
        if name in ("evertokend", "evertoken"):
            role = "daemon" if name == "evertokend" else "cli"
            self._first = self._first or (role, arguments)
        elif any(v.startswith(b"EVERTOKEN_CREDENTIAL=") for v in variables):
            role = "hook"
        else:
            role = "command" if self._first else BEFORE_EXEC
        self._programs[thread] = (role, arguments)
        self.events.append(Event(role, arguments, "execve argv", -1, "argv",
                                 "\0".join(arguments).encode(), ""))
        self.events.append(Event(role, arguments, "execve environ", -1, "environ",
                                 b"\0".join(variables), ""))

    def streams(self):
        """The writes of each program to each of its targets, put together: a secret may be split
        among them. Yields (an event that stands for all, their bytes)."""
        together = {}
        for event in self.events:
            place = (event.role, event.descriptor, event.target, event.is_write or event.call)
            together.setdefault(place, (event, []))[1].append(event.data)
        for event, parts in together.values():
            yield event, b"".join(parts)
