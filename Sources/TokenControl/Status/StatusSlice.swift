internal import TokenFormats
internal import TokenScheduling

/// A part of a status: the loop copies these credentials, and another thread describes them. At
/// 100 000 credentials the whole takes too long for one step of the loop.
package struct StatusSlice: Sendable, Equatable {
    /// How many credentials a slice has at most.
    package static let most = 256

    /// The document without its credentials.
    package var head: StatusReport
    /// The name after which the next slice begins; `nil` in the last one.
    package var next: String?
    var lifecycles: [CredentialLifecycle] = []
    private let now: Moment

    /// A slice without credentials, of this time.
    init(head: StatusReport, now: Moment) { (self.head, self.now) = (head, now) }

    /// What the status shows of each credential, in name order.
    package var credentials: [CredentialStatus] {
        lifecycles.map { CredentialStatus($0, now: now) }
    }

    /// The slice as a document of its own.
    package var report: StatusReport {
        var report = head
        (report.credentials, report.next) = (credentials, next)
        return report
    }

    /// Slices are equal if they show the same.
    package static func == (left: StatusSlice, right: StatusSlice) -> Bool {
        left.report == right.report
    }
}

/// Writes a status document in pieces, one for each slice.
package struct StatusWriter: Sendable {
    private var hasCredentials = false
    private var hasBegun = false

    /// A writer that has written nothing.
    package init() {}

    /// The next piece of the document, in UTF-8.
    ///
    /// - Parameter slice: The slice that follows the last one; the document ends with a slice
    ///   without ``StatusSlice/next``.
    package mutating func write(_ slice: StatusSlice) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024 * (slice.lifecycles.count + 1))
        if !hasBegun {
            // Without the two brackets that end the document.
            bytes += slice.head.json.serialized().dropLast(2)
            hasBegun = true
        }
        for credential in slice.credentials {
            if hasCredentials { bytes.append(UInt8(ascii: ",")) }
            credential.json.append(to: &bytes)
            hasCredentials = true
        }
        if slice.next == nil { bytes += Array("]}\n".utf8) }
        return bytes
    }
}
