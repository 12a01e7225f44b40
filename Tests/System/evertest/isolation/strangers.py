"""Programs of another local user that attack the daemon."""

import json
import pwd
import subprocess

from evertest.basics import at_end

#: The user that attacks: a fixed account of Debian's.
ATTACKER = "nobody"
STATUS = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"

#: Opens connections, says the same on each, reads nothing; tells for each line of standard input
#: which of them the daemon has closed.
CROWD = """
import json, select, socket, struct, sys
address, count, text = json.loads(sys.argv[1])
is_path = isinstance(address, str)
def connect():
    one = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 20, 0))
    try:
        one.connect(address if is_path else tuple(address))
        one.sendall(text.encode())
    except OSError as error:
        print(error, file=sys.stderr)
    return one
def is_closed(one):
    poll = select.poll()
    poll.register(one, select.POLLRDHUP)
    return bool(poll.poll(0))
crowd = [connect() for _ in range(count)]
print(json.dumps([]), flush=True)
for _ in sys.stdin:
    print(json.dumps([n for n, one in enumerate(crowd) if is_closed(one)]), flush=True)
"""
#: Sends so many bytes with each text and then, for some seconds, up to 16,000 more of each, byte by
#: byte, all in turn.
DRIP = """
import json, socket, sys, time
address, seconds, texts = json.loads(sys.argv[1])
streams = []
for first, at_once in texts:
    one = socket.socket(socket.AF_UNIX)
    one.connect(address)
    one.sendall(first.encode() + b"[" * at_once)
    streams.append(one)
print(json.dumps([]), flush=True)
end, sent = time.monotonic() + seconds, 0
while time.monotonic() < end and sent < 16_000 * len(streams):
    for one in streams:
        try:
            sent += one.send(b"[")
        except OSError:
            pass  # the daemon has closed it
    time.sleep(0.0001)
print(json.dumps(sent), flush=True)
"""
#: Holds the lock that other users can take, from now on or from the moment when it is free.
HOLD_LOCK = """
import fcntl, os, sys
directory = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
try:
    fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("[]", flush=True)
except BlockingIOError:
    print("[]", flush=True)
    fcntl.flock(directory, fcntl.LOCK_EX)
sys.stdin.read()
"""


def become(name):
    """The command that becomes a user, without the groups of the one before."""
    user = pwd.getpwnam(name)
    return ("setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid, "--clear-groups")


class Stranger:
    """A program of the attacker that runs while the test goes on."""

    def __init__(self, case, program, *arguments):
        self.process = subprocess.Popen(
            [*become(ATTACKER), "/usr/bin/python3", "-c", program, *map(str, arguments)], cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        at_end(case, self.stop)
        self.heard()

    @classmethod
    def crowd(cls, case, address, count, text=""):
        """Connections of the attacker that read nothing, once they have all been tried."""
        return cls(case, CROWD, json.dumps([address, count, text]))

    def heard(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the other user's program ended: %s" % self.process.wait())
        return json.loads(line)

    def closed(self):
        """The numbers of the connections that the daemon has closed."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.heard()

    def stop(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass


def paths_that_make_a_status_large(count):
    """For one output of each credential: so many of them are more than a socket's buffer holds."""
    folders = ("/" + "long-name-" * 23) * 4
    return ["many-%d%s" % (number, folders) for number in range(count)]
