"""One state directory, one daemon; one refresh token, one request, however many processes try.

Dozens of daemons at one stroke, their holder killed or stopped; the state directory by other
names, through other mounts and from a chroot; its lock file deleted, replaced, moved. A proxy
counts the requests that are open at once for each refresh token; the server revokes all when a
spent one comes back. What happens inside one daemon is in `test_exclusion_tokens`.

EVERTOKEN_EXCLUSION_ROUNDS=N makes N rounds of the contest instead of 10, EVERTOKEN_SEED=S repeats
one. Needs root and, from Debian: mount, util-linux."""

import fcntl
import os
import random
import re
import signal
import time

from evertest.basics import BIN, wait_until
from evertest.exclusion import A_WHILE, TAKEN, ExclusionCase, Wave, at_once, serving_pid
from evertest.servers.token_server import Answer
from evertest.suite import Suite

SUITE = Suite(minutes=0.5)

DAEMONS = 64


class AContestOfManyDaemons(ExclusionCase):
    """Rounds: one of many gets the directory; it is killed, stopped or told to end; again."""

    def setUp(self):
        super().setUp()
        self.daemon = self.holder("crm")  # its directories, configuration and first token
        self.daemon.kill()
        self.rounds, self.started = 0, 0
        self.holding = self.contest()

    def wave(self, count=DAEMONS):
        self.started += count
        command = [str(BIN / "evertokend"), "--config", str(self.daemon.config_file)]
        return Wave(self, command, count, self.directory / ("wave-%d" % self.started))

    def settle(self, waves, survivors=1):
        """Waits until so many are left; the others must have said why. The one that is left."""
        wait_until(lambda: sum(len(w.alive()) for w in waves) <= survivors, 60,
                   "all but %d to give up" % survivors, pause=0.01)
        for loser in [m for w in waves for m in w.losers()]:
            self.assert_denied(loser, re.escape(str(self.daemon.state)))
        alive = [m for w in waves for m in w.alive()]
        self.assertEqual(len(alive), survivors, "\n".join(
            m.said() for w in waves for m in w.members)[-2000:])
        return alive[0] if alive else None

    def contest(self):
        wave = self.wave()
        wave.release()
        return self.settle([wave])

    def killed(self):
        self.holding.kill()
        self.holding = self.contest()

    def killed_in_the_middle_of_a_wave(self):
        before, after = self.wave(DAEMONS // 2), self.wave(DAEMONS // 2)
        before.release()
        self.holding.kill()
        after.release()
        self.holding = self.settle([before, after])

    def killed_in_mid_request(self):
        """The server did not take that request: its refresh token is good for another."""
        self.server.plan("crm", Answer(status=503, delay=0.3))
        count = self.order_without_waiting()
        self.holding.kill()
        self.holding = self.contest()
        self.await_published(self.daemon, "crm", count + 1)

    def stopped_for_a_while(self):
        with self.stopped(self.holding.pid):
            wave = self.wave()
            wave.release()
            self.settle([wave], survivors=0)
        self.assertIsNone(self.holding.process.poll())

    def ended_in_mid_request(self):
        self.server.plan("crm", Answer(delay=0.3))
        self.order_without_waiting()
        before, after = self.wave(DAEMONS // 2), self.wave(DAEMONS // 2)
        self.holding.process.send_signal(signal.SIGTERM)
        before.release()
        self.assertEqual(self.holding.process.wait(20), 0)
        after.release()
        self.holding = self.settle([before, after])

    def asked(self):
        return len(self.server.exchanges("crm"))

    def order_without_waiting(self):
        """Returns when the server has the request, and how many it has had."""
        before = self.asked()
        self.assertLess(self.daemon.request("POST", "/v1/credentials/crm/refresh")[0], 300)
        wait_until(lambda: self.asked() > before, 10, "a request", pause=0.005)
        return self.asked()

    def check_the_holder(self):
        """Only it answers; many concurrent requests for a refresh cause a single one."""
        wait_until(lambda: serving_pid(self.daemon.socket) == self.holding.pid, 10,
                   "the holder to answer: %s" % self.holding.said())
        self.await_published(self.daemon, "crm", self.asked())
        before = self.asked()
        answers = at_once([lambda: self.daemon.request(
            "POST", "/v1/credentials/crm/refresh")[0]] * 8)
        self.assertTrue(all(code < 300 for code in answers), answers)
        self.await_published(self.daemon, "crm", before + 1)
        self.assertLessEqual(self.asked(), before + 2)

    def test_one_of_many_holds_it_through_kills_and_stops_and_nobody_else_asks(self):
        seed = int(os.environ.get("EVERTOKEN_SEED", time.time_ns() % 1_000_000))
        rounds = int(os.environ.get("EVERTOKEN_EXCLUSION_ROUNDS", 10))
        chance = random.Random(seed)
        kinds = [self.killed, self.killed_in_the_middle_of_a_wave, self.killed_in_mid_request,
                 self.stopped_for_a_while, self.ended_in_mid_request]
        for number in range(rounds):
            if number % len(kinds) == 0:
                chance.shuffle(kinds)
            kind = kinds[number % len(kinds)]
            with self.subTest(kind=kind.__name__, seed=seed):
                self.check_the_holder()
                kind()
        self.check_the_holder()
        self.assertGreater(self.asked(), rounds)
        self.assertGreaterEqual(len(self.denied), rounds * (DAEMONS - 1))
        self.tell("contest", rounds=rounds, daemons_started=self.started,
                  turned_away=len(self.denied), seed=seed)


class AStoppedHolder(ExclusionCase):
    """SIGSTOP has the effect of a debugger, a frozen cgroup or a paused virtual machine."""

    def stop_in_mid_request(self, daemon, seconds):
        before = len(self.server.exchanges("crm"))
        self.hold = 0.4
        self.assertLess(daemon.request("POST", "/v1/credentials/crm/refresh")[0], 300)
        wait_until(lambda: len(self.server.exchanges("crm")) > before, 10, "a request", pause=0.005)
        with self.stopped(daemon.process.pid):
            end = time.monotonic() + seconds
            second = self.second(daemon, "second-%g" % seconds)
            self.assert_denied(second, re.escape(str(daemon.state)))
            unanswered = daemon.evertoken("refresh", "crm", timeout=seconds + 30,
                                          prefix=("timeout", "0.5"))
            self.assertNotEqual(unanswered.returncode, 0)
            self.proxy.wait_settled()  # the whole answer is on its way, and has only to be read
            time.sleep(max(0, end - time.monotonic()))
        self.await_published(daemon, "crm", before + 1)
        time.sleep(A_WHILE)
        self.hold = 0
        asked = self.server.exchanges("crm")[before:]
        self.assertEqual(len({e.refresh_token for e in asked}), len(asked))

    def test_nobody_steals_from_one_stopped_in_mid_request_and_it_commits_when_it_goes_on(self):
        daemon = self.holder("crm")
        self.stop_in_mid_request(daemon, 1)
        self.refresh(daemon, "crm")

    def test_stopped_for_longer_than_its_own_timeout_it_takes_the_answer_that_is_there(self):
        daemon = self.holder("crm", refresh={"min_interval": "0.5s", "timeout": "1s"})
        self.stop_in_mid_request(daemon, 2)
        self.refresh(daemon, "crm")


class TheSameDirectoryByOtherWays(ExclusionCase):
    def setUp(self):
        super().setUp()
        self.daemon = self.holder("crm")
        self.asked = len(self.proxy.exchanges)

    def tearDown(self):
        self.assertEqual(len(self.proxy.exchanges), self.asked, "another process sent a request")
        self.assertEqual(serving_pid(self.daemon.socket), self.daemon.process.pid)
        self.refresh(self.daemon, "crm")
        super().tearDown()

    def mounted(self, script):
        """A prefix: in a mount namespace of its own where `script` has been run."""
        return ("unshare", "--mount", "--propagation", "private", "sh", "-ec",
                script + '\nexec "$@"', "sh")

    def test_another_configuration_another_socket_and_other_outputs(self):
        self.assert_denied(self.second(self.daemon, "b"), re.escape(str(self.daemon.state)))

    def test_a_symbolic_link(self):
        link = self.directory / "link"
        link.symlink_to(self.daemon.state)
        self.assert_denied(self.second(self.daemon, "b", state_dir=str(link)), str(link))

    def test_another_mount_namespace(self):
        prefix = self.mounted("true")
        self.assert_denied(self.second(self.daemon, "b", prefix), str(self.daemon.state))

    def test_a_bind_mount_seen_by_one_of_them(self):
        place = self.directory / "bound"
        place.mkdir()
        prefix = self.mounted("mount --bind '%s' '%s'" % (self.daemon.state, place))
        self.assert_denied(
            self.second(self.daemon, "b", prefix, state_dir=str(place)), str(place))
        self.assertEqual(list(place.iterdir()), [], "the mount was not in force")

    def test_a_chroot_like_a_containers(self):
        root = self.directory / "root"
        root.mkdir()
        state = "/var/lib/evertoken-test"
        script = "mount --bind / '%s'\nmount -t proc proc '%s/proc'\n" % (root, root)
        script += "mount -t tmpfs tmpfs '%s/var/lib'\nmkdir '%s%s'\n" % (root, root, state)
        script += "mount --bind '%s' '%s%s'\n" % (self.daemon.state, root, state)
        prefix = (*self.mounted(script), "chroot", str(root))
        self.assert_denied(self.second(self.daemon, "b", prefix, state_dir=state), state)
        self.assertEqual(list(root.iterdir()), [])


class TheLockFile(ExclusionCase):
    """Deleted files in the state directory must not admit a second daemon."""

    def setUp(self):
        super().setUp()
        self.daemon = self.holder("crm")
        self.refresh(self.daemon, "crm")  # the seed of the configuration is spent, twice over
        self.lock = self.daemon.state / ".lock"

    def assert_nobody_gets_in(self, **changes):
        asked = len(self.proxy.exchanges)
        second = self.second(self.daemon, "b", **changes)
        state = changes.get("state_dir", str(self.daemon.state))
        self.assert_denied(second, re.escape(state))
        self.assertEqual(len(self.proxy.exchanges), asked)
        self.refresh(self.daemon, "crm")

    def test_deleted_while_it_is_held(self):
        self.lock.unlink()
        self.assert_nobody_gets_in()

    def test_replaced_while_it_is_held(self):
        other = self.daemon.state / ".another-lock"
        other.touch(mode=0o600)
        other.rename(self.lock)
        self.assert_nobody_gets_in()

    def test_held_by_somebody_else_it_keeps_the_daemon_out(self):
        """A backup, say, with flock(1)."""
        self.assertEqual(self.daemon.terminate(), 0)
        asked = len(self.proxy.exchanges)
        with open(self.lock, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assert_denied(self.second(self.daemon, "b"), re.escape(str(self.daemon.state)))
        self.assertEqual(len(self.proxy.exchanges), asked)
        self.daemon.start()
        self.refresh(self.daemon, "crm")

    def test_the_token_directory_of_a_daemon_is_its_own_too(self):
        other = self.second(self.daemon, "b", state_dir=str(self.directory / "another"),
                            token_dir=str(self.daemon.tokens))
        self.assertEqual(other.process.wait(10), TAKEN, other.said())
        self.assertRegex(other.said(), "another evertokend writes to .*give this one its own token")
        self.assertFalse((self.directory / "another" / "crm").exists())

    def test_the_directory_moved_while_it_is_held_by_its_new_name(self):
        moved = self.directory / "moved"
        self.daemon.state.rename(moved)
        self.assert_nobody_gets_in(state_dir=str(moved))
        self.assertEqual(self.daemon.terminate(), 0)
        self.daemon.configure(self.credentials_of(self.daemon) | {"state_dir": str(moved)})
        self.daemon.start()
        self.refresh(self.daemon, "crm")

    def test_the_directory_moved_while_it_is_held_by_its_old_name(self):
        """A daemon at the old place finds no state, a spent seed, and tokens that are newer."""
        old = self.daemon.state
        old.rename(self.directory / "moved")
        asked = len(self.proxy.exchanges)
        second = self.second(self.daemon, "b", token_dir=str(self.daemon.tokens))
        wait_until(lambda: second.process.poll() is not None or serving_pid(second.socket),
                   10, "the second daemon to start")
        time.sleep(A_WHILE)
        self.assertEqual(len(self.proxy.exchanges), asked, second.said())
        second.kill()
        self.refresh(self.daemon, "crm")
