internal import Glibc

/// Identities of CA bundles: what was read from one is valid only while the file is unchanged.
struct AuthorityFiles {
    private struct Seen {
        var about: stat
        var sinceBoot: Int
    }
    private var files: [String: Seen] = [:]

    /// For how many whole seconds the file has been unchanged; 0 for a file that is new, missing,
    /// or has just changed.
    mutating func secondsUnchanged(_ path: String) -> Int {
        var about = stat()
        // Follows links: an update usually replaces the target of a link.
        guard stat(path, &about) == 0 else {
            files[path] = nil
            return 0
        }
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        guard let seen = files[path], Self.isSame(seen.about, about) else {
            files[path] = Seen(about: about, sinceBoot: time.tv_sec)
            return 0
        }
        // Times have a resolution of a second: an entry from the second of the change is too old.
        return max(0, time.tv_sec - seen.sinceBoot - 1)
    }

    private static func isSame(_ left: stat, _ right: stat) -> Bool {
        left.st_dev == right.st_dev && left.st_ino == right.st_ino && left.st_size == right.st_size
            && left.st_mtim.tv_sec == right.st_mtim.tv_sec
            && left.st_mtim.tv_nsec == right.st_mtim.tv_nsec
            && left.st_ctim.tv_sec == right.st_ctim.tv_sec
            && left.st_ctim.tv_nsec == right.st_ctim.tv_nsec
    }
}
