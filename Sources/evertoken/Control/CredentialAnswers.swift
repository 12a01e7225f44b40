internal import ArgumentParser
internal import Glibc
internal import TokenConfiguration
internal import TokenFormats
internal import TokenProviders

/// Collects the values of a new credential from options, a terminal, or standard input.
struct CredentialAnswers {
    private(set) var credential: NewCredential

    init(_ credential: NewCredential) { self.credential = credential }

    /// - Parameter set: Variables as `name=value`. Not for secrets: every user of this machine can
    ///   see the arguments.
    mutating func take(_ named: [(String, String)], set: [String]) throws {
        let pairs = set.map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(sides[0]), String(sides[1]))
        }
        for (name, text) in named + pairs {
            if credential.questions.first(where: { $0.name == name })?.isSecret == true {
                throw fail(
                    EX_USAGE,
                    "\(name) is a secret, and other users of this machine see arguments; give it "
                        + "on standard input: \(name)=…")
            }
            try give(name, .string(text))
        }
    }

    mutating func readStandardInput() throws {
        do throws(RequestError) {
            for (name, value) in try WrittenAnswers(readToEnd(STDIN_FILENO)).members {
                try credential.answer(name, value)
            }
        } catch {
            throw fail(EX_DATAERR, "standard input: \(error.text)")
        }
    }

    func refuseMissing() throws {
        let missing = credential.missing
        guard !missing.isEmpty else { return }
        let ways = missing.map { question in
            let way =
                question.isSecret
                ? "standard input: \(question.name)=…"
                : question.isVariable
                    ? "--set \(question.name)=…"
                    : "--" + question.name.map { $0 == "_" ? "-" : String($0) }.joined() + " …"
            return "\n  \(question.name): \(way)"
        }
        throw fail(
            EX_USAGE,
            "provider \"\(credential.profile.name)\" needs more; give it so, or run this on a "
                + "terminal:\(ways.joined())")
    }

    /// Asks for missing values; an invalid value is asked for again.
    mutating func ask(signsIn: Bool) throws {
        let optional =
            credential.profile.authorization != nil
            ? "Enter: sign in later" : "Enter: none"
        for question in credential.questions where !credential.isAnswered(question.name) {
            let isInitialToken = question.name == "refresh_token"
            guard question.isRequired || isInitialToken, !(isInitialToken && signsIn) else {
                continue
            }
            let end = question.isRequired ? [] : [optional]
            let notes = question.notes + end + (question.isMultiline ? ["the file it is in"] : [])
            let prompt =
                question.name + (notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))") + ": "
            try ask(question, prompt)
        }
    }

    private mutating func ask(_ question: NewCredential.Question, _ prompt: String) throws {
        let isHidden = question.isSecret && !question.isMultiline
        while true {
            guard let text = Terminal.ask(prompt, isHidden: isHidden) else {
                throw fail(EX_USAGE, "nothing was changed: no answer was given")
            }
            if text.isEmpty {
                if question.isRequired { continue }
                return
            }
            do throws(RequestError) {
                let value: JSONNode =
                    question.isMultiline ? ["file": .string(text)] : .string(text)
                return try credential.answer(question.name, value)
            } catch { printError(error.text) }
        }
    }

    private mutating func give(_ name: String, _ value: JSONNode) throws {
        do throws(RequestError) { try credential.answer(name, value) } catch {
            throw fail(EX_DATAERR, error.text)
        }
    }
}
