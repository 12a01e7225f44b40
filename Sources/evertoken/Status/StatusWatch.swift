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
        let first = try question.ask()
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
        try watch(first.message, screen, question.request())
    }

    private func watch(
        _ first: ControlReply, _ screen: TerminalScreen, _ request: ControlRequest
    ) throws {
        var (shown, note, scroll) = (first, "", WatchScroll())
        let clock = SystemClock()
        var nextLook = clock.now().uptime.advanced(by: .seconds(1))
        while watchWasInterrupted == 0, !scroll.isEnded {
            let page = WatchedPage(view.lines(shown, .standardOutput(), showsLife: true), view)
            let room = screen.room - page.fixed.count
            scroll.clamp(lines: page.plain, room: room)
            screen.draw(page.shown(scroll, room: room), footer: note + page.footer(scroll, room))
            let wait = clock.now().uptime.duration(to: nextLook)
            let keys = screen.keys(within: max(.zero, wait))
            if screen.isGone { return }
            for key in keys { scroll.press(key, lines: page.plain, room: room) }
            if watchWasSuspended != 0 { suspend(screen) }
            guard clock.now().uptime >= nextLook else { continue }
            nextLook = clock.now().uptime.advanced(by: .seconds(1))
            do throws(ControlClient.Unanswered) {
                let reply = try question.client.quietRequest(request, timeout: 2).message
                // It may have been removed from the configuration, or the daemon is stopping.
                note = reply.status == 200 ? "" : (reply.problem?.title ?? "no answer") + "; "
                if reply.status == 200 { shown = reply }
            } catch {
                note = "the daemon does not answer; this is how it stood; "
            }
        }
    }

    /// Control-Z: restores the shell's screen; fg brings the page back.
    private func suspend(_ screen: TerminalScreen) {
        screen.close()
        watchWasSuspended = 0
        raise(SIGSTOP)
        screen.open()
    }

    /// Output to a pipe or a file. Ends when its reader does (SIGPIPE).
    private func follow() throws {
        let request = try question.request()
        while watchWasInterrupted == 0 {
            let reply = try? question.client.quietRequest(request, timeout: 2)
            let lines = reply.map { view.lines($0.message, .plain) }
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

    init(_ lines: [String], _ view: StatusView) {
        fixed = Array(lines.prefix(view.fixedLines))
        moving = Array(lines.dropFirst(view.fixedLines))
        plain = moving.map(TextStyle.withoutColours)
    }

    func shown(_ scroll: WatchScroll, room: Int) -> [String] {
        let part = moving.indices.dropFirst(scroll.top).prefix(max(0, room))
        return fixed
            + part.map { index in
                index == scroll.found ? "\u{1B}[7m\(plain[index])\u{1B}[0m" : moving[index]
            }
    }

    func footer(_ scroll: WatchScroll, _ room: Int) -> String {
        scroll.footer(lines: moving.count, room: room)
    }
}

/// Set by signal handlers, which must not do more (signal-safety(7)).
nonisolated(unsafe) private var watchWasInterrupted: sig_atomic_t = 0
nonisolated(unsafe) private var watchWasSuspended: sig_atomic_t = 0
