"""The programs that are measured side by side: how each is configured, started and named.

All have the same task: keep N credentials fresh against one authorization server, keep what a
restart needs in state/, and write each access token to run/NAME/token. `durability` says what each
flushes.
"""

import dataclasses
import importlib.util
import json
import pathlib
import shutil
import sys
from typing import Callable, Optional

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "Measurements"))

from loopback_token_server import SECRET  # noqa: E402
from programs import CannotMeasure, build_go, write_private  # noqa: E402

OURS, GO, PYTHON, CRON = "evertokend", "go", "python", "cron"
#: Files of conf.d stay below the limit of one configuration file.
CREDENTIALS_PER_FILE = 2000


@dataclasses.dataclass
class Task:
    """What a program is to do in one case."""

    folder: pathlib.Path   # the program's own; state/ and run/ are below it
    names: list
    url: str
    life: int              # seconds, on average
    authority: Optional[pathlib.Path] = None    # PEM, with https
    rotates: bool = True
    reuse_grace: str = ""
    min_interval: str = "10s"


@dataclasses.dataclass
class Start:
    """How the program of a task is started."""

    argv: list
    environment: dict


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    what: str
    durability: str
    configure: Callable
    most: int              # credentials it is measured with
    most_rate: float       # refreshes a second that it is given to do
    #: Debian packages, by what is missing without them.
    needs: dict


def credential_of_ours(name):
    return {"provider": "account", "client_id": name, "client_secret": SECRET,
            "refresh_token": "first-" + name, "outputs": [{"path": name + "/token"}]}


def write_drop_in(task, number, credentials):
    path = task.folder / "conf.d" / ("%06d.json" % number)
    return write_private(path, {"credentials": credentials})


def configure_ours(task, binary):
    (task.folder / "conf.d").mkdir()
    lifecycle = {"refresh_token": "rotating" if task.rotates else "static"}
    if task.reuse_grace:
        lifecycle["reuse_grace"] = task.reuse_grace
    config = {
        "state_dir": str(task.folder / "state"), "token_dir": str(task.folder / "run"),
        "control_socket": str(task.folder / "control.sock"), "ready_timeout": "10m",
        "defaults": {"refresh": {"at": "67%", "margin": "1s", "jitter": "0%",
                                 "min_interval": task.min_interval}},
        "providers": {"account": {
            "request": {"url": task.url, "client_auth": "client_secret_basic"},
            "lifecycle": lifecycle}}}
    if task.authority:
        config["ca_file"] = str(task.authority)
    path = write_private(task.folder / "evertoken.json", config)
    for start in range(0, len(task.names), CREDENTIALS_PER_FILE):
        some = task.names[start:start + CREDENTIALS_PER_FILE]
        write_drop_in(task, start, {name: credential_of_ours(name) for name in some})
    return Start([str(binary), "--config", str(path)], {})


def _list_of_credentials(task, path, **more):
    return write_private(path, {
        "state_dir": str(task.folder / "state"), "token_dir": str(task.folder / "run"),
        "credentials": [{"name": name, "token_url": task.url, "client_id": name,
                         "client_secret": SECRET, "refresh_token": "first-" + name}
                        for name in task.names], **more})


def configure_go(task, binary):
    path = _list_of_credentials(task, task.folder / "go.json")
    trust = {"SSL_CERT_FILE": str(task.authority)} if task.authority else {}
    return Start([str(binary), "-config", str(path)], trust)


def configure_python(task, binary):
    trust = {"ca_file": str(task.authority)} if task.authority else {}
    path = _list_of_credentials(task, task.folder / "python.json", **trust)
    return Start(["/usr/bin/python3", "-B", str(binary), str(path)], {})


def configure_cron(task, binary):
    (task.folder / "state").mkdir()
    for name, text in (("names", "\n".join(task.names)), ("url", task.url), ("secret", SECRET)):
        (task.folder / name).write_text(text + "\n")
    # As often as the shortest life needs: it cannot know when each is due.
    period = max(1, int(task.life * 0.75 * 0.67))
    return Start([str(binary), str(task.folder), str(period), str(task.authority or "")], {})


CONTENDERS = {one.name: one for one in (
    Contender(OURS, "evertokend", "each step of a refresh flushed before the next; token files: "
              "temporary file, fsync, rename, fsync of the directory",
              configure_ours, 100_000, 1e9, {}),
    Contender(GO, "a Go program with x/oauth2, one goroutine a credential",
              "state and token files: temporary file, fsync, rename, fsync of the directory",
              configure_go, 100_000, 1e9, {"go": "golang-go golang-golang-x-oauth2-dev"}),
    Contender(PYTHON, "a Python program with requests-oauthlib and 16 threads",
              "state and token files: temporary file, fsync, rename, fsync of the directory",
              configure_python, 1_000, 100, {"requests_oauthlib": "python3-requests-oauthlib"}),
    Contender(CRON, "a loop like cron's over curl | jq | mv, four at a time", "none: mv alone",
              configure_cron, 1_000, 20, {"curl": "curl", "jq": "jq"}))}


def programs(wanted, bin_dir, folder):
    """The files of the programs, built where that is needed."""
    found = {}
    for name in wanted:
        need(CONTENDERS[name].needs)
        found[name] = {
            OURS: lambda: bin_dir / OURS,
            GO: lambda: build_go(ROOT / "Tests/Measurements/go-refresher", folder / "go"),
            PYTHON: lambda: HERE / "contenders" / "refresher.py",
            CRON: lambda: HERE / "contenders" / "cron-sweep"}[name]()
        if not found[name].exists():
            raise CannotMeasure("%s is missing: swift build -c release" % found[name])
    return found


def need(tools):
    """Fails with the package of a program or a Python module that is missing."""
    for tool, package in tools.items():
        is_module = tool.isidentifier() and importlib.util.find_spec(tool)
        if not is_module and not shutil.which(tool):
            raise CannotMeasure("%s is missing: apt-get install %s" % (tool, package))


def touch_one(task, step):
    """Changes one credential of one file, as a configuration tool would."""
    path = task.folder / "conf.d" / "000000.json"
    content = json.loads(path.read_text())
    first = content["credentials"][task.names[0]]
    first["refresh"] = {"jitter": "%d%%" % (step % 5)}
    path.write_text(json.dumps(content, indent=2))
