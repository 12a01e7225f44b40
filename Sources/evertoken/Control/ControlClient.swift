internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

/// The client of the control socket: one blocking HTTP/1.1 request.
struct ControlClient {
    let path: String

    struct Reply {
        var message: ControlReply
        /// The body as received, for `--json`.
        var text: String
        var status: Int { message.status }
    }

    /// - Throws: `ExitCode` 69 when the daemon does not respond, after printing so.
    func request(_ request: ControlRequest, timeout: Int = 60) throws -> Reply {
        do throws(Unanswered) { return try quietRequest(request, timeout: timeout) } catch {
            throw failure(error)
        }
    }

    /// Prints why the daemon does not respond.
    func failure(_ error: Unanswered) -> ExitCode {
        if error.isConnected {
            return fail(EX_TEMPFAIL, "the daemon at \(path) did not answer; try again")
        }
        guard error.isForbidden else {
            return fail(
                EX_UNAVAILABLE,
                "the daemon cannot be reached at \(path): "
                    + "\(String(cString: strerror(error.code))); start it (systemctl start "
                    + "evertoken) or name its socket with --socket")
        }
        return fail(
            EX_NOPERM,
            "you may not use \(path); run it with sudo"
                + (Self.group(of: path).map {
                    ", or have an administrator add you to the group \($0)"
                } ?? ""))
    }

    /// The group that may use a socket; `nil` if membership would not help.
    private static func group(of path: String) -> String? {
        var about = stat()
        guard stat(path, &about) == 0, about.st_mode & S_IWGRP != 0, about.st_gid != 0 else {
            return nil
        }
        return Accounts.name(ofGroup: about.st_gid)
    }

    struct Unanswered: Error {
        var isConnected: Bool
        var code: Int32
        /// No daemon listens on the socket.
        var isAbsent: Bool { !isConnected && (code == ENOENT || code == ECONNREFUSED) }
        /// The socket exists, but access is denied.
        var isForbidden: Bool { !isConnected && (code == EACCES || code == EPERM) }
    }

    /// Like ``request(_:timeout:)``, but prints nothing.
    func quietRequest(
        _ request: ControlRequest, timeout: Int = 60
    ) throws(Unanswered) -> Reply {
        let call = request.call(now: SystemClock().now().wall)
        guard let connection = connected(timeout: timeout) else {
            throw Unanswered(isConnected: false, code: errno)
        }
        defer { close(connection) }
        let length = call.body.isEmpty ? "" : "Content-Length: \(call.body.count)\r\n"
        let head = "\(call.method) \(call.target) HTTP/1.1\r\nHost: localhost\r\n\(length)\r\n"
        guard sendAll(Array(head.utf8) + call.body, to: connection),
            let answer = receiveAll(connection), let reply = Self.parse(answer, to: request)
        else { throw Unanswered(isConnected: true, code: errno) }
        return reply
    }

    /// Like ``request(_:timeout:)``, but prints the daemon's error and exits.
    func successful(_ request: ControlRequest) throws -> Reply {
        let reply = try self.request(request)
        guard reply.status / 100 == 2 else { throw failure(reply.message) }
        return reply
    }

    func failure(_ reply: ControlReply) -> ExitCode {
        let problem = reply.problem
        let title = problem?.title ?? "the daemon answered \(reply.status)"
        let detail = problem?.detail.map { "\n  " + $0 } ?? ""
        // The provider refused the client: its ID or secret is wrong, and a retry does not help.
        if problem?.isOfClient == true { return fail(EX_CONFIG, title + detail) }
        let status: Int32 =
            switch reply.status {
            case 400, 404, 422: EX_DATAERR
            case 403: EX_NOPERM
            default: EX_TEMPFAIL
            }
        return fail(status, title + detail)
    }

    private func connected(timeout: Int) -> Int32? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return nil
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let connection = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard connection >= 0 else { return nil }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = errno
            close(connection)
            errno = error
            return nil
        }
        return connection
    }

    private func sendAll(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    private func receiveAll(_ connection: Int32) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count == 0 { return bytes }
            if count < 0 { return nil }
            bytes += buffer[..<count]
        }
    }

    private static func parse(_ bytes: [UInt8], to request: ControlRequest) -> Reply? {
        guard let end = bytes.firstRange(of: [0x0D, 0x0A, 0x0D, 0x0A]),
            let line = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                .split(separator: "\r\n").first
        else { return nil }
        let words = line.split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { return nil }
        let body = Array(bytes[end.upperBound...])
        return Reply(
            message: ControlReply(status, try? JSONReader.read(body), to: request),
            text: String(decoding: body, as: UTF8.self))
    }
}

/// Reads a configuration, printing every mistake; 78 if there are any, 77 if access is denied.
///
/// - Parameter isTolerant: Reads as the daemon's start does; `check` is strict.
func loadConfiguration(
    _ path: String, isTolerant: Bool = true
) throws -> (Configuration, ConfigurationLoader) {
    let loader = ConfigurationLoader(path: path)
    // `check` reports it with its own remedy.
    if isTolerant, access(path, R_OK) != 0, errno == EACCES, geteuid() != 0 {
        throw fail(EX_NOPERM, "you may not read \(path); run it with sudo")
    }
    switch isTolerant ? loader.loadTolerantly().map(\.0) : loader.load() {
    case .success(let configuration): return (configuration, loader)
    case .failure(let mistakes):
        for mistake in mistakes.all { printError(mistake.description) }
        throw ExitCode(mistakes.isForbidden ? EX_NOPERM : EX_CONFIG)
    }
}

/// The socket of this configuration's daemon, determined as the daemon does.
func daemonSocket(_ configuration: Configuration, base: String) -> String {
    let directories = Directories(configuration: configuration, base: base)
    if configuration.controlSocket == nil, configuration.tokenDirectory == nil,
        access(directories.controlSocket, F_OK) != 0,
        access("/run/evertoken/control.sock", F_OK) == 0
    {
        // The service's default: systemd passes its directories only to the service.
        return "/run/evertoken/control.sock"
    }
    return directories.controlSocket
}

extension ControlReply {
    /// The credentials of a status reply, in its order.
    var credentials: [CredentialStatus] {
        switch content {
        case .status(let report): report.credentials
        case .credential(let report): [report.status]
        default: []
        }
    }
}

extension ControlClient.Reply {
    /// The credential names of a status reply, in order.
    var credentialNames: [String] { message.credentials.map(\.name) }
}
