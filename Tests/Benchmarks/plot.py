"""The plot: cost against the number of credentials, as SVG, without a library.

Four panels, each with logarithmic axes and a line for each program (http, rotating tokens).
"""

import html
import math

from contenders import CONTENDERS

PANELS = [
    ("processor time of a refresh, ms", lambda row: row["cpu_ms_per_refresh"]),
    ("private memory, MB", lambda row: row["private_kB"] / 1000),
    ("state on disk, MB", lambda row: row["state_bytes"] / 1e6),
    # Early is on time; so is all that is earlier than a millisecond.
    ("late at the server's door, 99 of 100, ms", lambda row: max(1, 1000 * row["late_p99"])),
]
COLOURS = {"evertokend": "#c0392b", "go": "#2471a3", "python": "#8d6e00", "cron": "#5f6a6a"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 270, 52, 16, 34, 40
LEGEND = 30


def svg(rows):
    rows = [row for row in rows if row["scheme"] == "http" and row["rotates"]
            and not row["is_overload"]]
    parts = [_panel(rows, title, value, (number % 2) * WIDTH, LEGEND + number // 2 * HEIGHT)
             for number, (title, value) in enumerate(PANELS)]
    width, height = 2 * WIDTH, LEGEND + 2 * HEIGHT
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
        'font-family="sans-serif" font-size="11">' % (width, height, width, height),
        "<title>Cost against number of credentials</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        _legend(rows), *parts, "</svg>"]) + "\n"


def _legend(rows):
    at, parts = LEFT, []
    for name in CONTENDERS:
        if any(row["program"] == name for row in rows):
            parts.append('<rect x="%d" y="12" width="14" height="4" fill="%s"/>'
                         '<text x="%d" y="18">%s</text>' % (at, COLOURS[name], at + 20, name))
            at += 110
    return "\n".join(parts)


class Axis:
    """A logarithmic scale from whole decades to whole decades onto a stretch of the page."""

    def __init__(self, values, begin, end):
        positive = [value for value in values if value > 0] or [1]
        self.low = math.floor(math.log10(min(positive)))
        self.high = max(self.low + 1, math.ceil(math.log10(max(positive)) - 1e-9))
        self.begin, self.end = begin, end

    def __call__(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + (self.end - self.begin) * share

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def _panel(rows, title, value, left, top):
    across = Axis([row["credentials"] for row in rows], left + LEFT, left + WIDTH - RIGHT)
    up = Axis([value(row) for row in rows], top + HEIGHT - BOTTOM, top + TOP)
    parts = ['<text x="%d" y="%d" font-weight="bold">%s</text>' % (
        left + LEFT, top + TOP - 12, html.escape(title))]
    for tick in across.ticks():
        parts.append(_line(across(tick), up.begin, across(tick), up.end))
        parts.append(_text(across(tick), up.begin + 14, _number(tick), "middle"))
    for tick in up.ticks():
        parts.append(_line(across.begin, up(tick), across.end, up(tick)))
        parts.append(_text(across.begin - 6, up(tick) + 4, _number(tick), "end"))
    parts.append(_text((across.begin + across.end) / 2, up.begin + 30, "credentials", "middle"))
    for name in CONTENDERS:
        points = sorted((row["credentials"], value(row)) for row in rows
                        if row["program"] == name and value(row) > 0)
        places = [(across(count), up(cost)) for count, cost in points]
        if len(places) > 1:
            parts.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (
                COLOURS[name], " ".join("%.1f,%.1f" % place for place in places)))
        for (count, cost), (x, y) in zip(points, places):
            parts.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s</title></circle>'
                         % (x, y, COLOURS[name], "%s, %d: %.4g" % (name, count, cost)))
    return "\n".join(parts)


def _line(x1, y1, x2, y2):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>' % (x1, y1, x2, y2)


def _text(x, y, text, anchor):
    return '<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (x, y, anchor, text)


def _number(value):
    return "{:,.0f}".format(value) if value >= 1 else "%g" % value
