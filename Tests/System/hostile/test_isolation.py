"""A hundred healthy credentials are renewed in time, whatever else misbehaves.

One daemon is measured twice, with the same healthy credentials: in peace, and while everything
else that a configuration can name attacks it at once. Hostile answers, dripping and silent
providers, a name server that does not answer, a frozen disk, hooks and secrets that hang, and
users who fill both listeners. evertest/isolation/world.py says how many of each.

EVERTOKEN_ISOLATION_SECONDS sets how long each of the two is measured, 25 if it is not set. Needs
root, for a frozen loop image and for processes of the user nobody.
"""

import http.client
import os
import subprocess
import time
import unittest

from evertest.basics import temporary_directory
from evertest.isolation.measuring import LONGEST_STEP, Measurement, table
from evertest.isolation.world import HEALTHY, World, chosen_attacks
from evertest.suite import Suite

SUITE = Suite(alone=True, minutes=1.3)

SECONDS = float(os.environ.get("EVERTOKEN_ISOLATION_SECONDS", "25"))
#: What the attacked daemon is held to: seconds, and threads.
LATENESS, LATEST, STATUS, THREADS, STOP = 0.25, 1.0, 2.0, 200, 60
#: Until the attackers have taken all they can get.
SETTLING = 3
#: What shows that an attack took place: a count that the attackers keep, by its name.
EVIDENCE = {"bodies": "bodies", "drips": "drips", "silence": "silence", "names": "names",
            "disk": "output problems", "hooks": "hooks", "peers": "flood",
            "commands": "commands"}


class IsolationTest(unittest.TestCase):
    def setUp(self):
        self.world = World(self, temporary_directory(self))
        self.daemon = self.world.daemon

    def test_no_neighbour_delays_a_healthy_credential(self):
        attacks = chosen_attacks()
        self.daemon.start()
        self.assertTrue(self.world.waits(self.world.is_healthy, 30), self.daemon.report())
        columns = {"quiet": self.measure()}
        self.assertEqual(self.daemon.terminate(), 0)
        self.world.attack(attacks)
        time.sleep(SETTLING)
        found = []
        if not self.world.waits(self.world.is_healthy, 30):
            found.append("30 s after its start the daemon has not renewed every healthy credential")
        columns["attacked"] = figures = self.measure()
        if self.lateness(figures) and not found + self.mistakes(figures):
            # The machine may have stalled; a daemon that is late is late again.
            columns["attacked again"] = figures = self.measure()
        found += self.mistakes(figures) + self.lateness(figures) + figures.problems[:5]
        counts = self.evidence()
        lost = self.world.never_written_again()
        if lost:
            found.append("%d credentials do not write to the thawed disk again" % lost)
        counts |= self.world.end_attack()
        seconds, status = self.stop()
        if status != 0:
            found.append("%.0f s after SIGTERM its exit status is %s" % (seconds, status))
        print("\nisolation, attacked by %s; stopped in %.1f s\n%s\n%s" % (
            ", ".join(attacks) or "none", seconds, table(columns),
            ", ".join("%s: %s" % pair for pair in sorted(counts.items()))), flush=True)
        if "CONTINUATION MISUSE" in self.daemon.stderr():
            found.append("something waits for ever: its continuation was thrown away")
        found += ["the attack %s did not take place" % attack for attack in attacks
                  if not counts.get(EVIDENCE[attack])]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def measure(self):
        """The figures of one phase."""
        measurement = Measurement(self.daemon, self.world.ends, HEALTHY).start()
        time.sleep(SECONDS)
        return measurement.stop()

    def mistakes(self, figures):
        """Failures that no slow machine explains."""
        found = []
        if self.daemon.died():
            found.append("the daemon has ended")
        if not figures.cpu.count:
            found.append("the daemon does not measure its loop's steps")
        elif figures.cpu.longer:
            found.append("%d steps took over %s s of CPU, the longest up to %s s" % (
                figures.cpu.longer, LONGEST_STEP, figures.cpu.highest))
        if figures.lapses:
            found.append("%d tokens had ended and were still in their files, such as of %s" % (
                len(figures.lapses), min(figures.lapses)[0]))
        if figures.threads > THREADS:
            found.append("%d threads" % figures.threads)
        if max(figures.statuses, default=STATUS + 1) > STATUS:
            found.append("root waited %.2f s for a status" % max(figures.statuses, default=-1))
        return found

    def lateness(self, figures):
        """By the clock on the wall: what a machine that stalls can cause, too."""
        found = []
        for share, limit in ((0.999, LATENESS), (1, LATEST)):
            if not figures.lateness_at(share) <= limit:
                found.append("lateness at %g%%: %.3f s" % (share * 100, figures.lateness_at(share)))
        return found

    def evidence(self):
        """What the daemon and the machine show of the attacks."""
        try:
            _, text = self.daemon.request("GET", "/metrics", timeout=60)
        except (OSError, http.client.HTTPException):
            text = ""
        problems = [line for line in text.splitlines() if line.endswith(" 1")
                    and line.startswith('evertoken_output_problem{credential="disk')]
        return {"output problems": len(problems),
                "hooks": len(self.world.programs(b"EVERTOKEN_RUN=")),
                "commands": len(self.world.programs(b"HOME="))}

    def stop(self):
        """Seconds from SIGTERM to the end, and the exit status; None when it had to be killed."""
        begin = time.monotonic()
        self.daemon.process.terminate()
        try:
            status = self.daemon.process.wait(STOP)
        except subprocess.TimeoutExpired:
            status = None
            self.daemon.kill()
        return time.monotonic() - begin, status
