/// A key of a terminal.
enum WatchKey: Equatable {
    case up, down, pageUp, pageDown, home, end, enter, backspace, escape
    case character(Character)
    /// A key without a function.
    case other
}

/// Decodes the bytes of keys (sequences of xterm and the Linux console).
enum WatchKeys {
    /// Whether more bytes of the last key may follow.
    static func isPart(_ bytes: [UInt8]) -> Bool {
        guard let start = bytes.lastIndex(of: 0x1B) else { return false }
        let rest = bytes[(start + 1)...]
        guard let kind = rest.first else { return true }
        guard kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else { return false }
        return rest.dropFirst().allSatisfy { (0x20...0x3F).contains($0) }
    }

    static func keys(in bytes: [UInt8]) -> [WatchKey] {
        var keys: [WatchKey] = []
        var rest = bytes[...]
        while let first = rest.first {
            if first == 0x1B {
                keys.append(takeSequence(&rest))
            } else if first < 0x80 {
                rest.removeFirst()
                keys.append(plain(first))
            } else {
                let character = rest.prefix { $0 >= 0x80 }
                rest = rest.dropFirst(character.count)
                keys += String(decoding: character, as: UTF8.self).map { .character($0) }
            }
        }
        return keys
    }

    private static func plain(_ byte: UInt8) -> WatchKey {
        switch byte {
        case 0x0A, 0x0D: .enter
        case 0x08, 0x7F: .backspace
        case 0x20...0x7E: .character(Character(UnicodeScalar(byte)))
        default: .other
        }
    }

    /// Decodes `ESC [ … letter`, `ESC [ … ~`, `ESC O letter`, or the Escape key itself.
    private static func takeSequence(_ rest: inout ArraySlice<UInt8>) -> WatchKey {
        rest.removeFirst()
        guard let kind = rest.first, kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else {
            return .escape
        }
        rest.removeFirst()
        let parameters = rest.prefix { (0x20...0x3F).contains($0) }
        rest = rest.dropFirst(parameters.count)
        guard let last = rest.popFirst() else { return .other }
        switch last {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"): return numbered(String(decoding: parameters, as: UTF8.self))
        default: return .other
        }
    }

    private static func numbered(_ number: String) -> WatchKey {
        switch number {
        case "1", "7": .home
        case "4", "8": .end
        case "5": .pageUp
        case "6": .pageDown
        default: .other
        }
    }
}
