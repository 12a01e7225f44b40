/// The index of each key among an object's members. A few keys are compared one by one, which costs
/// less than hashing; for many there is a table, because a response may have any number of them.
struct KeyPlaces {
    private static let few = 24
    private var table: [ByteText: Int] = [:]
    /// How many members are already in the table.
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
