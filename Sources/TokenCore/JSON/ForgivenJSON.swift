/// A value that was read forgivingly, and what had to be forgiven. Only responses are read so,
/// where a token would be lost otherwise: never configuration, state or the claims of a JWT.
struct ForgivenJSON {
    var node = JSONNode(.null)
    /// Whether one begins there at all.
    var isValue = false
    var start = 0
    /// The first byte behind it, or how far it could be read.
    var end = 0
    /// The document ends inside it; what was not whole is left out.
    var isCut = false
    /// Comments, commas before an end, words without quotes, other quotes, deep nesting, control
    /// characters or bytes that are no UTF-8 in its texts.
    var isLoose = false
    /// Members whose key stands again later in the same object: the later one rules.
    var replaced: [JSONMember] = []
}
