"""A request ends with its process: data that the kernel has not delivered when the daemon is
killed, gives up, or is stopped for too long, is not delivered later. By default a kernel continues
for minutes, while the restarted daemon sends the same refresh token again: many providers take that
for theft.

The path is cut when the TLS handshake has come over it, and before the request: so the request lies
in the kernel, undelivered. That a kernel does go on, and that the path was as it should be, is
shown each time by a client without that care, on the same path at the same time.

Needs root and, from Debian: iproute2, util-linux, openssl.
"""

import pathlib
import signal
import threading
import time

from evertest.basics import at_end, temporary_directory, wait_until
from evertest.far_network import FarNetwork, wait_for_queue
from evertest.programs import PlainDaemon
from evertest.servers.certificates import Authority, context
from evertest.servers.raw_server import RawServer, answer, replying
from evertest.suite import Suite
from evertest.wire import WireCase, form, granting

SUITE = Suite(timed=True, minutes=0.8)

#: Of an exchange, in seconds.
PATIENCE = 8
#: A request in TLS, and then some that is sent with it.
REQUEST = 250
BARE = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class CutPathTest(WireCase):
    def setUp(self):
        self.network = FarNetwork(self)
        directory = temporary_directory(self)
        authority = Authority(directory)
        self.side = context(authority.server(names="IP:" + self.network.here))
        self.side.sni_callback = self.stop_the_client
        self.shaken = threading.Event()
        self.released = threading.Event()
        at_end(self, self.released.set)
        self.server = self.far_server(replying(200, granting(1)), self.patient, context=self.side)
        self.careless = self.far_server(lambda connection: connection.receive())
        provider = {"request": {
            "url": f"https://{self.network.here}:{self.server.port}/token",
            "client_auth": "client_secret_basic", "tls": {"ca_file": str(authority.certificate)}}}
        credential = self.credential("far") | {
            "refresh": {"min_interval": "0.5s", "timeout": f"{PATIENCE}s"}}
        self.daemon = PlainDaemon(self, temporary_directory(self), {
            "providers": {"far": provider}, "credentials": {"far": credential}}, {})
        self.daemon.prefix = self.network.prefix

    def far_server(self, *scripts, context=None):
        server = RawServer(*scripts, context=context, address=self.network.here).start()
        at_end(self, server.stop)
        return server

    def patient(self, connection):
        """Answers when the test has looked at the daemon."""
        connection.read_request()
        self.released.wait(30)
        connection.send(answer(200, granting(1)))

    def stop_the_client(self, *_):
        """The ClientHello is here: before the first client hears more, it is stopped."""
        if not self.shaken.is_set():
            self.daemon.process.send_signal(signal.SIGSTOP)
            # Until one thread has taken the signal, the others go on.
            wait_until(self.is_stopped, 10, "the daemon to stop", pause=0.01)
            self.shaken.set()

    def is_stopped(self):
        """Whether no thread of the daemon runs (proc_pid_stat(5))."""
        tasks = pathlib.Path("/proc", str(self.daemon.process.pid), "task").glob("*/stat")
        return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)

    def block_a_request(self):
        """The daemon's first request lies undelivered in the kernel, behind a cut path, and after
        it that of a client without care. That client is dead by now."""
        careless = self.network.client(self.careless.port)
        self.daemon.start(wait=False)
        self.assertTrue(self.shaken.wait(20), "no connection")
        wait_for_queue(self.network, self.server.port, 1, 300, "the server's handshake")
        self.network.cut()
        self.heard = len(self.server.connections[0].wire)
        self.daemon.process.send_signal(signal.SIGCONT)
        wait_for_queue(self.network, self.server.port, 0, REQUEST, "a request that is stuck")
        careless.send("late")
        careless.kill()

    def mend(self):
        """The path is whole again, and what the careless client's kernel holds comes over it."""
        self.assertEqual(bytes(self.careless.connections[0].wire), b"")
        self.network.mend()
        wait_until(lambda: bytes(self.careless.connections[0].wire) == b"late\n", 30,
                   "what the kernel of a dead client still sends")

    def assert_only_the_second_connection_carried_a_request(self):
        """Its retransmissions would have come with the careless client's; some time on top."""
        self.wait_connections(self.server, 2, 20)
        self.released.set()
        self.wait_state("far", "fresh")
        time.sleep(3)
        first = self.server.connections[0]
        self.assertEqual(len(first.wire), self.heard, "the dead connection went on")
        self.assertEqual(bytes(first.plain), b"")
        self.assertEqual([form(one)["refresh_token"] for one in self.server.requests], ["seed-far"])
        self.assertEqual(len(self.server.connections), 2)

    def test_a_killed_daemon_s_request_is_not_delivered_by_its_kernel(self):
        self.block_a_request()
        self.daemon.kill()
        time.sleep(1)
        self.mend()
        self.daemon.start()
        # It may have been delivered for all the next life knows.
        status = self.wait_error("far", "ambiguous")
        self.assertEqual(status["state"], "pending")
        self.assert_only_the_second_connection_carried_a_request()

    def test_a_request_that_was_given_up_is_not_delivered_later(self):
        self.block_a_request()
        self.wait_error("far", "ambiguous", PATIENCE + 10)
        self.mend()
        self.assert_only_the_second_connection_carried_a_request()

    def test_a_request_of_a_daemon_that_is_stopped_for_too_long_is_not_delivered_later(self):
        self.block_a_request()
        self.daemon.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: not self.network.queues(self.server.port), PATIENCE + 10,
                   "the end of the connection", pause=0.1)
        self.mend()
        self.daemon.process.send_signal(signal.SIGCONT)
        self.wait_error("far", "ambiguous")
        self.assert_only_the_second_connection_carried_a_request()


class EndTest(WireCase):
    """How a connection ends for a server that does not end it itself."""

    def ending(self, data, into):
        """Sends this for a request, and notes how the client goes: in order, or with a reset."""
        def script(connection):
            connection.read_request()
            connection.send(data)
            try:
                while connection.receive():
                    pass
                into.append("in order")
            except ConnectionResetError:
                into.append("reset")
                raise
        return script

    def ends(self, data, context=None, **more):
        """One refresh that gets this answer; how the connection ended, and the status."""
        ends = []
        server = self.serve(self.ending(data, ends), context=context)
        provider = self.provider(server, scheme="https" if context else "http", **more)
        credential = self.credential("one") | {"refresh": {"min_interval": "0.5s", "timeout": "2s"}}
        self.start({"one": provider}, {"one": credential})
        wait_until(lambda: ends, 10, "the end of the connection", self.daemon)
        return ends[0]

    def test_after_a_whole_response_it_ends_in_order(self):
        chunks = granting(1)[:20], granting(1)[20:]
        chunked = BARE + "Transfer-Encoding: chunked\r\n\r\n" + "".join(
            f"{len(chunk):x}\r\n{chunk.decode()}\r\n" for chunk in [*chunks, b""])
        for name, data in {"length": answer(200, granting(1)), "chunks": chunked.encode()}.items():
            with self.subTest(name):
                self.assertEqual(self.ends(data), "in order")
                self.wait_state("one", "fresh")
                self.daemon.kill()

    def test_after_a_whole_response_in_tls_it_ends_in_order(self):
        authority = Authority(temporary_directory(self))
        ending = self.ends(answer(200, granting(1)), context(authority.server()),
                           tls={"ca_file": str(authority.certificate)})
        self.assertEqual(ending, "in order")
        self.wait_state("one", "fresh")

    def test_before_the_whole_response_it_ends_with_a_reset(self):
        chunk = granting(1).decode()
        cut = {"head": BARE, "length": answer(200, granting(1))[:-1].decode(),
               "last chunk": BARE + "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
                   len(chunk), chunk)}
        for name, data in cut.items():
            with self.subTest(name):
                self.assertEqual(self.ends(data.encode()), "reset")
                self.daemon.kill()

    def test_a_name_of_which_the_first_address_refuses_is_served_by_the_second(self):
        """Of two sockets it is the connected one that carries the request."""
        ends = []
        server = self.serve(self.ending(answer(200, granting(1)), ends))
        provider = self.provider(server)
        provider["request"]["url"] = f"http://localhost:{server.port}/token"
        self.start({"one": provider})
        self.wait_state("one", "fresh")
        wait_until(lambda: ends == ["in order"], 10, "the end of the connection", self.daemon)
