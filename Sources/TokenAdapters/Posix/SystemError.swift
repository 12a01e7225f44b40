internal import Glibc
internal import TokenFormats

/// A failed system call: `cannot open /x: Permission denied`, and errno(3).
struct SystemError: Error, Equatable {
    /// For display; code uses ``code``.
    var text: String
    var code: Int32
    /// Whether a configured user or group does not exist.
    var isOfAccount = false

    /// Reads errno: call it first after the failure.
    init(_ what: String, code: Int32 = errno) {
        self.code = code
        text = "cannot \(what): \(Self.message(of: code))"
    }

    /// The same with what to do about it.
    func adding(_ advice: String) -> SystemError {
        var error = self
        error.text += "; " + advice
        return error
    }

    /// The text of strerror(3).
    static func message(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        let isKnown = strerror_r(code, &buffer, buffer.count) == 0
        let message = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return isKnown ? String(decoding: message, as: UTF8.self) : "error \(code)"
    }
}

extension StorageFailure {
    init(_ error: SystemError) {
        let kind: CauseKind =
            switch error.code {
            case ENOSPC, EDQUOT: .stateFull
            case EROFS: .stateReadOnly
            case EACCES, EPERM: .stateForbidden
            default: .stateFails
            }
        self.init(Cause(kind, CauseFacts(error)))
    }
}

extension CauseFacts {
    /// - Parameter file: The file of the system call.
    init(_ error: SystemError, file: String? = nil) {
        self.init(file: file, detail: error.text)
        set(errno: error.code)
    }

    /// Both forms of a system error.
    mutating func set(errno number: Int32) {
        (errno, systemError) = (number, SystemError.message(of: number))
    }
}

/// Repeats a call that a signal interrupted.
func retryingInterrupts<Number: SignedInteger>(_ call: () -> Number) -> Number {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

/// Writes all bytes, from `offset` on, or at the descriptor's position when `nil`.
func writeAll(
    _ bytes: [UInt8], to descriptor: Int32, at offset: Int? = nil, what: String
) throws(SystemError) {
    var done = 0
    while done < bytes.count {
        let wrote = bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
            return retryingInterrupts {
                if let offset {
                    pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
                } else {
                    write(descriptor, rest.baseAddress, rest.count)
                }
            }
        }
        guard wrote > 0 else { throw SystemError("write \(what)") }
        done += wrote
    }
}

/// Reads to the end, or at most `limit` bytes.
func readAll(
    _ descriptor: Int32, limit: Int, what: String
) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while bytes.count < limit {
        let count = retryingInterrupts {
            read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
        }
        guard count >= 0 else { throw SystemError("read \(what)") }
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return bytes
}
