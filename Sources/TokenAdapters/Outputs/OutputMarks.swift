internal import CLinux
internal import Glibc
internal import Synchronization

/// The identity of a file, which changes whenever the file is changed or replaced (stat(2)).
struct FileIdentity: Sendable, Equatable {
    private var numbers: [Int64]

    init(_ about: stat) {
        numbers = [
            Int64(bitPattern: UInt64(about.st_dev)), Int64(bitPattern: UInt64(about.st_ino)),
            Int64(about.st_size), Int64(about.st_mtim.tv_sec), Int64(about.st_mtim.tv_nsec),
            Int64(about.st_ctim.tv_sec), Int64(about.st_ctim.tv_nsec),
        ]
    }

    /// Stands for a file that was removed before it could be checked.
    static let none = FileIdentity(stat())

    /// Identity of the directory entry itself, which may be a link; `nil` if there is none.
    init?(_ name: String, in directory: Int32) {
        var about = stat()
        guard fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        self.init(about)
    }
}

/// The identities of outputs when they were published, to detect later changes.
final class OutputMarks: Sendable {
    struct Mark: Sendable, Equatable {
        var credential: String
        var identity: FileIdentity
    }
    typealias ByPath = [String: Mark]
    private let marks = Mutex<[String: ByPath]>([:])

    /// By mount, so that a file server that does not respond delays no other check.
    var byMount: [String: ByPath] { marks.withLock { $0 } }

    /// Called before a file is changed: results of a check that began earlier are invalid.
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
