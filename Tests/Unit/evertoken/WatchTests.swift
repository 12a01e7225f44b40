import Testing

@testable import evertoken

@Suite("Keys of a terminal") struct WatchKeyTests {
    @Test("xterm's and the console's sequences are keys")
    func sequences() {
        let text =
            "\u{1B}[A\u{1B}OB\u{1B}[5~\u{1B}[6~\u{1B}[H\u{1B}[1~\u{1B}OF\u{1B}[4~q/é\r\u{7F}"
        #expect(
            WatchKeys.keys(in: Array(text.utf8)) == [
                .up, .down, .pageUp, .pageDown, .home, .home, .end, .end, .character("q"),
                .character("/"), .character("é"), .enter, .backspace,
            ])
    }

    @Test("escape alone is a key; a sequence that means nothing is none of its letters")
    func others() {
        #expect(WatchKeys.keys(in: [0x1B]) == [.escape])
        #expect(WatchKeys.keys(in: Array("\u{1B}[1;5Q".utf8)) == [.other])
        #expect(WatchKeys.keys(in: Array("\u{1B}q".utf8)) == [.escape, .character("q")])
    }

    @Test("a key whose bytes come apart is waited for")
    func parts() {
        for part in ["\u{1B}", "\u{1B}[", "\u{1B}[5", "\u{1B}O", "x\u{1B}["] {
            #expect(WatchKeys.isPart(Array(part.utf8)), "\(part.debugDescription)")
        }
        for whole in ["", "q", "\u{1B}[A", "\u{1B}[5~", "\u{1B}q"] {
            #expect(!WatchKeys.isPart(Array(whole.utf8)), "\(whole.debugDescription)")
        }
    }
}

@Suite("Scrolling and searching") struct WatchScrollTests {
    private let lines = (0..<20).map { "line \($0)" } + ["Needle 20", "line 21", "needle 22"]

    private func pressed(_ keys: [WatchKey], room: Int = 5) -> WatchScroll {
        var scroll = WatchScroll()
        for key in keys { scroll.press(key, lines: lines, room: room) }
        return scroll
    }

    private func typed(_ text: String) -> [WatchKey] {
        [.character("/")] + text.map { .character($0) } + [.enter]
    }

    @Test("arrows, pages, home and end move within the lines")
    func moving() {
        #expect(pressed([.up]).top == 0)
        #expect(pressed([.down, .down, .up]).top == 1)
        #expect(pressed([.pageDown]).top == 4)
        #expect(pressed([.end]).top == 18)
        #expect(pressed([.end, .down]).top == 18)
        #expect(pressed([.end, .pageUp]).top == 14)
        #expect(pressed([.end, .home]).top == 0)
        #expect(pressed([.end], room: 30).top == 0, "what fits does not move")
    }

    @Test("a search finds in either case, goes on with n and N, and round the end")
    func searching() {
        let found = pressed(typed("needle"))
        #expect(found.found == 20)
        #expect(found.top > 0 && found.top <= 20)
        #expect(pressed(typed("needle") + [.character("n")]).found == 22)
        #expect(pressed(typed("needle") + [.character("n"), .character("n")]).found == 20)
        #expect(pressed(typed("needle") + [.character("N")]).found == 22)
        #expect(pressed(typed("needle") + [.escape]).found == nil)
    }

    @Test("what is not there is said, until the next key")
    func missing() {
        var scroll = pressed(typed("nothing"))
        #expect(scroll.footer(lines: 23, room: 5).hasPrefix("\"nothing\" is not there; "))
        scroll.press(.down, lines: lines, room: 5)
        #expect(!scroll.footer(lines: 23, room: 5).contains("nothing"))
    }

    @Test("while a search is typed, letters are letters: q does not end it")
    func typing() {
        var scroll = pressed([.character("/"), .character("q"), .character("x"), .backspace])
        #expect(!scroll.isEnded)
        #expect(scroll.footer(lines: 23, room: 5) == "/q")
        scroll.press(.escape, lines: lines, room: 5)
        #expect(scroll.footer(lines: 23, room: 40) == "q quits")
        scroll.press(.character("q"), lines: lines, room: 5)
        #expect(scroll.isEnded)
    }

    @Test("fewer lines or a taller window leave no empty half")
    func settling() {
        var scroll = pressed([.end] + typed("needle"))
        scroll.clamp(lines: Array(lines.prefix(8)), room: 5)
        #expect(scroll.top == 3)
        #expect(scroll.found == nil)
        scroll.clamp(lines: lines, room: 40)
        #expect(scroll.top == 0)
    }

    @Test("the footer says where one is, only where not all is shown")
    func footer() {
        #expect(WatchScroll().footer(lines: 5, room: 5) == "q quits")
        #expect(pressed([.down]).footer(lines: 23, room: 5).hasPrefix("2-6 of 23; arrows"))
    }

    @Test("colours are no part of what is searched")
    func plain() {
        #expect(TextStyle.withoutColours("\u{1B}[31mred\u{1B}[0m x") == "red x")
        #expect(TextStyle.withoutColours("plain") == "plain")
    }
}
