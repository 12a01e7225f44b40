"""Configurations with a mistake beside, in, or made of a secret. What is said of it must point at
the place and quote nothing."""

import copy
import json

#: Everywhere a person can write something, with `SECRET` where a secret stands.
WHOLE = {
    "log_level": "info", "ready_timeout": "60s", "max_in_flight": 64, "slot_size": 65536,
    "allow_unsafe_state": False, "proxy": "http://user:SECRET@127.0.0.1:3128",
    "metrics": {"listen": "127.0.0.1:9464"}, "ca_file": "/etc/ssl/ca.pem",
    "control": {"mode": "0660", "group": "root", "allow": [{"user": "root"}, {"group": 0}]},
    "defaults": {"refresh": {"at": "67%", "margin": "60s"}, "output": {"mode": "0640"}},
    "providers": {"as": {
        "extends": "refresh_token",
        "request": {"url": "http://127.0.0.1:1/token", "method": "POST", "encoding": "form",
                    "client_auth": "client_secret_basic", "headers": {"X-Key": "SECRET"},
                    "params": {"password": "SECRET"}, "tls": {"ca_file": "/etc/ssl/ca.pem"}},
        "response": {"access_token": "/access_token", "expires": {"from": "/e", "as": "seconds"}},
        "variables": {"api_key": {"secret": True}},
        "lifecycle": {"min_interval": "10s"}}},
    "credentials": {"crm": {
        "provider": "as", "client_id": "crm", "client_secret": "SECRET", "scope": "a",
        "refresh_token": "SECRET", "variables": {"api_key": "SECRET", "private_key": "SECRET"},
        "refresh": {"at": "67%", "jitter": "5%", "timeout": "30s", "min_interval": "10s",
                    "retry": {"initial": "1s", "max": "5m"}},
        "outputs": [{"path": "crm/token", "format": "template", "template": "${access_token}",
                     "mode": "0640", "owner": "root", "group": "root", "on_expiry": "keep"}],
        "on_change": [{"exec": ["/bin/true", "a"], "timeout": "10s"}]},
        "drive": {"provider": "as", "client_id": "drive",
                  "client_secret": {"file": "/etc/no-such-secret"},
                  "refresh_token": {"command": ["/bin/cat", "/dev/null"]}}},
}
#: Names of profiles, users, groups, files and programs are told to the person who gave them, and so
#: are the names of variables in these templates: what stands there is a name and no secret.
NAMES = ("provider", "extends", "owner", "group", "path", "file", "ca_file", 0)
NAMING = ("url", "template")


def leaves(node, path=()):
    """The paths of all values that are neither objects nor arrays."""
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inside:
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def objects(node, path=()):
    inside = node.items() if isinstance(node, dict) else enumerate(node)
    if isinstance(node, dict):
        yield path
    for key, value in inside:
        if isinstance(value, (dict, list)):
            yield from objects(value, (*path, key))


def with_value(path, value):
    """The whole with another value at one place."""
    whole = copy.deepcopy(WHOLE)
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return whole


def texts(secret):
    """(what was done, the text of the configuration as bytes), with this secret."""
    fine = json.dumps(WHOLE, indent=1).replace("SECRET", secret)
    for path in leaves(WHOLE):
        if path[-1] not in NAMES:
            name = ".".join(map(str, path))
            for what, value in (
                    ("text", secret), ("list", [secret]), ("object", {"a": secret}),
                    ("template", "${%s" % secret), ("variable", "${%s}" % secret),
                    ("prefix", "http://" + secret)):
                text = json.dumps(with_value(path, value), indent=1)
                if what == "variable" and path[-1] in NAMING:
                    continue
                yield "%s: %s" % (name, what), text.replace("SECRET", secret).encode()
    for path in objects(WHOLE):
        changed = with_value((*path, "clientt_secret"), secret)
        yield "unknown key in %s" % (path,), json.dumps(changed).replace("SECRET", secret).encode()
    crm = ("credentials", "crm")
    for path in ((*crm, "client_secret"), (*crm, "refresh_token"),
                 (*crm, "variables", "api_key"), ("credentials", "drive", "client_secret")):
        for value in ({secret: ""}, {secret: "file"}, {"file": "/a", secret: 1}, {"file": {
                secret: 1}}, {"command": [{secret: 1}]}):
            text = json.dumps(with_value(path, value)).replace("SECRET", secret)
            yield "key of %s" % path[-1], text.encode()
    yield from broken(fine, secret)


def broken(fine, secret):
    """What is no JSON any more, at every place where the secret stands."""
    place = fine.find(secret)
    while place >= 0:
        end = place + len(secret)
        for what, text in (
                ("unterminated", fine[:end] + fine[end:].replace('"', "", 1)),
                ("cut off", fine[:end - 3]), ("unquoted", fine[:place].rstrip('"') + fine[place:]),
                ("newline", fine[:end - 2] + "\n" + fine[end - 2:]),
                ("escape", fine[:end - 2] + "\\q" + fine[end - 2:]),
                ("surrogate", fine[:end - 2] + "\\ud800" + fine[end - 2:]),
                ("comma", fine[:end] + fine[end:].replace(",", "", 1)),
                ("twice", fine[:end + 1] + ', "client_secret": "%s", "client_secret": "%s"' % (
                    secret, secret) + fine[end + 1:]),
                ("garbage", fine[:end + 1] + secret + fine[end + 1:])):
            yield "%s at %d" % (what, place), text.encode()
        yield "no UTF-8 at %d" % place, fine[:end].encode() + b"\xff" + fine[end:].encode()
        place = fine.find(secret, end)
    yield "behind the end", (fine + secret).encode()
    yield "nothing else", secret.encode()
    yield "the secret in quotes", json.dumps(secret).encode()
