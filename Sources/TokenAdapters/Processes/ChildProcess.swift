internal import CLinux
internal import Dispatch
internal import Glibc
internal import TokenFormats

/// Runs a program without a shell, in its own process group, with default signals, a given
/// environment, and limits on time and output.
struct ChildProcess {
    var arguments: [String]
    var environment: [String]
    var timeout: Duration
    var outputLimit = 64 * 1024
    /// A variable `NAME=VALUE` that no other process has in its environment: it identifies
    /// processes that left the process group, so that they are killed too.
    var mark: String?
    /// The program and its children cannot fork while the user has this many processes; 0 for no
    /// limit.
    var mostProcesses = ProcessLimit.ofPrograms

    enum Failure: Error {
        case cannotStart(SystemError)
        case timedOut
        case exited(status: Int32)
        case killed(signal: Int32)
    }

    /// Runs the program to its end and returns its standard output. Its standard error is
    /// discarded, because it may contain a secret. Blocks.
    func run() throws(Failure) -> [UInt8] {
        var pipes: [Int32] = [-1, -1]
        guard clinux_pipe(&pipes) == 0 else {
            throw .cannotStart(SystemError("make a pipe"))
        }
        let process: pid_t
        do throws(Failure) { process = try spawn(standardOutput: pipes[1]) } catch {
            close(pipes[0])
            close(pipes[1])
            throw error
        }
        close(pipes[1])
        defer { close(pipes[0]) }
        let (output, status) = collect(pipes[0], of: process)
        // Its child processes are killed with it.
        kill(-process, SIGKILL)
        if let mark { StrayProcesses.kill(startedWith: mark, after: process) }
        guard let status else {
            Self.reap(process)
            throw .timedOut
        }
        let signal = status & 0x7F
        guard signal == 0 else { throw .killed(signal: signal) }
        let code = status >> 8 & 0xFF
        guard code == 0 else { throw .exited(status: code) }
        return output
    }

    /// Reads until the program has exited, or to the deadline. The end of output does not mean that
    /// the program has exited, nor the reverse: a child process may hold the pipe open.
    ///
    /// - Returns: The output, and the wait status unless the time ran out.
    private func collect(_ descriptor: Int32, of process: pid_t) -> ([UInt8], Int32?) {
        let end = DispatchTime.now() + .nanoseconds(Int(timeout.nanoseconds))
        var output: [UInt8] = []
        var isOpen = true
        while true {
            var status: Int32 = 0
            let hasEnded = waitpid(process, &status, WNOHANG) == process
            // After the exit only what is already in the pipe is read. The bounded loop ensures
            // that a program which writes without end cannot hide its exit.
            for _ in 0..<64 where isOpen && DispatchTime.now() < end {
                var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&wait, 1, hasEnded ? 0 : 20) > 0 else { break }
                isOpen = take(descriptor, into: &output)
            }
            if hasEnded { return (output, status) }
            guard DispatchTime.now() < end else { return (output, nil) }
            if !isOpen { usleep(10_000) }
        }
    }

    /// A program that SIGKILL does not end at once (it changed its user, or is stuck in the kernel)
    /// is waited for by a separate thread.
    private static func reap(_ process: pid_t) {
        var ignored: Int32 = 0
        for _ in 0..<100 {
            guard waitpid(process, &ignored, WNOHANG) == 0 else { return }
            usleep(10_000)
        }
        DispatchQueue(label: "evertoken.reaper").async {
            var ignored: Int32 = 0
            _ = retryingInterrupts { waitpid(process, &ignored, 0) }
        }
    }

    /// - Returns: Whether there may be more output.
    private func take(_ descriptor: Int32, into output: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        if count > 0, output.count < outputLimit { output += buffer[..<count] }
        return count > 0
    }

    private func spawn(standardOutput: Int32) throws(Failure) -> pid_t {
        let words = arguments.map { strdup($0) } + [nil]
        let variables = (environment + [mark].compactMap { $0 }).map { strdup($0) } + [nil]
        defer { for word in words + variables { free(word) } }
        let process = clinux_spawn(
            arguments[0], words, variables, standardOutput, mostProcesses)
        guard process > 0 else { throw .cannotStart(SystemError("run \(arguments[0])")) }
        return process
    }
}

/// Programs may fork until three quarters of the unit's tasks are in use: the rest is reserved for
/// the daemon, which needs threads to enforce time-outs.
enum ProcessLimit {
    /// 0 for no limit: outside of a unit, for root, and for a login user, whose other processes
    /// would count too.
    static let ofPrograms: UInt64 = {
        guard geteuid() != 0, geteuid() < 1000, let most = mostTasks() else { return 0 }
        return most / 4 * 3
    }()

    /// `TasksMax=` of the unit (control group version 2, pids.max).
    private static func mostTasks() -> UInt64? {
        guard
            let group = text(of: "/proc/self/cgroup")?.split(separator: "\n").first(where: {
                $0.hasPrefix("0::/")
            })
        else { return nil }
        return text(of: "/sys/fs/cgroup\(group.dropFirst(3))/pids.max").flatMap {
            UInt64($0.trimmedOfSpace)
        }
    }

    private static func text(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return (try? readAll(file, limit: 64 * 1024, what: path)).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}
