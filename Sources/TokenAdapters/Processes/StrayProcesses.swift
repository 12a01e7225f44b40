internal import Glibc

/// Kills processes that a program left outside of its process group, such as a daemon that called
/// setsid(2). Only their initial environment identifies them.
enum StrayProcesses {
    private static let longestEnvironment = 256 * 1024

    /// - Parameters:
    ///   - variable: `NAME=VALUE`, with a value that no other program received.
    ///   - first: The program itself: only processes with a higher number are checked.
    static func kill(startedWith variable: String, after first: pid_t) {
        // A process that forks during the search is found in the next round.
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

    /// Empty for a process of another user, whose environment this user cannot read.
    private static func environment(of process: pid_t) -> [UInt8] {
        var about = stat()
        guard stat("/proc/\(process)", &about) == 0, about.st_uid == geteuid() else { return [] }
        let file = open("/proc/\(process)/environ", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return (try? readAll(file, limit: longestEnvironment, what: "an environment")) ?? []
    }
}
