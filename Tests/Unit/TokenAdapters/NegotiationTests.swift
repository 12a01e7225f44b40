import Testing

@testable import TokenAdapters
@testable import TokenControl

@Suite("Which format of metrics a client wants") struct NegotiationTests {
    @Test(
        "the newer one, unless the older one is wanted more",
        arguments: [
            (nil, .openMetrics), ("", .openMetrics), ("*/*", .openMetrics),
            ("text/plain", .prometheus), ("TEXT/Plain ; version=0.0.4", .prometheus),
            ("text/*", .prometheus), ("text/html", .openMetrics), ("application/*", .openMetrics),
            ("text/plain, application/openmetrics-text", .openMetrics),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.4", .prometheus),
            ("text/plain;q=0.4, application/openmetrics-text;q=0.5", .openMetrics),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", .prometheus),
            ("text/plain;q=0, */*", .openMetrics),
            ("application/openmetrics-text;q=0, */*", .prometheus),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,"
                    + "application/openmetrics-text;version=0.0.1;q=0.4,"
                    + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
            ),
            ("text/plain;q=nan", .openMetrics), ("text/plain;q=", .openMetrics),
            (",,;q=1,text/plain", .prometheus),
        ] as [(String?, MetricsFormat)])
    func format(_ accept: String?, _ format: MetricsFormat) {
        #expect(MetricsNegotiation.format(accept: accept) == format)
    }
}
