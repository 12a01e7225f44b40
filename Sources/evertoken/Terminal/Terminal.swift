internal import Glibc

/// Dialogues with the user on the terminal of standard input. Prompts go to standard error, because
/// standard output may be redirected.
enum Terminal {
    /// Reads a line without its end; `nil` at the end of input, or after Control-C or Control-D.
    ///
    /// - Parameter isHidden: Disables echo, and allows more than the 4095 bytes of a terminal's
    ///   line: refresh tokens can be longer.
    static func ask(_ prompt: String, isHidden: Bool) -> String? {
        guard isHidden else {
            write(prompt)
            return readLine()
        }
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return nil }
        var quiet = before
        // With signals disabled: a signal must not leave the terminal without echo.
        quiet.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet) == 0 else { return nil }
        defer {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
            write("\n")
        }
        // Only now: text typed earlier would be echoed.
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
