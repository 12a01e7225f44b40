internal import Crypto
internal import TokenFormats

/// The page in the browser after a sign-in. One file without scripts or external resources; light
/// or dark by the browser's preference.
package struct SignInPage: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        /// The tokens are saved.
        case signedIn
        /// No tokens; the terminal shows the same failure.
        case failed(SignInFailure)
        /// A request without the state of the pending sign-in.
        case unexpected
    }
    package var outcome: Outcome
    package var subject: Subject

    /// The sign-in that the page belongs to: a user may have several tabs open.
    package struct Subject: Sendable, Equatable {
        /// Empty for a request that matches no sign-in, so that it learns no credential's name.
        package var credential = ""
        package var provider: String?
        /// The machine where `evertoken login` runs.
        package var host: String?

        package init() {}

        package init(credential: String, provider: String?, host: String?) {
            (self.credential, self.provider, self.host) = (credential, provider, host)
        }

        /// `crm at acme, on web-3`, as the parts of a sentence.
        fileprivate var html: String {
            let strong = { (text: String) in "<strong>\(escapedHTML(text))</strong>" }
            return strong(credential) + (provider.map { " at " + strong($0) } ?? "")
                + (host.map { ", on " + strong($0) } ?? "")
        }
    }

    package init(_ outcome: Outcome, _ subject: Subject) {
        (self.outcome, self.subject) = (outcome, subject)
    }

    /// Headers of the page: it must not be cached, framed, scripted or used as a base for requests,
    /// and its URL is not sent as a referrer.
    package static let headers: [HeaderField] = {
        let style = base64(Array(SHA256.hash(data: Array(Self.style.utf8))))
        return [
            HeaderField(
                "Content-Security-Policy",
                "default-src 'none'; style-src 'sha256-\(style)'; base-uri 'none'; "
                    + "form-action 'none'; frame-ancestors 'none'"),
            HeaderField("Referrer-Policy", "no-referrer"),
            HeaderField("X-Content-Type-Options", "nosniff"),
        ]
    }()

    package static let contentType = "text/html; charset=utf-8"

    package var isSuccess: Bool { outcome == .signedIn }

    private struct Words {
        /// Name of the style. The heading and a mark repeat its meaning, because colour alone is
        /// not accessible.
        var look: String
        var mark: String
        var heading: String
        var text: [String]
    }

    private var words: Words {
        let status = Self.command("evertoken status \(escapedHTML(subject.credential))")
        switch outcome {
        case .signedIn:
            return Words(
                look: "good", mark: "✓", heading: "Signed in",
                text: [
                    subject.html + (subject.host == nil ? "" : ",")
                        + " is signed in. evertoken keeps its access token fresh from now on.",
                    "You can close this page. Check: \(status)",
                ])
        case .failed(let failure):
            return words(of: failure)
        case .unexpected:
            return Words(
                look: "other", mark: "?", heading: "Not this sign-in",
                text: [
                    "This is not the sign-in that is waiting. Go back to the terminal."
                ])
        }
    }

    private func words(of failure: SignInFailure) -> Words {
        let text = [
            "\(subject.html): \(escapedHTML(failure.problem)).",
            marked(escapedHTML(failure.remedy) + "."),
        ]
        switch failure.kind {
        case .denied:
            return Words(look: "choice", mark: "–", heading: "Sign-in denied", text: text)
        case .tryAgain:
            return Words(
                look: "later", mark: "↻", heading: "Not signed in: try again", text: text)
        case .wrongSettings, .unusableAnswer, .notSaved:
            return Words(
                look: "bad", mark: "✕", heading: "Not signed in: ask the administrator",
                text: text)
        }
    }

    /// Marks the commands in a remedy, so that they stand out from the text.
    private func marked(_ text: String) -> String {
        let name = escapedHTML(subject.credential)
        return ["evertoken login \(name)", "evertoken check \(name) --show-request"].reduce(text) {
            $0.replacing($1, with: Self.command($1))
        }
    }

    /// Allows line breaks only between words: `--show-request` must not be split.
    private static func command(_ text: String) -> String {
        let words = text.utf8.split(separator: UInt8(ascii: " ")).map {
            "<span>\(Substring($0))</span>"
        }
        return "<code>" + words.joined(separator: " ") + "</code>"
    }

    package var html: String {
        let words = self.words
        let paragraphs = words.text.map { "<p>\($0)</p>" }.joined(separator: "\n")
        let name = subject.credential.isEmpty ? "" : ": " + escapedHTML(subject.credential)
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(words.heading)\(name) – evertoken</title>
            <link rel="icon" href="data:,">
            <style>\(Self.style)</style>
            </head>
            <body>
            <main class="\(words.look)">
            <h1><span aria-hidden="true">\(words.mark)</span> \(words.heading)</h1>
            \(paragraphs)
            </main>
            </body>
            </html>

            """
    }

    /// On narrow screens the card is at the top.
    private static let style = """
        :root { color-scheme: light dark; --page: #f3f4f6; --card: #ffffff; --text: #1b1f24;
          --line: #d3d7dd; --soft: #eceef1; --good: #116329; --bad: #b42318; --later: #8a4b00;
          --choice: #3b4a5f; --other: #5b3fa0 }
        @media (prefers-color-scheme: dark) {
          :root { --page: #14171b; --card: #1f242a; --text: #e6e9ed; --line: #3a4149;
            --soft: #2c323a; --good: #56d364; --bad: #ff9a91; --later: #f0b35a;
            --choice: #b3c1d6; --other: #c3b0ff }
        }
        body { margin: 0; min-height: 100vh; display: grid; place-items: center;
          font: 1.125rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page) }
        main { box-sizing: border-box; max-width: 38rem; margin: 1rem; padding: 1.5rem 2rem;
          background: var(--card); border: .0625rem solid var(--line); --look: var(--choice);
          border-top: .375rem solid var(--look); border-radius: .5rem; overflow-wrap: anywhere }
        .good { --look: var(--good) }
        .bad { --look: var(--bad) }
        .later { --look: var(--later) }
        .other { --look: var(--other) }
        h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; color: var(--look) }
        p { margin: .75rem 0 0 }
        code { font-family: ui-monospace, monospace; font-size: .9em; padding: 0 .35em;
          border-radius: .25rem; background: var(--soft) }
        code span { display: inline-block; max-width: 100% }
        @media (max-width: 30rem) {
          body { place-items: start stretch }
          main { margin: .75rem; padding: 1.25rem }
        }
        """
}

/// Escapes text for an HTML element or a quoted attribute.
package func escapedHTML(_ text: String) -> String {
    var result = ""
    for character in text {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        default: result.append(character)
        }
    }
    return result
}
