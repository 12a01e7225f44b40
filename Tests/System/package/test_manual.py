"""The manual pages against what they describe: every option of `--help`, every key of the schema
with its default, every event of the catalog; and whether groff and mandoc like them.

Needs, from Debian: man-db, groff-base, mandoc."""

import json
import re
import subprocess
import unittest

from evertest.basics import BIN, ROOT, require_binaries, temporary_directory
from evertest.suite import Suite

SUITE = Suite(minutes=0.1)

PAGES = {name: (ROOT / "systemd" / "man" / name).read_text(encoding="utf-8")
         for name in ("evertoken.1", "evertoken.json.5", "evertoken-profiles.7",
                      "evertoken-units.7", "evertokend.8")}


def help_of(program, *arguments):
    """What `--help` prints."""
    require_binaries()
    return subprocess.run([BIN / program, *arguments, "--help"], timeout=30, text=True, check=True,
                          capture_output=True).stdout


def options(help_text):
    """The long options that a help text lists."""
    return set(re.findall(r"(?m)^  (?:-\w, )?--([\w-]+)", help_text))


def flags(text):
    """The long options that a page names: `Fl -min-ttl` is --min-ttl."""
    return set(re.findall(r"\bFl (?:h , Fl )?-([\w-]+)", text))


def takes_value(help_text):
    """The long options that a help text lists, and whether each takes a value."""
    found = re.findall(r"(?m)^  (?:-\w, )?--([\w-]+)( <[^>]+>)?", help_text)
    return {name: bool(value) for name, value in found}


def valued(text):
    """The long options that a page names, and whether it ever gives one a value."""
    told = {}
    for name, rest in re.findall(r"\bFl (?:h , Fl )?-([\w-]+)(?= *(Ar\b)?)", text):
        told[name] = told.get(name, False) or bool(rest)
    return told


def section(page, heading):
    """The text under one heading of a page."""
    found = re.search(rf"(?ms)^\.Sh \"?{heading}\"?\n(.*?)(?=^\.Sh |\Z)", PAGES[page])
    assert found, f"{page} has no section {heading}"
    return found[1]


def terms(text):
    """What a text sets in bold: the names of keys and of their values."""
    lines = re.findall(r"(?m)^\.(?:It |Pq )?Cm (.*)$", text)
    return {word for line in lines for word in line.split()}


def commands(page):
    """The text about each command of evertoken(1)."""
    parts = re.split(r"(?m)^\.It Ic (\w+)", section(page, "COMMANDS"))
    return dict(zip(parts[1::2], parts[2::2]))


def item(text, key):
    """The lines about one key, those of the lists inside it too."""
    lines, depth = [], 0
    for line in text.split("\n"):
        begins = re.match(r"\.It Cm (.*)$", line)
        if lines:
            depth += line.startswith(".Bl") - line.startswith(".El")
            if depth < 0 or (depth == 0 and line.startswith(".It")):
                return "\n".join(lines)
            lines.append(line)
        elif begins and key in begins[1].replace(",", " ").split():
            lines.append(line)
    return "\n".join(lines)


def properties(node):
    """Every property that a schema names inline, with its own schema."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            yield name, child
            if name != "defaults":  # repeats what stands elsewhere
                yield from properties(child)
        for keyword in ("items", "additionalProperties"):
            yield from properties(node.get(keyword))


class Looks(unittest.TestCase):
    def test_groff_formats_every_page_without_a_warning(self):
        for name in PAGES:
            done = subprocess.run(
                ["man", "--warnings", "-E", "UTF-8", "-l", ROOT / "systemd/man" / name],
                timeout=60, text=True, capture_output=True, check=True,
                env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            self.assertEqual(done.stderr, "", name)
            self.assertGreater(len(done.stdout.splitlines()), 100)

    def test_no_page_is_left_out(self):
        self.assertEqual(set(PAGES), {path.name for path in (ROOT / "systemd/man").iterdir()})

    def test_every_page_refers_to_all_others(self):
        for name in PAGES:
            told = re.findall(r"(?m)^\.Xr (evertoken\S*) (\d)", section(name, "SEE ALSO"))
            self.assertEqual({f"{page}.{number}" for page, number in told}, set(PAGES) - {name})

    def test_mandoc_finds_nothing_to_complain_of(self):
        for name in PAGES:
            done = subprocess.run(
                ["mandoc", "-T", "lint", "-W", "style", ROOT / "systemd/man" / name],
                timeout=60, text=True, capture_output=True, check=False)
            # The pages of a package that is not installed are not there.
            told = [line for line in done.stdout.splitlines()
                    if "referenced manual not found" not in line]
            self.assertEqual(told, [], name)

    def test_no_page_writes_a_line_that_does_not_fit_a_terminal(self):
        for name in PAGES:
            shown = subprocess.run(
                ["man", "-E", "UTF-8", "-l", ROOT / "systemd/man" / name], timeout=60, text=True,
                capture_output=True, check=True,
                env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}).stdout
            self.assertEqual([line for line in shown.splitlines() if len(line) > 80], [], name)


class TheCommands(unittest.TestCase):
    #: So many options that their usage names none.
    LONG = {"add", "login", "import", "check", "providers"}

    def test_every_command_and_every_option_of_it_is_in_the_page(self):
        whole = help_of("evertoken")
        listed = re.findall(r"(?m)^  ([a-z]+) +\S", whole.split("SUBCOMMANDS:")[1])
        self.assertIn("status", listed)
        told = commands("evertoken.1")
        self.assertEqual(set(listed) | {"help"}, set(told))
        anywhere = flags(section("evertoken.1", "DESCRIPTION"))
        self.assertLessEqual({"help", "socket", "config"}, anywhere)
        for name in listed:
            known = options(help_of("evertoken", name))
            self.assertIn("help", known)
            missing = known - flags(told[name]) - anywhere - {"version"}
            self.assertEqual(missing, set(), f"evertoken(1) does not tell of {name}'s")
            self.assertLessEqual(flags(told[name]), known, f"evertoken(1) tells too much of {name}")

    def test_options_take_a_value_in_the_page_where_they_do_in_the_help(self):
        compared = 0
        told = commands("evertoken.1")
        for name in set(told) - {"help"}:
            known, page = takes_value(help_of("evertoken", name)), valued(told[name])
            # What is only referred to needs no value there.
            for option in (set(known) & set(page)) - {"offline", "state-dir"}:
                self.assertEqual(page[option], known[option], f"--{option} of {name}")
                compared += 1
        self.assertGreater(compared, 25)

    def test_no_help_is_wider_than_a_terminal_and_no_example_is_broken_by_it(self):
        listed = re.findall(r"(?m)^  ([a-z-]+) +\S", help_of("evertoken").split("SUBCOMMANDS:")[1])
        for name in ["", *listed]:
            shown = help_of("evertoken", *([name] if name else []))
            wide = [line for line in shown.splitlines() if len(line) > 80
                    and (name in self.LONG or not line.startswith("USAGE:"))]
            self.assertEqual(wide, [], f"evertoken {name} --help; give it a `usage:`")
        examples = help_of("evertoken").partition("USAGE:")[0].splitlines()
        broken = [line for line in examples[1:] if re.match(r"\w+$", line)]
        self.assertEqual(broken, [])

    def test_every_option_of_the_daemon_is_in_its_page(self):
        known = options(help_of("evertokend"))
        self.assertIn("state-dir", known)
        self.assertEqual(known, flags(section("evertokend.8", "DESCRIPTION")))

    def test_every_state_is_in_the_table_of_what_to_do(self):
        source = (ROOT / "Sources/TokenFormats/Causes/CredentialState.swift").read_text()
        body = re.search(r"enum CredentialState: String.*?\{(.*?)\n\}", source, re.DOTALL)[1]
        states = {raw or name for name, raw in re.findall(
            r'(?m)^    case (\w+)(?: = "(\w+)")?', body)}
        self.assertIn("login_required", states)
        self.assertLessEqual(states, {word.strip(",") for word in terms(
            section("evertoken.1", "WHAT TO DO WHEN"))})


class TheConfiguration(unittest.TestCase):
    """Keys of profiles are in evertoken-profiles(7), all others in evertoken.json(5)."""

    SECTIONS = {"credential": "CREDENTIALS", "secret_place": "SECRETS", "refresh": "REFRESH",
                "output": "OUTPUTS", "profile": "PROVIDERS"}
    #: Told inside the text about this key.
    INSIDE = {"unit_grant": ("CREDENTIALS", "units")}
    OF_PROFILES = {"profile": "PROFILE", "variable": "VARIABLES",
                   "authorization": "AUTHORIZATION", "request": "REQUEST",
                   "response": "RESPONSE", "selector_rules": "WHERE A VALUE IS",
                   "expiry_rules": "WHEN A TOKEN ENDS", "error_rule": "REFUSALS",
                   "condition": "CONDITIONS", "lifecycle": "LIFECYCLE", "step": "STEPS",
                   "assertion": "ASSERTIONS"}

    def documented(self):
        """Every key that is to be told, its schema, and the text that should."""
        schema = json.loads((ROOT / "config/evertoken.schema.json").read_text())
        for key, node in properties(schema):
            yield key, node, section("evertoken.json.5", "TOP LEVEL")
        for name, definition in schema["$defs"].items():
            if name in self.OF_PROFILES and name != "profile":
                continue
            heading, key = self.INSIDE.get(name, (self.SECTIONS.get(name), None))
            text = section("evertoken.json.5", heading) if heading else PAGES["evertoken.json.5"]
            if key:
                # Without its own line, which has the same words for keys of its own.
                text = item(text, key).partition("\n")[2]
            for key, node in properties(definition):
                yield key, node, text

    def documented_of_profiles(self):
        """The same of profiles."""
        schema = json.loads((ROOT / "config/evertoken.schema.json").read_text())
        for name, heading in self.OF_PROFILES.items():
            text = section("evertoken-profiles.7", heading)
            for key, node in properties(schema["$defs"][name]):
                yield key, node, text

    def test_every_key_of_a_profile_and_no_other_is_in_its_page(self):
        schema = json.loads((ROOT / "config/evertoken.schema.json").read_text())
        found = list(self.documented_of_profiles())
        self.assertGreater(len(found), 90)
        for key, _, text in found:
            self.assertIn(key, terms(text), f"evertoken-profiles(7) does not tell of {key}")
        for name, heading in self.OF_PROFILES.items():
            known = {key for key, _ in properties(schema["$defs"][name])}
            told = re.findall(r"(?m)^\.It Cm (.*)$", section("evertoken-profiles.7", heading))
            self.assertEqual(set(told), known, heading)
        # Nothing of the schema stands in neither page.
        elsewhere = {name for name, node in schema["$defs"].items() if node.get("properties")}
        covered = set(self.SECTIONS) | set(self.INSIDE) | set(self.OF_PROFILES)
        self.assertLessEqual(elsewhere - {"no_proxy"}, covered)

    def test_every_key_of_the_schema_is_in_the_page(self):
        found = list(self.documented())
        self.assertGreater(len(found), 60)
        for key, _, text in found:
            self.assertIn(key, terms(text), f"evertoken.json(5) does not tell of {key}")

    def test_no_key_is_in_the_page_that_the_schema_does_not_have(self):
        known = {key for key, _, _ in self.documented()} | {"output", "refresh"}
        formats = {"raw", "json", "header", "env", "curl", "template"}
        for heading in ("TOP LEVEL", *self.SECTIONS.values()):
            text = section("evertoken.json.5", heading)
            told = re.findall(r"(?m)^\.It Cm (.*)$", text)
            keys = {key for line in told for key in line.replace(",", " ").split()}
            self.assertEqual(keys - known - formats, set(), heading)

    def test_every_default_is_in_the_page(self):
        compared = 0
        for key, node, text in [*self.documented(), *self.documented_of_profiles()]:
            about = item(text, key).replace(r"\(dq", '"')
            if "default" not in node or not about:
                continue
            default = node["default"]
            told = default if isinstance(default, str) else json.dumps(default)
            self.assertRegex(about, rf"(?<![\w.]){re.escape(told)}(?![\w%]|\.\d)", key)
            compared += 1
        self.assertGreater(compared, 12)

    def test_its_example_passes_the_check(self):
        text = section("evertoken.json.5", "EXAMPLES")
        example = re.search(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed", text)[1]
        file = temporary_directory(self) / "evertoken.json"
        file.touch(mode=0o600)
        file.write_text(example)
        done = subprocess.run([BIN / "evertoken", "check", "--config", file], timeout=30,
                              text=True, capture_output=True, check=False)
        # Its secrets are not on this machine, and nothing else is wrong.
        said = [line for line in done.stderr.splitlines() if "does not exist" not in line]
        self.assertEqual((done.returncode, said), (0, []))


class TheJournal(unittest.TestCase):
    def test_every_event_of_the_catalog_is_in_the_daemons_page(self):
        catalog = (ROOT / "systemd/evertoken.catalog").read_text()
        ids = re.findall(r"(?m)^-- ([0-9a-f]{32})$", catalog)
        self.assertGreater(len(ids), 5)
        told = re.findall(r"(?m)^\.It Li ([0-9a-f]{32}) ", PAGES["evertokend.8"])
        self.assertEqual(sorted(told), sorted(ids))

    def test_every_alert_is_in_the_daemons_page_and_no_other(self):
        rules = (ROOT / "config/evertoken.alerts.yml").read_text()
        alerts = set(re.findall(r"(?m)^ *- alert: (\w+)$", rules))
        self.assertGreater(len(alerts), 10)
        page = section("evertokend.8", "SYSTEMD").partition("\n.Ss Alerts\n")[2]
        lines = re.findall(r"(?m)^\.It Li (Evertoken.*)$", page)
        told = {alert for line in lines for alert in line.split(" , ")}
        self.assertEqual(told, alerts)

    def test_every_route_of_the_control_socket_is_in_the_daemons_page(self):
        names = json.loads((ROOT / "Tests/Fixtures/released-names.json").read_text())
        page = section("evertokend.8", "SYSTEMD").partition("\n.Ss Control socket\n")[2]
        told = [line.replace(" , ", " ") for line in re.findall(r"(?m)^\.It Li (.*/.*)$", page)]
        for route in names["routes"]:
            method, _, path = route.rpartition(" ")
            self.assertTrue(
                [line for line in told if re.search(rf"(^| ){re.escape(path)}( |\?|$)", line)
                 and (method in line or method == "GET")] if method else
                [line for line in told
                 if re.search(rf"[?&]{re.escape(route.lstrip('?'))}=", line)], route)
