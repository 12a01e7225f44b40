"""One scrape of a daemon's metrics, as the official OpenMetrics parser of Prometheus reads it.

Needs, from Debian: python3-prometheus-client."""

from __future__ import annotations

import http.client
import json
from typing import Any, Optional

from prometheus_client.openmetrics.parser import text_string_to_metric_families

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
STATES = ("pending", "fresh", "refreshing", "retrying", "expired", "login_required",
          "misconfigured", "quarantined")
#: A name with its labels, sorted.
Key = tuple[str, tuple[tuple[str, str], ...]]


class Scrape:
    """Every sample of one text; a mistake in the text is an exception."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples: dict[Key, float] = {}
        for family in self.families.values():
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                if key in self.samples:
                    raise AssertionError("twice in one scrape: %s" % (key,))
                self.samples[key] = sample.value

    def value(self, name: str, **labels: str) -> Optional[float]:
        """The sample of this name with exactly these labels; None where there is none."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def series(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """By their labels, the samples of this name that have these labels and maybe others."""
        return {key[1]: value for key, value in self.samples.items()
                if key[0] == name and labels.items() <= dict(key[1]).items()}

    def state(self, credential: str) -> str:
        """The one state that is set."""
        values = {state: self.value("evertoken_credential_state", credential=credential,
                                    evertoken_credential_state=state) for state in STATES}
        if sorted(values.values(), key=str) != [0.0] * (len(STATES) - 1) + [1.0]:
            raise AssertionError("%s: not one state: %s" % (credential, values))
        return next(state for state, value in values.items() if value)

    def attempts(self, credential: str) -> dict[str, float]:
        """By failure class (`none` for successes), how many attempts have ended."""
        found = {}
        for labels, value in self.series("evertoken_refresh_attempts_total",
                                         credential=credential).items():
            named = dict(labels)
            if (named["result"] == "success") != (named["class"] == "none"):
                raise AssertionError("no such result: %s" % named)
            found[named["class"]] = value
        return found


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and text of a GET on the loopback listener."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or "", answer.read().decode()
    finally:
        connection.close()


def scrape(daemon: Any) -> Scrape:
    """Over the control socket."""
    status, text = daemon.request("GET", "/metrics")
    if status != 200:
        raise AssertionError("GET /metrics: %d %s" % (status, text))
    return Scrape(text)


def health(daemon: Any, port: int) -> tuple[int, dict[str, Any]]:
    """What both listeners say; fails where they differ."""
    for _ in range(20):
        status, content_type, text = get(port, "/healthz")
        answers = (status, json.loads(text)), daemon.request("GET", "/healthz")
        if answers[0] == answers[1]:
            if content_type != "application/json":
                raise AssertionError("healthz is no JSON: %s" % content_type)
            return answers[0]
    raise AssertionError("the two listeners differ: %s" % (answers,))
