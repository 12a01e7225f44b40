import Glibc

/// A person at the terminal of standard input. Prompts go to standard error: what is printed to
/// standard output may be going elsewhere.
enum Terminal {
    /// A line, without its end; `nil` when there is none, or Control-C or Control-D came instead.
    ///
    /// - Parameter isHidden: Shows nothing of it, and takes more than the 4095 bytes that a
    ///   terminal's own line can have: refresh tokens are longer.
    static func ask(_ prompt: String, isHidden: Bool) -> String? {
        guard isHidden else {
            write(prompt)
            return readLine()
        }
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return nil }
        var quiet = before
        // Without signals: the terminal must not stay mute after one.
        quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet) == 0 else { return nil }
        defer {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
            write("\n")
        }
        // Not before: what is typed at once would show.
        write(prompt)
        return hiddenLine()
    }

    private static func hiddenLine() -> String? {
        var bytes: [UInt8] = []
        while bytes.count <= 64 * 1024 {
            var byte: UInt8 = 0
            guard read(STDIN_FILENO, &byte, 1) == 1 else { return nil }
            switch byte {
            case 0x0A, 0x0D: return String(validating: bytes, as: UTF8.self)
            case 0x03: return nil
            case 0x04 where bytes.isEmpty: return nil
            case 0x15: bytes = []
            case 0x08, 0x7F: _ = bytes.popLast()
            default: bytes.append(byte)
            }
        }
        return nil
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
