"""The authorization server of this folder as a process of its own, on http or https."""

import json
import pathlib
import ssl
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "System"))

from evertest.servers.certificates import Authority  # noqa: E402


class Trust:
    """A certificate authority made for this run, and its certificate for loopback."""

    def __init__(self, folder):
        folder.mkdir()
        authority = Authority(folder)
        self.authority, self.server = authority.certificate, authority.server()


class Server:
    """`life` is the average of the access tokens' lives, in seconds; `spread` a part of it."""

    def __init__(self, binary, life, *, size=1024, trust=None, rotates=True, grace=False,
                 spread=0.25, even=True):
        argv = [str(binary), "-life", "%ds" % life, "-size", str(size), "-spread", str(spread)]
        argv += [flag for flag, wanted in (
            ("-static", not rotates), ("-grace", grace), ("-even", even)) if wanted]
        argv += ["-certificate", str(trust.server)] if trust else []
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.authority = trust.authority if trust else None
        self.base = "http%s://127.0.0.1:%d" % (
            "s" if trust else "", int(self.process.stdout.readline()))
        context = ssl.create_default_context(cafile=str(trust.authority)) if trust else None
        # No proxy of the environment is asked about loopback.
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            *([urllib.request.HTTPSHandler(context=context)] if trust else []))

    @property
    def url(self):
        return self.base + "/token"

    def window(self):
        """What was counted since the last call."""
        return self._read("/window")

    def audit(self):
        """By client: how many tokens it has, when the last came (ms), and uses of spent ones."""
        return self._read("/audit")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def _read(self, path):
        with self.opener.open(self.base + path, timeout=60) as reply:
            return json.load(reply)
