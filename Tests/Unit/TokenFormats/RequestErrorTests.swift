import Testing

@testable import TokenFormats

@Suite("Errors of texts, keys and requests") struct RequestErrorTests {
    @Test("a caller that knows the subject names it, also in the place of another one")
    func subject() {
        let error = RequestError(problem: "has no https scheme", remedy: "start it with https://")
        #expect(error.subject == nil && error.problem == "has no https scheme")
        let named = error.of("the issuer")
        #expect(named.subject == "the issuer")
        #expect(named.text == "the issuer has no https scheme; start it with https://")
        #expect(named.of("it").problem == "it has no https scheme")
        #expect(error.of("it") == named.of("it") && error != named)
    }

    @Test("the cause of a request that is not made holds problem and remedy apart")
    func cause() {
        let error = RequestError(problem: "is encrypted", remedy: "write it as plain PEM")
        let cause = error.of("the key").cause
        #expect(cause.kind == .requestNotMade)
        #expect(cause.problem == "the key is encrypted; write it as plain PEM")
    }
}
