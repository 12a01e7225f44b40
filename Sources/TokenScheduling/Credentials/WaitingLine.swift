internal import TokenFormats

/// The credentials that are due and wait for the limit of concurrent requests, in order of arrival.
///
/// One line for each provider: those of a provider without room are passed over together, however
/// many they are.
struct WaitingLine: Sendable {
    private struct Place: Sendable, Equatable {
        var arrival: Int64
        var line: Int
    }
    private struct Entry: Sendable {
        var index: Int
        var place: Place
    }
    /// The valid places, by index. An entry with another place is a left-over.
    private var places: [Int: Place] = [:]
    private var numbers: [String: Int] = [:]
    private var providers: [String] = []
    private var lines: [Fifo<Entry>] = []
    /// The arrivals of the first entries.
    private var firsts = DeadlineHeap()
    private var lastArrival: Int64 = 0
    private var leftOvers = 0

    /// How many wait.
    var count: Int { places.count }

    /// Adds one at the end, unless it waits already.
    mutating func add(_ index: Int, provider: String) {
        guard places[index] == nil else { return }
        lastArrival += 1
        append(index, Place(arrival: lastArrival, line: number(of: provider)))
    }

    mutating func remove(_ index: Int) {
        guard places.removeValue(forKey: index) != nil else { return }
        noteLeftOver()
    }

    /// Its provider may be another one now; its place among all stays.
    mutating func update(_ index: Int, provider: String) {
        guard let place = places[index], providers[place.line] != provider else { return }
        let line = number(of: provider)
        let new = Place(arrival: place.arrival, line: line)
        var rest = lines[line]
        (lines[line], places[index]) = (Fifo(), new)
        var isIn = false
        while let entry = rest.popFirst() {
            if !isIn, new.arrival < entry.place.arrival {
                lines[line].append(Entry(index: index, place: new))
                isIn = true
            }
            lines[line].append(entry)
        }
        if !isIn { lines[line].append(Entry(index: index, place: new)) }
        noteFirst(of: line)
        noteLeftOver()
    }

    /// Takes the first one out whose provider has room.
    mutating func popFirst(_ hasRoom: (_ provider: String) -> Bool) -> Int? {
        var passed: [Int] = []
        defer { for line in passed { noteFirst(of: line) } }
        while let line = firsts.earliest?.id {
            guard let first = lines[line].first, places[first.index] == first.place else {
                if lines[line].popFirst() != nil { leftOvers -= 1 }
                noteFirst(of: line)
                continue
            }
            guard hasRoom(providers[line]) else {
                passed.append(line)
                firsts.set(line, to: nil)
                continue
            }
            _ = lines[line].popFirst()
            noteFirst(of: line)
            places[first.index] = nil
            return first.index
        }
        return nil
    }

    private mutating func append(_ index: Int, _ place: Place) {
        places[index] = place
        lines[place.line].append(Entry(index: index, place: place))
        if lines[place.line].count == 1 { noteFirst(of: place.line) }
    }

    /// Left-overs cost memory until their line moves: half of all entries may be such.
    private mutating func noteLeftOver() {
        leftOvers += 1
        guard leftOvers > max(places.count, 64) else { return }
        leftOvers = 0
        for line in lines.indices {
            var former = lines[line]
            lines[line] = Fifo()
            while let entry = former.popFirst() {
                if places[entry.index] == entry.place { lines[line].append(entry) }
            }
            noteFirst(of: line)
        }
    }

    private mutating func noteFirst(of line: Int) {
        let arrival = lines[line].first?.place.arrival
        firsts.set(line, to: arrival.map { Uptime(.nanoseconds($0)) })
    }

    private mutating func number(of provider: String) -> Int {
        if let known = numbers[provider] { return known }
        numbers[provider] = lines.count
        providers.append(provider)
        lines.append(Fifo())
        return lines.count - 1
    }
}
