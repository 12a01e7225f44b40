internal import Synchronization

/// One text for each boot that records name: they hold several moments each, and nearly all of a
/// hundred thousand records name the same boot.
enum BootNames {
    /// Records of more boots than this are rare; their texts are their own.
    private static let most = 64
    private static let known = Mutex<Set<String>>([])

    /// The same text, in memory that others share.
    static func shared(_ name: String) -> String {
        known.withLock { known in
            if let index = known.firstIndex(of: name) { return known[index] }
            if known.count < most { known.insert(name) }
            return name
        }
    }
}
