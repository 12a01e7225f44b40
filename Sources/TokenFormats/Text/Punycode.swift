/// Host names outside ASCII in their DNS form (RFC 3492, RFC 5890).
enum Punycode {
    /// A host with each of its labels in ASCII; `nil` when a label becomes too long for the DNS.
    static func host(_ host: some StringProtocol) -> String? {
        let labels = host.lowercased().split(separator: ".", omittingEmptySubsequences: false)
            .map { label in
                label.utf8.allSatisfy { $0 < 0x80 } ? String(label) : "xn--" + encoded(label)
            }
        guard labels.allSatisfy({ $0.utf8.count <= 63 }) else { return nil }
        return labels.joined(separator: ".")
    }

    // Names and numbers of RFC 3492 section 5.
    private static let (base, tMin, tMax, skew, damp) = (36, 1, 26, 38, 700)

    /// RFC 3492 section 6.3.
    private static func encoded(_ label: Substring) -> String {
        let points = label.unicodeScalars.map { Int($0.value) }
        var output = points.filter { $0 < 0x80 }.map { UInt8($0) }
        let basic = output.count
        var handled = basic
        if basic > 0 { output.append(UInt8(ascii: "-")) }
        var (next, delta, bias) = (0x80, 0, 72)
        while handled < points.count {
            let least = points.filter { $0 >= next }.min() ?? next
            delta += (least - next) * (handled + 1)
            next = least
            for point in points {
                if point < next { delta += 1 }
                guard point == next else { continue }
                output += digits(of: delta, bias: bias)
                bias = adapted(delta, points: handled + 1, isFirst: handled == basic)
                delta = 0
                handled += 1
            }
            delta += 1
            next += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func digits(of delta: Int, bias: Int) -> [UInt8] {
        var (rest, at) = (delta, base)
        var output: [UInt8] = []
        while true {
            let threshold = min(max(at - bias, tMin), tMax)
            guard rest >= threshold else { break }
            output.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            at += base
        }
        return output + [digit(rest)]
    }

    private static func digit(_ value: Int) -> UInt8 {
        UInt8(value < 26 ? 0x61 + value : 0x30 + value - 26)
    }

    /// RFC 3492 section 6.1.
    private static func adapted(_ delta: Int, points: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / points
        var at = 0
        while delta > (base - tMin) * tMax / 2 {
            delta /= base - tMin
            at += base
        }
        return at + (base - tMin + 1) * delta / (delta + skew)
    }
}
