"""Which secret may appear where, and the check of a recording."""

import collections
import dataclasses

from evertest.state_layout import SLOTS
from evertest.tracing.tap import BEFORE_EXEC, WITHOUT_BUFFER, connection

ALL = None
ACCESS = frozenset({"access"})
#: What a person hands to the command line, to be handed on.
GIVEN = frozenset({"imported", "imported_access", "code", "verifier"})


@dataclasses.dataclass
class Verdict:
    """The result of a search: allowed and forbidden findings."""

    allowed: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    leaks: list = dataclasses.field(default_factory=list)
    places: set = dataclasses.field(default_factory=set)
    bytes: int = 0

    def add(self, vault, place, data, kinds=frozenset()):
        """Searches `data`, found at `place`, where secrets of these kinds (None: all) may be."""
        self.places.add(place)
        self.bytes += len(data)
        for hit in vault.scan(data):
            if kinds is ALL or hit.canary.kind in kinds:
                self.allowed[place, hit.canary.kind] += 1
            else:
                self.leaks.append("%s: %s" % (place, hit))

    def kinds(self, place):
        """The kinds of secrets that were found at an allowed place."""
        return {kind for found, kind in self.allowed if found == place}


class Judge:
    """Knows the world's directories and ports."""

    def __init__(self, world):
        self.world, self.vault = world, world.vault
        self.state, self.tokens = str(world.state) + "/", str(world.tokens) + "/"
        self.outputs = {self.tokens, *(str(path) + "/" for path in world.more_outputs)}
        self.ports = {world.provider.port}

    def place(self, event, requests):
        """The place that an event writes to, and the kinds of secrets that may be there."""
        role, call, target = event.role, event.call, event.target
        if not event.is_write:
            if call == "execve argv" and role == "cli":
                return "argv of cli", frozenset({"code"} if "login" in event.program else ())
            if call == "execve environ" and role in ("daemon", BEFORE_EXEC):
                return "environ of daemon", frozenset({"client_secret"})  # as the operator set it
            kind = "a path or name" if "execve" not in call else call.removeprefix("execve ")
            return "%s of %s" % (kind, role), frozenset()
        if role == "daemon":
            return self._of_daemon(event, target, requests)
        if role == "cli":
            return self._of_cli(event, target)
        if role == "command" and target.startswith("pipe:") and event.descriptor == 1:
            return "pipe from command", frozenset({"client_secret"})
        if role == "command" and target.startswith("/dev/null"):
            return "nowhere, by command", ALL
        return "%s of %s" % (self._shown(target), role), frozenset()

    def _of_daemon(self, event, target, requests):
        if target.startswith(self.state) and target.rpartition("/")[2] in SLOTS:
            return "slot", ALL
        if any(target.startswith(folder) for folder in self.outputs):
            return "output", ACCESS | {"imported_access"}
        if event.port in self.ports:
            return "endpoint", ALL
        if target.startswith("UNIX"):
            request = requests.get(connection(target), "")
            if request.startswith("GET ") and "/token" in request:
                return "answer to GET token", ACCESS | {"imported_access"}
            return "answer to " + " ".join(request.split()[:2]), frozenset()
        return "%s of daemon" % self._shown(target), frozenset()

    def _of_cli(self, event, target):
        command = event.program[1] if len(event.program) > 1 else ""
        if target.startswith("UNIX"):
            return "request of %s" % command, GIVEN if command in ("import", "login") else (
                frozenset())
        if event.descriptor == 1 and command == "token":
            return "stdout of token", ACCESS | {"imported_access"}
        return "descriptor %d of %s" % (event.descriptor, command), frozenset()

    @staticmethod
    def _shown(target):
        return target.partition(":[")[0] if ":[" in target else target

    def judge(self, recording, verdict):
        """Searches every byte of a recording."""
        for event, data in recording.streams():
            place, kinds = self.place(event, recording.requests)
            verdict.add(self.vault, place, data, kinds)

    def strange_files(self, recording):
        """What the daemon and the command line made or opened for writing outside their places,
        and ways of writing that the tap does not see."""
        folders = (self.state, *self.outputs)
        own = {str(self.world.socket), "/dev/null", self.state[:-1], self.tokens[:-1]}
        found = []
        for event in recording.events:
            if event.role not in ("daemon", "cli"):
                continue
            unseen = event.call in ("io_uring_setup", "memfd_create", "process_vm_writev",
                                    "symlink", "symlinkat", "mknod", "mknodat", "shmat",
                                    *WITHOUT_BUFFER)
            shared = event.call == "mmap" and "MAP_SHARED" in event.text and (
                "PROT_WRITE" in event.text)
            opened = event.opened.partition("<")[0].removesuffix(" (deleted)")
            writes = event.opened and any(flag in event.text for flag in (
                "O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"))
            outside = writes and opened not in own and not opened.startswith(folders)
            if unseen or shared or outside:
                found.append("%s: %s %s" % (event.role, event.call, opened or event.text[:200]))
        return found
