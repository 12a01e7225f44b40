internal import Glibc
internal import TokenFormats

/// The terminal's alternate screen, so that the former contents return afterwards (as in xterm),
/// and its keys one by one.
final class TerminalScreen {
    private var before = termios()
    private var hasKeys = false
    /// The input is at its end, so no key can follow.
    private(set) var isGone = false

    func open() {
        hasKeys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0
        if hasKeys {
            var keys = before
            keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &keys)
        }
        // The terminal cuts long lines instead of wrapping them.
        write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l")
    }

    func close() {
        write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l")
        if hasKeys { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
    }

    /// The number of lines above the footer and the empty line before it.
    var room: Int {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 2
        return isKnown ? Int(size.ws_row) - 2 : 22
    }

    /// Draws over the former contents.
    func draw(_ lines: [String], footer: String) {
        let text = (lines.prefix(room) + ["", footer]).joined(separator: "\u{1B}[K\n")
        write("\u{1B}[H" + text + "\u{1B}[K\u{1B}[J")
    }

    /// Waits for keys, a signal, or the time limit.
    func keys(within limit: Duration) -> [WatchKey] {
        let milliseconds = Int32(clamping: limit.nanoseconds / 1_000_000)
        guard hasKeys else {
            _ = poll(nil, 0, milliseconds)
            return []
        }
        var bytes = bytes(within: milliseconds)
        // On a slow line the sequence of one key may arrive in parts.
        if WatchKeys.isPart(bytes) { bytes += self.bytes(within: 50) }
        return WatchKeys.keys(in: bytes)
    }

    private func bytes(within milliseconds: Int32) -> [UInt8] {
        var keys = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&keys, 1, milliseconds) > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        if count == 0 || (count < 0 && errno != EINTR) { isGone = true }
        return Array(bytes.prefix(max(0, count)))
    }

    private func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count <= 0, errno != EINTR { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }
}
