/// A violation in a response that does not hide its tokens. The journal and the history report it;
/// the tokens are used.
package enum Forgiveness: String, Sendable, CaseIterable {
    case compressed = "it was compressed although that was not asked for"
    case utf16 = "it was UTF-16; JSON is UTF-8 (RFC 8259 section 8.1)"
    case surroundingText = "there was text around the JSON"
    case looseJSON = "its JSON breaks RFC 8259"
    case repeatedName = "one name stood twice; the last value was taken"
    case endsEarly = "its JSON ends too early"
    case insideString = "its JSON stood inside a string"
    case unlabelledForm = "it was a form under another Content-Type"

    /// Whether this kind of reading may find a token by chance: the token must then have the syntax
    /// of RFC 6750 section 2.1. Undoing a coding leaves no such doubt.
    var isGuess: Bool {
        switch self {
        case .compressed, .utf16: false
        case .surroundingText, .looseJSON, .repeatedName, .endsEarly, .insideString,
            .unlabelledForm:
            true
        }
    }
}

/// Why no tokens were found in a response, for operators. Quotes nothing of it.
enum BodyProblem: String {
    case html = "is an HTML page"
    case twoCandidates = "holds two JSON values with an access token; neither is believed"
    case twoTexts = "holds more than one JSON value, none of them with an access token"
    case unreadCoding = "is compressed in a way that was not asked for and is not read (br, zstd)"
    case damagedCoding = "is compressed, and damaged"
    case tooLong = "is too long when it is uncompressed"
    case endsEarly = "is JSON that ends too early"
    case noTokenText = "is not JSON"
}
