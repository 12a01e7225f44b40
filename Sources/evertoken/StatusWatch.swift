import ArgumentParser
import Glibc
import TokenAdapters
import TokenCore

/// `status --watch`: redrawn in place every second on a terminal, printed anew every five seconds
/// anywhere else. A daemon that goes away is waited for.
struct StatusWatch {
    let client: ControlClient
    let target: String
    let name: String?

    func run() throws {
        // The first answer says whether the question makes sense at all.
        let first = try client.successful("GET", target)
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number) { _ in watchWasInterrupted = 1 } }
        guard isatty(STDOUT_FILENO) == 1 else { return follow() }
        let screen = TerminalScreen()
        screen.open()
        defer { screen.close() }
        var body = first.body
        var note = ""
        while watchWasInterrupted == 0 {
            let view = StatusView(body: body, isOne: name != nil)
            screen.draw(
                view.lines(.standardOutput(), showsLife: true), footer: note + "q quits")
            if screen.quitWasPressed(within: 1000) { return }
            do throws(ControlClient.Unanswered) {
                let reply = try client.quietRequest("GET", target, timeout: 2)
                // It may have been removed from the configuration, or the daemon is stopping.
                note = reply.status == 200 ? "" : (reply.body["title"]?.text ?? "no answer") + "; "
                if reply.status == 200 { body = reply.body }
            } catch {
                note = "the daemon does not answer; this is how it stood; "
            }
        }
    }

    /// For a pipe or a file. Whoever stops reading ends it (SIGPIPE).
    private func follow() {
        while watchWasInterrupted == 0 {
            let reply = try? client.quietRequest("GET", target, timeout: 2)
            let view = reply.map { StatusView(body: $0.body, isOne: name != nil) }
            for line in view?.lines(.plain) ?? ["the daemon does not answer"] { print(line) }
            print("")
            fflush(nil)
            for _ in 0..<50 where watchWasInterrupted == 0 { usleep(100_000) }
        }
    }
}

/// Set by a signal handler, which may do nothing else (signal-safety(7)).
nonisolated(unsafe) private var watchWasInterrupted: sig_atomic_t = 0

/// The terminal's other screen, so that what was on it comes back (xterm's alternate screen), and
/// its keys one by one.
private final class TerminalScreen {
    private var before = termios()
    private var hasKeys = false

    func open() {
        hasKeys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0
        if hasKeys {
            var keys = before
            keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &keys)
        }
        write("\u{1B}[?1049h\u{1B}[?25l")
    }

    func close() {
        write("\u{1B}[?25h\u{1B}[?1049l")
        if hasKeys { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
    }

    /// Over what was there; what does not fit the window is left out, and said so.
    func draw(_ lines: [String], footer: String) {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 2
        let room = isKnown ? Int(size.ws_row) - 2 : 22
        var shown = Array(lines.prefix(room))
        if lines.count > room, !shown.isEmpty {
            let missing = lines.count - room + 1
            shown[shown.count - 1] = "(\(missing) more lines; make the window taller)"
        }
        let text = (shown + ["", footer]).joined(separator: "\u{1B}[K\n")
        write("\u{1B}[H" + text + "\u{1B}[K\u{1B}[J")
    }

    /// Waits for a key, a signal or the end of the time.
    func quitWasPressed(within milliseconds: Int32) -> Bool {
        guard hasKeys else {
            usleep(UInt32(milliseconds) * 1000)
            return false
        }
        var keys = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&keys, 1, milliseconds) > 0 else { return false }
        var key: UInt8 = 0
        // At its end there is nobody left to press anything.
        guard read(STDIN_FILENO, &key, 1) == 1 else { return true }
        return key == UInt8(ascii: "q") || key == UInt8(ascii: "Q")
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
    }
}
