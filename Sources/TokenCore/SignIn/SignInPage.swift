internal import Crypto

/// The page that a person sees in the browser after signing in. One file without scripts or
/// anything from elsewhere; light and dark as the browser wishes.
public struct SignInPage: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        /// The tokens are safe.
        case signedIn
        /// The person, or the provider, said no.
        case denied
        /// - problem: What went wrong, in our own words.
        case failed(problem: String)
    }
    public var outcome: Outcome
    public var credential: String

    public init(_ outcome: Outcome, credential: String) {
        (self.outcome, self.credential) = (outcome, credential)
    }

    /// What goes along with the page: nothing of it may be kept, framed, run or loaded, and its
    /// address, which holds the code, is told to nobody.
    public static let headers: [HeaderField] = {
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

    public static let contentType = "text/html; charset=utf-8"

    private var words: (title: String, mark: String, text: [String]) {
        let name = "<strong>\(escapedHTML(credential))</strong>"
        switch outcome {
        case .signedIn:
            return (
                "Signed in", "✓",
                [
                    "\(name) is signed in. From now on evertoken keeps its access token fresh.",
                    "You can close this page.",
                ]
            )
        case .denied:
            return (
                "Not signed in", "✕",
                [
                    "The sign-in of \(name) was denied. Nothing was changed.",
                    "To try again, run <code>evertoken login \(escapedHTML(credential))</code>.",
                ]
            )
        case .failed(let problem):
            return (
                "Not signed in", "✕",
                [
                    "\(name) is not signed in: \(escapedHTML(problem)).",
                    "The terminal where you ran <code>evertoken login</code> says what to do.",
                ]
            )
        }
    }

    public var html: String {
        let words = self.words
        let kind = outcome == .signedIn ? "good" : "bad"
        let paragraphs = words.text.map { "<p>\($0)</p>" }.joined(separator: "\n")
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(words.title): \(escapedHTML(credential)) – evertoken</title>
            <link rel="icon" href="data:,">
            <style>\(Self.style)</style>
            </head>
            <body>
            <main class="\(kind)">
            <h1><span aria-hidden="true">\(words.mark)</span> \(words.title)</h1>
            \(paragraphs)
            </main>
            </body>
            </html>

            """
    }

    private static let style = """
        :root { color-scheme: light dark }
        body { margin: 0; min-height: 100vh; display: grid; place-items: center;
          font: 1.125rem/1.5 system-ui, sans-serif; color: #1b1f24; background: #f3f4f6 }
        main { box-sizing: border-box; max-width: 34rem; margin: 1rem; padding: 1.5rem 2rem;
          background: #ffffff; border-top: .375rem solid #1a7f37; border-radius: .5rem;
          overflow-wrap: anywhere }
        main.bad { border-top-color: #b42318 }
        h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; color: #116329 }
        main.bad h1 { color: #b42318 }
        p { margin: .75rem 0 0 }
        code { font-family: ui-monospace, monospace; font-size: .95em }
        @media (prefers-color-scheme: dark) {
          body { color: #e6e9ed; background: #14171b }
          main { background: #1f242a; border-top-color: #3fb950 }
          main.bad { border-top-color: #ff7b72 }
          h1 { color: #56d364 }
          main.bad h1 { color: #ff9a91 }
        }
        """
}

/// Text as it may stand in an element or in a quoted attribute of a page.
public func escapedHTML(_ text: String) -> String {
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
