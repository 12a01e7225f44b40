internal import Glibc
internal import TokenFormats

/// `mkdir -p`; the last directory gets `mode`, regardless of the umask.
func makeDirectories(_ path: String, mode: mode_t) throws(StorageFailure) {
    if access(path, F_OK) == 0 { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
        try makeDirectories(String(path[..<slash]), mode: 0o755)
    }
    guard mkdir(path, mode) == 0 || errno == EEXIST else {
        throw StorageFailure(SystemError("make the directory \(path)"))
    }
    chmod(path, mode)
    let parent = open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { return }
    defer { close(parent) }
    guard fsync(parent) == 0 else {
        throw StorageFailure(SystemError("save the directory of \(path)"))
    }
}
