internal import Glibc

/// What a program left behind outside of its process group, such as a daemon that called setsid(2).
/// Nothing but the environment they were started with tells whose they are.
enum StrayProcesses {
    private static let longestEnvironment = 256 * 1024

    /// - Parameters:
    ///   - variable: `NAME=VALUE`, of a value that no other program was given.
    ///   - first: The program itself: only processes with a later number are looked at.
    static func kill(startedWith variable: String, after first: pid_t) {
        // One that starts another while it is looked for is found at the next look.
        for _ in 0..<10 {
            let found = processes(startedWith: Array(variable.utf8), after: first)
            if found.isEmpty { return }
            for process in found { Glibc.kill(process, SIGKILL) }
            usleep(5000)
        }
    }

    private static func processes(
        startedWith variable: [UInt8], after first: pid_t
    ) -> [pid_t] {
        guard let stream = opendir("/proc") else { return [] }
        defer { closedir(stream) }
        var found: [pid_t] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = pid_t(name), process > first else { continue }
            if environment(of: process).split(separator: 0).contains(where: {
                $0.elementsEqual(variable)
            }) {
                found.append(process)
            }
        }
        return found
    }

    /// Empty for another user's, whose environment nobody else may read.
    private static func environment(of process: pid_t) -> [UInt8] {
        var about = stat()
        guard stat("/proc/\(process)", &about) == 0, about.st_uid == geteuid() else { return [] }
        let file = open("/proc/\(process)/environ", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return (try? readAll(file, limit: longestEnvironment, what: "an environment")) ?? []
    }
}
