internal import CLinux
internal import Glibc

/// What stands at the path of an output: the daemon writes to regular files and to nothing else.
enum OutputPlace {
    /// - Parameter place: The path for people.
    /// - Throws: ELOOP for a symbolic link, with the path to name instead; EEXIST for anything else
    ///   that is no regular file. Either stays as it is.
    static func require(
        _ name: String, in directory: Int32, place: String
    ) throws(SystemError) {
        var about = stat()
        guard fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        switch about.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFLNK:
            let path = "/proc/self/fd/\(directory)/\(name)"
            throw SystemError(place: place, "is a symbolic link" + instead(of: path), ELOOP)
        default:
            throw SystemError(
                place: place, "is no regular file and is left as it is; move it away", EEXIST)
        }
    }

    /// Which symbolic link a path leads through, its own name included.
    ///
    /// - Parameter root: The begin of the path, which is not looked at; it ends with a slash.
    /// - Returns: The link, and what to do; `nil` if there is none.
    static func link(in path: String, below root: String = "") -> (path: String, remedy: String)? {
        var walked = root
        for part in path.dropFirst(root.count).split(separator: "/") {
            walked += (walked.hasSuffix("/") ? "" : "/") + part
            var about = stat()
            guard lstat(walked, &about) == 0 else { return nil }
            guard about.st_mode & S_IFMT == S_IFLNK else { continue }
            return (walked, "name the real path" + (realPath(path).map { ", \($0)" } ?? ""))
        }
        return nil
    }

    private static func instead(of path: String) -> String {
        "; name the real path" + (realPath(path).map { ", \($0)" } ?? "")
    }

    /// Where a path leads, also one whose last name is not there yet.
    private static func realPath(_ path: String) -> String? {
        if let found = resolved(path) { return found }
        // Of a link to nothing: where it points, from its own directory.
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(path, &buffer, buffer.count)
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        guard length > 0 else {
            return resolved(String(path[..<slash])).map { $0 + path[slash...] }
        }
        let target = String(
            decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return target.hasPrefix("/")
            ? target : resolved(String(path[..<slash])).map { $0 + "/" + target }
    }

    private static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}

extension SystemError {
    /// Of a place that no system call was asked to change.
    init(place: String, _ problem: String, _ code: Int32) {
        self.init("", code: code)
        text = "\(place) \(problem)"
    }
}
