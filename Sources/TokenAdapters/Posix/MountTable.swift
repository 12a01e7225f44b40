internal import CLinux
internal import Glibc
internal import Synchronization

/// Finds the mount of a path in the kernel's table (proc(5), mountinfo): a look at the file itself
/// would wait for a file server that does not respond.
final class MountTable: Sendable {
    private struct State {
        /// Longest first.
        var points: [String] = []
        var isRead = false
    }
    private let state = Mutex(State())
    /// -1 without /proc: then all paths count as one mount.
    private let table: Int32

    init(path: String = "/proc/self/mountinfo") {
        table = open(path, O_RDONLY | O_CLOEXEC)
    }

    deinit { if table >= 0 { close(table) } }

    /// The mount point of an absolute path. Does not follow symbolic links.
    func point(of path: String) -> String { points(of: [path])[0] }

    /// The mount point of each of the paths.
    func points(of paths: [String]) -> [String] {
        state.withLock { state in
            if !state.isRead || hasChanged { state = State(points: read(), isRead: true) }
            return paths.map { path in state.points.first { Self.holds($0, path) } ?? "/" }
        }
    }

    /// poll(2) reports each change of the table once.
    private var hasChanged: Bool {
        var wanted = pollfd(fd: table, events: Int16(POLLPRI), revents: 0)
        return table >= 0 && poll(&wanted, 1, 0) > 0
    }

    private func read() -> [String] {
        guard table >= 0, lseek(table, 0, SEEK_SET) == 0,
            let bytes = try? readAll(table, limit: 4 << 20, what: "mountinfo")
        else { return [] }
        return Self.points(bytes)
    }

    private static func holds(_ point: String, _ path: String) -> Bool {
        guard point != "/" else { return true }
        let rest = path.utf8.dropFirst(point.utf8.count)
        return path.utf8.starts(with: point.utf8) && (rest.first ?? 0x2F) == 0x2F
    }

    /// The fifth field of each line, longest first.
    static func points(_ mountinfo: [UInt8]) -> [String] {
        let points = mountinfo.split(separator: 0x0A).compactMap { line -> String? in
            let fields = line.split(separator: 0x20, maxSplits: 5)
            return fields.count > 5 ? unescaped(fields[4]) : nil
        }
        return points.sorted { $0.utf8.count > $1.utf8.count }
    }

    /// The upper directory of an overlay, as given at mount time; a process in a container may see
    /// it elsewhere or not at all.
    ///
    /// - Parameter mount: The mount ID, the first field of a line.
    static func upperDirectory(ofMount mount: UInt64, in mountinfo: [UInt8]) -> String? {
        for line in mountinfo.split(separator: 0x0A) {
            let fields = line.split(separator: 0x20)
            guard let first = fields.first, first.elementsEqual(String(mount).utf8),
                let options = fields.last
            else { continue }
            let name = Array("upperdir=".utf8)
            let option = options.split(separator: UInt8(ascii: ",")).first { $0.starts(with: name) }
            return option.map { unescaped($0.dropFirst(name.count)) }
        }
        return nil
    }

    /// Decodes escapes such as `\040` for a blank.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(value)
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
