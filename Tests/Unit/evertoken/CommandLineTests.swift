import Testing

@testable import TokenControl
@testable import TokenFormats
@testable import evertoken

@Suite("Command lines") struct CommandLineTests {
    private let known = ["check", "status", "wait", "help"]

    @Test("a command that is none is named, with the one that was meant")
    func unknown() {
        #expect(
            UnknownCommand(["stauts"], known: known)?.message
                == "unknown command \"stauts\"; did you mean status?")
        #expect(
            UnknownCommand(["Status", "crm"], known: known)?.message
                == "unknown command \"Status\"; did you mean status?")
        #expect(
            UnknownCommand(["help", "wiat"], known: known)?.message
                == "unknown command \"wiat\"; did you mean wait?")
        #expect(
            UnknownCommand(["frobnicate"], known: known)?.message
                == "unknown command \"frobnicate\"; evertoken --help lists them")
    }

    @Test("a mistake in what is imported is told of its place: of all of it, or in it")
    func imports() {
        let told = { (text: String) -> String in
            do throws(RequestError) {
                _ = try ImportReading(
                    Array(text.utf8), section: nil, now: WallTime(epochSeconds: 0))
                return "it was taken"
            } catch { return importMistake(error, in: "standard input") }
        }
        #expect(told("") == "standard input is empty; expected {\"refresh_token\": \"…\"}")
        #expect(told("[]").hasPrefix("standard input is an array; "))
        #expect(told("# Encrypted rclone").hasPrefix("standard input is encrypted; "))
        #expect(told("{}").hasPrefix("standard input: there is neither refresh_token nor "))
    }

    @Test(
        "what the parser understands or says itself is left to it",
        arguments: [
            [], ["status"], ["help"], ["help", "status"], ["--help"], ["--version"], ["--stauts"],
            ["---completion", "status"],
        ])
    func parsers(_ words: [String]) { #expect(UnknownCommand(words, known: known) == nil) }

    @Test("two letters that changed places are one slip; what is far is no suggestion")
    func nearest() {
        #expect(NameMatching.nearest(to: "crm", among: ["crn", "car"]) == "crn")
        #expect(NameMatching.nearest(to: "cmr", among: ["crm", "xyz"]) == "crm")
        #expect(NameMatching.nearest(to: "x", among: ["y"]) == nil)
        #expect(NameMatching.nearest(to: "", among: ["y"]) == nil)
    }

    @Test("logs becomes journalctl's own command line")
    func logs() {
        #expect(
            Logs.words(names: [], follow: false, unit: "evertoken", options: [])
                == ["journalctl", "-x", "-u", "evertoken"])
        #expect(
            Logs.words(
                names: ["crm", "car"], follow: true, unit: "other", options: ["--since", "-2h"])
                == [
                    "journalctl", "-x", "-u", "other", "-f", "--since", "-2h",
                    "EVERTOKEN_CREDENTIAL=crm", "EVERTOKEN_CREDENTIAL=car",
                ])
    }

    @Test("every shell's script completes the commands behind help")
    func completion() {
        for shell in ["bash", "zsh", "fish"] {
            let script = Evertoken.wantedScript(["--generate-completion-script", shell])
            let parts = script?.split(separator: "check status token refresh") ?? []
            #expect(parts.count >= 2, "\(shell)")
        }
        #expect(Evertoken.wantedScript(["--generate-completion-script", "csh"]) == nil)
        #expect(Evertoken.wantedScript(["status"]) == nil)
    }

    @Test("the socket of a half-written command line is found")
    func socket() {
        let names = CredentialNames(words: ["evertoken", "status", "--socket", "/a", "--config=/b"])
        #expect(names.value(of: "--socket") == "/a")
        #expect(names.value(of: "--config") == "/b")
        #expect(CredentialNames(words: ["evertoken", "--socket"]).value(of: "--socket") == nil)
    }
}
