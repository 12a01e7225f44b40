internal import CLinux
internal import Glibc

/// Checks the file at the path of an output: the daemon writes only to regular files.
enum OutputPlace {
    /// - Parameter place: The path to show.
    /// - Throws: ELOOP for a symbolic link, with the path to configure instead; EEXIST for anything
    ///   else that is not a regular file. The file is not changed.
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
                place: place, "is not a regular file and is left as it is; move it away", EEXIST)
        }
    }

    /// The first symbolic link in a path, its last component included.
    ///
    /// - Parameter root: The beginning of the path, which is not checked; it ends with a slash.
    /// - Returns: The link, and what to do; `nil` without one.
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

    /// The real path of a file, even if its last component does not exist.
    private static func realPath(_ path: String) -> String? {
        if let found = resolved(path) { return found }
        // For a dangling link: its target, relative to its own directory.
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
    /// For a check that made no system call.
    init(place: String, _ problem: String, _ code: Int32) {
        self.init("", code: code)
        text = "\(place) \(problem)"
    }
}
