/// Where the keys of an object stand among its members. Few keys are compared one by one, which
/// costs less than to hash them; of many there is a table, for a body may hold as many as it likes.
struct KeyPlaces {
    private static let few = 24
    private var table: [ByteText: Int] = [:]
    /// How many members the table knows.
    private var known = 0

    mutating func place(of key: String, in members: [JSONMember]) -> Int? {
        if members.count <= Self.few {
            return members.firstIndex { $0.key.hasSameBytes(as: key) }
        }
        while known < members.count {
            table[ByteText(members[known].key)] = known
            known += 1
        }
        return table[ByteText(key)]
    }
}
