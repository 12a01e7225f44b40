internal import Synchronization

/// The identities of outputs when they were published, to detect later changes.
///
/// Each publication changes its own entries alone, and a check reads them by parts: neither copies
/// all of them, however many there are.
final class OutputMarks: Sendable {
    struct Mark: Sendable, Equatable {
        var credential: String
        var identity: FileIdentity
    }
    struct Entry: Sendable {
        var path: String
        var mark: Mark
    }
    private struct Place {
        var mount: Int32
        var index: Int32
    }
    /// The entries of one mount. A removed one leaves a hole for a later one: entries never move,
    /// so a check that reads them by parts misses none.
    private struct Book {
        var mount: String
        var entries: [Entry?] = []
        var holes: [Int32] = []

        var isEmpty: Bool { entries.count == holes.count }
    }
    private struct Books {
        var numbers: [String: Int32] = [:]
        var books: [Book] = []
        var places: [String: Place] = [:]
    }
    private let books = Mutex(Books())

    /// How many entries a check reads at once.
    static let part = 256

    /// Those with any entry. A check covers one: a file server that does not respond delays no
    /// other check.
    var mounts: [String] {
        books.withLock { $0.books.filter { !$0.isEmpty }.map(\.mount) }
    }

    /// Called before a file is changed: results of a check that began earlier are invalid.
    func forget(_ path: String) {
        books.withLock { books in
            guard let place = books.places.removeValue(forKey: path) else { return }
            books.books[Int(place.mount)].entries[Int(place.index)] = nil
            books.books[Int(place.mount)].holes.append(place.index)
        }
    }

    /// Replaces what is noted of the path, on whichever mount.
    func note(_ mark: Mark, of path: String, on mount: String) {
        forget(path)
        books.withLock { books in
            let number = books.numbers[mount] ?? Int32(books.books.count)
            if Int(number) == books.books.count {
                books.numbers[mount] = number
                books.books.append(Book(mount: mount))
            }
            let entry = Entry(path: path, mark: mark)
            var index = Int32(books.books[Int(number)].entries.count)
            if let hole = books.books[Int(number)].holes.popLast() {
                index = hole
                books.books[Int(number)].entries[Int(hole)] = entry
            } else {
                books.books[Int(number)].entries.append(entry)
            }
            books.places[path] = Place(mount: number, index: index)
        }
    }

    /// The entries of a mount from a position on, and where the next part begins.
    ///
    /// - Returns: `nil` behind the last entry.
    func part(of mount: String, from position: Int) -> (entries: [Entry], next: Int)? {
        books.withLock { books in
            guard let number = books.numbers[mount] else { return nil }
            let count = books.books[Int(number)].entries.count
            guard position < count else { return nil }
            let next = min(position + Self.part, count)
            return (books.books[Int(number)].entries[position..<next].compactMap { $0 }, next)
        }
    }

    func has(_ mark: Mark, of path: String, on mount: String) -> Bool {
        books.withLock { books in
            guard let place = books.places[path] else { return false }
            let book = books.books[Int(place.mount)]
            return book.mount == mount && book.entries[Int(place.index)]?.mark == mark
        }
    }
}
