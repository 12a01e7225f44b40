extension JSONNode {
    /// The value as RFC 8259 text: compact, or indented by two spaces a level for people.
    package func serialized(indented: Bool = false) -> [UInt8] {
        var writer = JSONWriter(indented: indented)
        writer.write(self, level: 0)
        return writer.bytes
    }

    /// Appends the value as compact text.
    package func append(to bytes: inout [UInt8]) {
        var writer = JSONWriter(indented: false)
        // The text moves in and out without a copy.
        swap(&writer.bytes, &bytes)
        writer.write(self, level: 0)
        swap(&writer.bytes, &bytes)
    }
}

private struct JSONWriter {
    let indented: Bool
    var bytes: [UInt8] = []

    init(indented: Bool) { self.indented = indented }

    mutating func write(_ node: JSONNode, level: Int) {
        switch node.kind {
        case .null: bytes += "null".utf8
        case .bool(let flag): bytes += (flag ? "true" : "false").utf8
        case .number(let literal): bytes += literal.utf8
        case .string(let text): write(text)
        case .array(let elements):
            enclose("[", "]", count: elements.count, level: level) { writer, index in
                writer.write(elements[index], level: level + 1)
            }
        case .object(let members):
            enclose("{", "}", count: members.count, level: level) { writer, index in
                writer.write(members[index].key)
                writer.bytes += (writer.indented ? ": " : ":").utf8
                writer.write(members[index].value, level: level + 1)
            }
        }
    }

    private mutating func enclose(
        _ open: String, _ close: String, count: Int, level: Int,
        _ element: (inout JSONWriter, Int) -> Void
    ) {
        bytes += open.utf8
        for index in 0..<count {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(level + 1)
            element(&self, index)
        }
        if count > 0 { newLine(level) }
        bytes += close.utf8
    }

    private mutating func newLine(_ level: Int) {
        guard indented else { return }
        bytes.append(0x0A)
        bytes += Array(repeating: 0x20, count: level * 2)
    }

    private mutating func write(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { buffer in
            // What stands for itself is written in one piece: nearly always all of it.
            var start = 0
            for at in buffer.indices where Self.isEscaped(buffer[at]) {
                bytes += buffer[start..<at]
                escape(buffer[at])
                start = at + 1
            }
            bytes += buffer[start...]
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x0A: bytes += Array("\\n".utf8)
        case 0x0D: bytes += Array("\\r".utf8)
        case 0x09: bytes += Array("\\t".utf8)
        default:
            bytes += Array("\\u00".utf8)
            bytes += Array(hexadecimal([byte]).utf8)
        }
    }
}
