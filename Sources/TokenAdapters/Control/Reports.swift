internal import Synchronization
internal import TokenControl
internal import TokenFormats

/// Responses about all credentials, put together from the slices that the loop gives.
struct Reports: Sendable {
    let client: LoopClient
    let format: MetricsFormat
    /// Whether the HTTP client knows the chunked coding.
    let takesChunks: Bool

    /// Answers a request.
    ///
    /// - Parameter respond: Called once, from any thread.
    func answer(
        _ request: ControlRequest, _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        switch request {
        case .status(let query) where query.isPage:
            page(query, [], respond)
        case .status:
            // The end of a JSON document shows by itself, and the command line of earlier versions
            // knows no chunks.
            respond(
                HTTPResponse(
                    200, contentType: "application/json", pieces: StatusPieces(client),
                    isChunked: false))
        case .metrics:
            respond(
                HTTPResponse(
                    200, contentType: format.contentType, pieces: MetricsPieces(client, format),
                    isChunked: takesChunks))
        case .health: health(nil, respond)
        default: client.ask(request) { respond(HTTPResponse($0)) }
        }
    }

    /// - Parameter found: The credentials of the page so far.
    private func page(
        _ query: StatusQuery, _ found: [CredentialStatus],
        _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let limit = query.limit ?? StatusQuery.usualLimit
        var rest = query
        // One more than the page holds tells whether another page follows.
        rest.limit = limit + 1 - found.count
        client.ask(.status(rest)) { reply in
            guard case .statusSlice(let slice) = reply.content else {
                return respond(HTTPResponse(reply))
            }
            let found = found + slice.credentials
            if found.count <= limit, let name = slice.next {
                var next = query
                next.after = name
                return page(next, found, respond)
            }
            var report = slice.head
            report.credentials = Array(found.prefix(limit))
            report.next = found.count > limit ? report.credentials.last?.name : nil
            respond(HTTPResponse(ControlReply(200, .status(report))))
        }
    }

    /// - Parameter former: The report on the slices before this one.
    private func health(
        _ former: HealthReport?, _ respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        client.ask(.health(after: former?.next)) { reply in
            guard case .health(let slice) = reply.content else {
                return respond(HTTPResponse(reply))
            }
            var report = former ?? slice
            if former != nil { report.append(slice) }
            guard report.next == nil else { return health(report, respond) }
            respond(HTTPResponse(ControlReply(report.isHealthy ? 200 : 503, .health(report))))
        }
    }
}

/// The whole status, a slice in each piece.
private final class StatusPieces: BodyPieces {
    private struct Progress {
        var writer = StatusWriter()
        var query = StatusQuery()
    }
    private let client: LoopClient
    private let progress = Mutex(Progress())

    init(_ client: LoopClient) { self.client = client }

    func next(_ give: @escaping @Sendable (BodyPiece) -> Void) {
        client.ask(.status(progress.withLock { $0.query })) { reply in
            guard case .statusSlice(let slice) = reply.content else { return give(.broken) }
            let bytes = self.progress.withLock { progress in
                progress.query.after = slice.next
                return progress.writer.write(slice)
            }
            give(slice.next == nil ? .last(bytes) : .part(bytes))
        }
    }
}

/// The metrics: all values are collected first, because the text has them family by family.
private final class MetricsPieces: BodyPieces {
    /// One of both: the values that are collected, or their text.
    private struct Progress {
        var report: MetricsReport?
        var writer: MetricsWriter?
    }
    private static let pieceSize = 256 << 10
    private let client: LoopClient
    private let format: MetricsFormat
    private let progress = Mutex(Progress())

    init(_ client: LoopClient, _ format: MetricsFormat) {
        (self.client, self.format) = (client, format)
    }

    func next(_ give: @escaping @Sendable (BodyPiece) -> Void) {
        let (isWriting, name) = progress.withLock { ($0.writer != nil, $0.report?.next) }
        if isWriting { return client.render { give(self.write()) } }
        client.ask(.metrics(after: name)) { reply in
            guard case .metrics(let slice) = reply.content else { return give(.broken) }
            self.append(slice)
            if slice.next == nil { return give(self.write()) }
            // A long response takes its place before the work for it.
            if name == nil { give(.part([])) } else { self.next(give) }
        }
    }

    /// In place: a copy for each slice would be quadratic.
    private func append(_ slice: MetricsReport) {
        progress.withLock { progress in
            if progress.report == nil {
                progress.report = slice
            } else {
                progress.report?.append(slice)
            }
            guard slice.next == nil, let report = progress.report else { return }
            progress = Progress(writer: MetricsWriter(report, format))
        }
    }

    private func write() -> BodyPiece {
        let piece = progress.withLock { $0.writer?.next(atLeast: Self.pieceSize) }
        guard let piece else { return .broken }
        return piece.isLast ? .last(piece.bytes) : .part(piece.bytes)
    }
}
