/// A value that was read leniently, and which syntax errors were tolerated. Only responses are read
/// this way, where a token would be lost otherwise: never configuration, state or the claims of a
/// JWT.
package struct ForgivenJSON {
    package var node = JSONNode(.null)
    /// Whether a JSON value begins at this offset at all.
    package var isValue = false
    package var start = 0
    /// Offset of the first byte after the value, or of the byte where reading stopped.
    package var end = 0
    /// The document ends inside the value; incomplete parts are left out.
    package var isCut = false
    /// Comments, trailing commas, words without quotes, other quotes, deep nesting, control
    /// characters, or strings with invalid UTF-8 were accepted.
    package var isLoose = false
    /// Members whose key occurs again later in the same object: the later member wins.
    package var replaced: [JSONMember] = []

    package init(
        isValue: Bool = false, start: Int = 0, end: Int = 0, isCut: Bool = false,
        isLoose: Bool = false, replaced: [JSONMember] = []
    ) {
        self.isValue = isValue
        self.start = start
        self.end = end
        self.isCut = isCut
        self.isLoose = isLoose
        self.replaced = replaced
    }
}
