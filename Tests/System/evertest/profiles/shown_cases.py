"""`evertoken check NAME --show-request` for every shipped profile."""

import concurrent.futures
import json
import os

from evertest.profiles.shown_requests import NAMES, fixture, variables_of
from evertest.programs import ProgramCase, evertoken, write_private


def of_each(names, function):
    """(name, what `function` made of it) for each, two or so at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(zip(names, pool.map(function, names)))


class ShownCase(ProgramCase):
    def entry(self, name, secret, ticket="/nonexistent"):
        """The fixture's credential, its secrets as `secret(key)`; `ticket` is the path for a
        variable that is one."""
        credential = fixture(name)["credential"] | {"provider": name}
        variables = dict(credential.get("variables", {}))
        for key, rule in variables_of(name).items():
            if rule.get("secret") and key in variables:
                variables[key] = str(ticket) if rule.get("from_file") else secret(key)
        for key in {"client_secret", "refresh_token"} & set(credential):
            credential[key] = secret(key)
        return credential | {"variables": variables}

    def show(self, config, *, name="c", place="evertoken.json", environment=None):
        file = write_private(self.directory / place, json.dumps(config))
        return evertoken("check", name, "--show-request", "--config", str(file), timeout=20,
                         environment=environment)

    def show_each(self, secret, ticket="/nonexistent", environment=None):
        """By name, the standard output for each profile with such secrets; all succeed."""
        shown = dict(of_each(NAMES, lambda name: self.show(
            {"credentials": {"c": self.entry(name, secret, ticket)}}, place=name + ".json",
            environment=environment)))
        for name, done in shown.items():
            with self.subTest(name):
                self.assert_exit(done, 0)
                self.assertEqual(done.stderr, "")
                self.assertTrue(done.stdout.startswith(f"c: ok, provider {name}\n\n# "))
        return {name: done.stdout for name, done in shown.items()}
