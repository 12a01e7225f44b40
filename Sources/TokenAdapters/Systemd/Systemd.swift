internal import CLinux
internal import CSystemd
internal import Dispatch
internal import Glibc
internal import Synchronization
package import TokenConfiguration
package import TokenEngine
internal import TokenFormats
internal import TokenProviders

/// sd_notify(3). Does nothing without a service manager.
///
/// Messages are sent from a separate queue in order, and at most so many wait: a service manager
/// that does not read must not block the daemon (sd_notify blocks when its socket is full).
package final class SystemdSupervisor: Supervisor, Sendable {
    private static let longestQueue = 100
    /// Half of `WatchdogSec=`, if the service manager expects watchdog messages.
    package let watchdogPeriod: Duration?
    private let queue = DispatchQueue(label: "evertoken.notify")
    private let waiting = WaitingCount()

    /// Reads `NOTIFY_SOCKET` and the watchdog's period from the environment
    /// (sd_watchdog_enabled(3)).
    package init() {
        var microseconds: UInt64 = 0
        watchdogPeriod =
            sd_watchdog_enabled(0, &microseconds) > 0
            ? .microseconds(Int64(clamping: microseconds / 2)) : nil
    }

    /// Sent from a queue, so that the caller does not wait for the service manager.
    package func ready(status: String) { notify("READY=1\nSTATUS=\(status)") }
    /// As ``ready(status:)``, without `READY=1`.
    package func status(_ text: String) { notify("STATUS=\(text)") }

    /// With the monotonic time, which `Type=notify-reload` asks for (sd_notify(3)).
    package func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = time.tv_sec * 1_000_000 + time.tv_nsec / 1000
        notify("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    /// With a status line that says what the stop waits for.
    package func stopping() { notify("STOPPING=1\nSTATUS=Finishing requests in flight") }
    package func extendTimeout(by duration: Duration) {
        notify("EXTEND_TIMEOUT_USEC=\(duration.nanoseconds / 1000)")
    }
    /// Only if the service manager set a period.
    package func watchdog() { if watchdogPeriod != nil { notify("WATCHDOG=1") } }

    private func notify(_ state: String) {
        guard waiting.enter(limit: Self.longestQueue) else { return }
        queue.async { [waiting] in
            sd_notify(0, state)
            waiting.leave()
        }
    }
}

/// Writes to the journal through sd_journal_sendv(3) if standard error is connected to it,
/// otherwise to standard error, one line for each entry.
///
/// Entries are written from a separate queue, and at most so many wait: a journal that does not
/// read must not block the daemon.
package final class JournalWriter: Journal, Sendable {
    private static let longestQueue = 1000
    private let threshold: Mutex<LogLevel>
    private let isNative: Bool
    private let queue = DispatchQueue(label: "evertoken.journal")
    private let waiting = WaitingCount()

    /// - Parameter threshold: The least severe level that is written.
    package init(threshold: LogLevel) {
        self.threshold = Mutex(threshold)
        isNative = Self.isStandardErrorTheJournal
    }

    /// `JOURNAL_STREAM` names the device and inode of the journal's stream (systemd.exec(5)).
    private static var isStandardErrorTheJournal: Bool {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        var about = stat()
        guard fstat(STDERR_FILENO, &about) == 0 else { return false }
        return String(cString: stream) == "\(about.st_dev):\(about.st_ino)"
    }

    /// As `Journal` says: from a queue of bounded length; what is less severe than the threshold,
    /// or does not fit, is dropped.
    package func write(_ entry: JournalEntry) {
        guard entry.level <= threshold.withLock({ $0 }), waiting.enter(limit: Self.longestQueue)
        else { return }
        queue.async { [isNative, waiting] in
            if isNative { Self.send(entry) } else { Self.printLine(entry) }
            waiting.leave()
        }
    }

    /// Sets the least severe level that is written.
    package func update(threshold new: LogLevel) { threshold.withLock { $0 = new } }

    /// Waits briefly until all entries have been written, before the process ends.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .seconds(1))
    }

    /// The message itself is constant; its text also shows the facts, for readers who see only
    /// messages.
    private static func text(_ entry: JournalEntry) -> String {
        let name = entry.fields.first { $0.name == "CREDENTIAL" }.map { $0.value + ": " } ?? ""
        let quiet: Set<String> = ["CREDENTIAL", "PROVIDER", "ATTEMPT"]
        let facts = entry.fields.filter { !quiet.contains($0.name) && !$0.value.isEmpty }
            .map { "\($0.name.lowercased())=\(singleLine($0.value))" }
        return name + entry.message
            + (facts.isEmpty ? "" : " (" + facts.joined(separator: "; ") + ")")
    }

    private static func singleLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private static func printLine(_ entry: JournalEntry) {
        let line = Array("\(entry.level.name): \(text(entry))\n".utf8)
        try? writeAll(line, to: STDERR_FILENO, what: "standard error")
    }

    private static func send(_ entry: JournalEntry) {
        var lines = [
            "MESSAGE=\(text(entry))", "PRIORITY=\(entry.level.rawValue)",
            "SYSLOG_IDENTIFIER=evertokend",
        ]
        lines += entry.fields.map { "EVERTOKEN_\($0.name)=\(singleLine($0.value))" }
        if let id = entry.messageID { lines.append("MESSAGE_ID=\(id)") }
        let bytes = lines.map { Array($0.utf8) }
        let storage = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, bytes.reduce(0) { $0 + $1.count }), alignment: 1)
        defer { storage.deallocate() }
        var vectors: [iovec] = []
        var offset = 0
        for line in bytes {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: storage[offset..<offset + line.count])
            part.copyBytes(from: line)
            vectors.append(iovec(iov_base: part.baseAddress, iov_len: line.count))
            offset += line.count
        }
        if sd_journal_sendv(vectors, Int32(vectors.count)) < 0 { printLine(entry) }
    }
}

/// Counts the entries that wait to be written.
private final class WaitingCount: Sendable {
    private let count = Mutex(0)

    func enter(limit: Int) -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }
    func leave() { count.withLock { $0 -= 1 } }
}
