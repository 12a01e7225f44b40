internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats

/// `status --watch`: redrawn in place every second on a terminal, printed again every five seconds
/// elsewhere. Continues while the daemon is away.
struct StatusWatch {
    let question: StatusQuestion
    let view: StatusView

    func run() throws {
        // Fail at once if the first request is invalid.
        let first = try question.ask(most: screenRoom)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal(number) { _ in watchWasInterrupted = 1 }
        }
        guard isatty(STDOUT_FILENO) == 1 else { return try follow() }
        // The empty handler interrupts the wait for a key, so that the page is redrawn.
        signal(SIGWINCH) { _ in }
        signal(SIGTSTP) { _ in watchWasSuspended = 1 }
        let screen = TerminalScreen()
        screen.open()
        defer { screen.close() }
        try watch(first.message, screen)
    }

    private func watch(_ first: ControlReply, _ screen: TerminalScreen) throws {
        var (shown, note, scroll) = (first, "", WatchScroll())
        let clock = SystemClock()
        var nextLook = clock.now().uptime.advanced(by: .seconds(1))
        while watchWasInterrupted == 0, !scroll.isEnded {
            let page = WatchedPage(shown, view, rows: screen.room)
            let room = screen.room - page.fixed.count
            scroll.clamp(lines: page.plain, room: room)
            screen.draw(page.shown(scroll, room: room), footer: note + page.footer(scroll, room))
            let wait = clock.now().uptime.duration(to: nextLook)
            let keys = screen.keys(within: max(.zero, wait))
            if screen.isGone { return }
            for key in keys { scroll.press(key, lines: page.plain, room: room) }
            if watchWasSuspended != 0 { suspend(screen) }
            guard clock.now().uptime >= nextLook else { continue }
            let start = clock.now().uptime
            do throws(ControlClient.Unanswered) {
                let reply = try question.lookAgain(most: screen.room)
                // It may have been removed from the configuration, or the daemon is stopping.
                note = reply.status == 200 ? "" : (reply.problem?.title ?? "no answer") + "; "
                if reply.status == 200 { shown = reply }
            } catch {
                note = "the daemon does not answer; this is how it stood; "
            }
            // A long list must not keep the daemon busy.
            let now = clock.now().uptime
            nextLook = now.advanced(by: max(.seconds(1), start.duration(to: now) * 4))
        }
    }

    /// How many credentials the first page can show; `nil` where all are printed.
    private var screenRoom: Int? { isatty(STDOUT_FILENO) == 1 ? TerminalScreen().room : nil }

    /// Control-Z: restores the shell's screen; fg brings the page back.
    private func suspend(_ screen: TerminalScreen) {
        screen.close()
        watchWasSuspended = 0
        raise(SIGSTOP)
        screen.open()
    }

    /// Output to a pipe or a file. Ends when its reader does (SIGPIPE).
    private func follow() throws {
        while watchWasInterrupted == 0 {
            let reply = try? question.lookAgain(most: nil)
            let lines = reply.map { view.lines($0, .plain) }
            for line in lines ?? ["the daemon does not answer"] { print(line) }
            print("")
            fflush(nil)
            for _ in 0..<50 where watchWasInterrupted == 0 { usleep(100_000) }
        }
    }
}

/// The lines of one update, divided into fixed and scrolling ones.
struct WatchedPage {
    let fixed: [String]
    private let moving: [String]
    /// The scrolling lines without colours.
    let plain: [String]
    /// Begins the footer: how many credentials the page leaves out.
    private let omission: String

    /// - Parameters:
    ///   - reply: A reply with counts has the worst of many credentials: the page then fits the
    ///     screen.
    ///   - rows: How many lines the screen has for it.
    init(_ reply: ControlReply, _ view: StatusView, rows: Int) {
        let style = TextStyle.standardOutput()
        guard case .status(let report) = reply.content, let counts = report.counts else {
            let lines = view.lines(reply, style, showsLife: true)
            self.init(lines, view, omission: "")
            return
        }
        var most = min(report.credentials.count, max(1, rows - view.fixedLines))
        var lines = view.lines(reply, style, showsLife: true, most: most)
        // What is wrong stands below the rows and needs lines too.
        while lines.count > rows, most > max(1, rows / 2) {
            most -= 1
            lines = view.lines(reply, style, showsLife: true, most: most)
        }
        let left = counts.values.reduce(0, +) - most
        let omission = left > 0 ? "\(left) more credentials are not shown; " : ""
        self.init(Array(lines.prefix(rows)), view, omission: omission)
    }

    private init(_ lines: [String], _ view: StatusView, omission: String) {
        fixed = Array(lines.prefix(view.fixedLines))
        moving = Array(lines.dropFirst(view.fixedLines))
        plain = moving.map(TextStyle.withoutColours)
        self.omission = omission
    }

    func shown(_ scroll: WatchScroll, room: Int) -> [String] {
        let part = moving.indices.dropFirst(scroll.top).prefix(max(0, room))
        return fixed
            + part.map { index in
                index == scroll.found ? "\u{1B}[7m\(plain[index])\u{1B}[0m" : moving[index]
            }
    }

    func footer(_ scroll: WatchScroll, _ room: Int) -> String {
        omission + scroll.footer(lines: moving.count, room: room)
    }
}

/// Set by signal handlers, which must not do more (signal-safety(7)).
nonisolated(unsafe) private var watchWasInterrupted: sig_atomic_t = 0
nonisolated(unsafe) private var watchWasSuspended: sig_atomic_t = 0
