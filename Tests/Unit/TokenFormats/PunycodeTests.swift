import Testing

@testable import TokenFormats

@Suite("Host names outside ASCII, and other mistakes of people who know JSON's relatives")
struct PunycodeTests {
    /// RFC 3492 section 7.1, in lower case, and names in use.
    @Test(
        "a host is spelled as the DNS has it",
        arguments: [
            ("bücher.example", "xn--bcher-kva.example"),
            ("Straße.example", "xn--strae-oqa.example"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("plain.example", "plain.example"), ("münchen.ü", "xn--mnchen-3ya.xn--tda"),
        ])
    func hosts(_ host: String, _ spelled: String) {
        #expect(Punycode.host(host) == spelled)
    }

    @Test("the mistake of such a URL says what to write; another's host is not repeated")
    func urls() {
        let ours = EndpointURL.problem(of: "https://bücher.example:8443/token", isOurs: true)
        #expect(ours?.remedy == "write xn--bcher-kva.example:8443")
        let theirs = EndpointURL.problem(of: "https://bücher.example/token")
        #expect(theirs?.problem.contains("not in ASCII") == true)
        #expect(theirs?.remedy.contains("bcher") == false)
        let underscore = EndpointURL.problem(of: "https://id_server.example/token")
        #expect(underscore?.problem.contains("underscore") == true)
        #expect(Punycode.host(String(repeating: "ü", count: 63)) == nil)
    }

    @Test(
        "comments and commas that JSON has not are named",
        arguments: [
            ("{\"a\": 1, // one\n\"b\": 2}", "no comments"), ("{\"a\": /* x */ 1}", "no comments"),
            ("# x\n{}", "no comments"), ("{\"a\": 1, }", "a comma behind the last value"),
            ("[1, 2,\n]", "a comma behind the last value"), ("{\"a\": 1 / 2}", "expected"),
        ])
    func relatives(_ text: String, _ words: String) throws {
        let error = #expect(throws: JSONSyntaxError.self) {
            try JSONReader.read(Array(text.utf8))
        }
        #expect(error?.problem.contains(words) == true)
    }
}
