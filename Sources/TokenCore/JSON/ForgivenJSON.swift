/// A value that was read leniently, and which syntax errors were tolerated. Only responses are read
/// this way, where a token would be lost otherwise: never configuration, state or the claims of a
/// JWT.
struct ForgivenJSON {
    var node = JSONNode(.null)
    /// Whether a JSON value begins at this offset at all.
    var isValue = false
    var start = 0
    /// Offset of the first byte after the value, or of the byte where reading stopped.
    var end = 0
    /// The document ends inside the value; incomplete parts are left out.
    var isCut = false
    /// Comments, trailing commas, words without quotes, other quotes, deep nesting, control
    /// characters, or strings with invalid UTF-8 were accepted.
    var isLoose = false
    /// Members whose key occurs again later in the same object: the later member wins.
    var replaced: [JSONMember] = []
}
