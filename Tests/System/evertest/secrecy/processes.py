"""What other users can learn about a process: its data in /proc, the access of the same user, and
its remains after a crash."""

import json
import os
import pathlib
import subprocess

PAGES = ("cmdline", "environ", "maps", "status", "comm", "limits", "stat", "auxv", "wchan")

#: Run as the daemon's own user: tries everything that would give it the memory of process argv[1],
#: and prints what came of it: an errno, or 0.
ATTACK = """
import ctypes, errno, json, os, sys, time
pid, found = int(sys.argv[1]), {}
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.syscall.restype = ctypes.c_long
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def attempt(name, function):
    try:
        found[name] = 0 if function() else ctypes.get_errno() or errno.EIO
    except OSError as error:
        found[name] = error.errno
def read(name):
    with open("/proc/%d/%s" % (pid, name), "rb") as file:
        return len(file.read(1))
for name in ("environ", "maps", "auxv", "smaps"):
    attempt(name, lambda: read(name))
attempt("fd", lambda: os.listdir("/proc/%d/fd" % pid))
attempt("map_files", lambda: os.listdir("/proc/%d/map_files" % pid))
attempt("cwd", lambda: os.readlink("/proc/%d/cwd" % pid))
def memory():
    address = 4096
    try:
        with open("/proc/%d/maps" % pid) as file:
            address = int(file.readline().split("-")[0], 16)
    except OSError:
        pass
    return address
def peek():
    file = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    return os.pread(file, 16, memory())
attempt("mem", peek)
def vm():
    buffer = ctypes.create_string_buffer(16)
    mine, theirs = Vector(ctypes.addressof(buffer), 16), Vector(memory(), 16)
    return libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0) > 0
attempt("process_vm_readv", vm)
def pidfd():
    other = os.pidfd_open(pid)
    return libc.syscall(438, other, 1, 0) >= 0
attempt("pidfd_getfd", pidfd)
SEIZE, DETACH = 0x4206, 17
def seize():
    done = libc.ptrace(SEIZE, pid, None, None) == 0
    return done
attempt("ptrace", seize)
print(json.dumps(found))
"""


def snapshot(pid):
    """(place, bytes) of all that root sees of a process in /proc."""
    folder = pathlib.Path("/proc/%d" % pid)
    for page in PAGES:
        yield page, (folder / page).read_bytes()
    for link in ("cwd", "exe", "root"):
        yield link, os.fsencode(os.readlink(folder / link))
    for descriptor in (folder / "fd").iterdir():
        try:
            yield "fd", os.fsencode(os.readlink(descriptor))
        except FileNotFoundError:
            pass  # closed meanwhile
    for task in (folder / "task").iterdir():
        try:
            yield "task/comm", (task / "comm").read_bytes()
            yield "task/children", (task / "children").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            pass


def descendants(pid):
    """The processes that a process has started, and theirs."""
    found = []
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def attack(as_user, pid):
    """By attempt, the errno that it ended with for another process of the same user."""
    done = subprocess.run([*as_user, "/usr/bin/python3", "-c", ATTACK, str(pid)], text=True,
                          capture_output=True, timeout=30, check=True, cwd="/")
    return json.loads(done.stdout)


def core_files(*folders):
    """Everything below these that may be a core."""
    found = []
    for folder in folders:
        for path in pathlib.Path(folder).rglob("*core*"):
            if path.is_file() and not path.is_symlink():
                with open(path, "rb") as file:
                    if file.read(4) == b"\x7fELF":
                        found.append(str(path))
    return found


def wait_status(process):
    """How a process ended; unlike `wait`, with the flag for a core."""
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return status
