internal import CLinux
internal import Glibc
internal import Synchronization

/// Which file a path led to, and that nothing has changed it since: as stat(2) tells it.
struct FileIdentity: Sendable, Equatable {
    private var numbers: [Int64]

    init(_ about: stat) {
        numbers = [
            Int64(bitPattern: UInt64(about.st_dev)), Int64(bitPattern: UInt64(about.st_ino)),
            Int64(about.st_size), Int64(about.st_mtim.tv_sec), Int64(about.st_mtim.tv_nsec),
            Int64(about.st_ctim.tv_sec), Int64(about.st_ctim.tv_nsec),
        ]
    }

    /// Of no file: one that was gone before it could be looked at.
    static let none = FileIdentity(stat())

    /// Of what stands there itself, which may be a link; `nil` where nothing does.
    init?(_ name: String, in directory: Int32) {
        var about = stat()
        guard fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        self.init(about)
    }
}

/// What the outputs were when they were published: a look tells whether they still are.
final class OutputMarks: Sendable {
    struct Mark: Sendable, Equatable {
        var credential: String
        var identity: FileIdentity
    }
    typealias ByPath = [String: Mark]
    private let marks = Mutex<[String: ByPath]>([:])

    /// By mount: a file server that does not answer holds up no look at another.
    var byMount: [String: ByPath] { marks.withLock { $0 } }

    /// Before a file is changed: what a look finds from then on means nothing.
    func forget(_ path: String) {
        marks.withLock { marks in
            for mount in marks.keys { marks[mount]?[path] = nil }
        }
    }

    func note(_ mark: Mark, of path: String, on mount: String) {
        marks.withLock { $0[mount, default: [:]][path] = mark }
    }

    func has(_ mark: Mark, of path: String, on mount: String) -> Bool {
        marks.withLock { $0[mount]?[path] == mark }
    }
}
