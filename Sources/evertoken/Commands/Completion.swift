internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenProviders

extension CompletionKind {
    /// The names that the daemon knows; empty if it does not reply at once.
    static var credentialNames: CompletionKind {
        .custom { words, _, _ in CredentialNames(words: words).told }
    }

    static var profileNames: CompletionKind { .list(BuiltInProfiles.shippedNames) }

    /// systemd units that could be the daemon's.
    static var units: CompletionKind { .list(["evertoken"]) }
}

/// The credential names for a shell's completion.
struct CredentialNames {
    /// The command line so far.
    let words: [String]

    /// Reports no errors: a shell would print them into the line that is being typed.
    var told: [String] {
        guard
            let reply = try? ControlClient(path: socket).quietRequest(.status(), timeout: 1)
        else { return [] }
        return reply.credentialNames
    }

    private var socket: String {
        if let path = value(of: "--socket") { return path }
        if let variable = getenv("EVERTOKEN_SOCKET"), variable.pointee != 0 {
            return String(cString: variable)
        }
        if let path = value(of: "--config") {
            let loader = ConfigurationLoader(path: path)
            if case .success(let (configuration, _)) = loader.loadTolerantly() {
                return daemonSocket(configuration, base: loader.directory)
            }
        }
        return "/run/evertoken/control.sock"
    }

    /// The value of an option before the word that is being completed.
    func value(of option: String) -> String? {
        for (index, word) in words.enumerated() {
            if word == option, index + 1 < words.count { return words[index + 1] }
            if word.hasPrefix(option + "=") { return String(word.dropFirst(option.count + 1)) }
        }
        return nil
    }
}

/// The completion scripts, extended by the arguments of `help`, which the parser leaves out.
struct CompletionScript {
    /// The parser's script.
    let text: String
    let commands: [String]

    /// A script of an unknown form is not changed.
    var withHelpCommands: String {
        let list = commands.joined(separator: " ")
        if let bash = text.firstRange(of: "_evertoken_help() {"),
            let offer = text[bash.upperBound...].firstRange(
                of: "__evertoken_offer_flags_options -1\n")
        {
            return text.replacing(offer) {
                $0 + "    COMPREPLY+=($(compgen -W '\(list)' -- \"${cur}\"))\n"
            }
        }
        if let zsh = text.firstRange(of: "'*:subcommands:'") {
            return text.replacing(zsh) { _ in "'*:subcommands:(\(list))'" }
        }
        guard text.contains("complete -c 'evertoken'") else { return text }
        let place = "__evertoken_should_offer_completions_for_positional"
        return text
            + "\ncomplete -c 'evertoken' -n '\(place) \"evertoken help\" -ge 1' -fka '\(list)'\n"
    }
}

extension String {
    fileprivate func replacing(
        _ range: Range<String.Index>, with make: (Substring) -> String
    ) -> String {
        self[..<range.lowerBound] + make(self[range]) + self[range.upperBound...]
    }
}
