import Testing

@testable import TokenFormats

@Suite("Amounts that lack their unit or sign") struct AmountTests {
    private func mistake(_ key: String, _ value: String) -> String? {
        let text = """
            {"credentials": {"crm": {"provider": "xee", "client_id": "id", "client_secret": "pw",
              "refresh": {"\(key)": \(value)}}}}
            """
        return ConfigurationTests.mistakes(text).first { $0.path.contains(key) }
            .map { "\($0.problem); \($0.remedy)" }
    }

    @Test(
        "the mistake tells the value and what it may have meant",
        arguments: [
            ("at", #""0.8""#, #""0.8" is not a percentage; write "80%""#),
            ("at", "0.675", #"0.675 is not a percentage; write "67.5%""#),
            ("at", #""80""#, #""80" is not a percentage; write "80%""#),
            ("at", "1", #"1 is not a percentage; write "100%""#),
            ("margin", #""60""#, #""60" has no unit; write "60s""#),
            ("margin", "90", #"90 has no unit; write "90s""#),
        ])
    func meant(_ key: String, _ value: String, _ text: String) {
        #expect(mistake(key, value) == text)
    }

    @Test("what is no number is not repeated", arguments: [#""half""#, #""150""#, #""-5%""#, "{}"])
    func unclear(_ value: String) {
        let text = mistake("at", value)
        #expect(text?.contains("write a fraction with its sign") == true)
        #expect(text?.contains("half") == false)
    }

    @Test(
        "a duration of the command line",
        arguments: [
            ("5", #""5" has no unit; write 5s or 5m"#),
            ("1.5", #""1.5" has no unit; write 1.5s or 1.5m"#),
            ("soon", #""soon" is not a duration; write 90s or 5m"#),
            ("", #""" is not a duration; write 90s or 5m"#),
        ])
    func duration(_ text: String, _ mistake: String) {
        #expect(durationMistake(text) == mistake)
    }

    @Test("mistakes are read from the top of each file")
    func sorted() {
        let places = [("b", 1, 1), ("a", 9, 2), ("a", 9, 1), ("a", 2, 7), ("a", 9, 1)]
        let all = places.enumerated().map { number, place in
            ConfigurationMistake(
                file: place.0, line: place.1, column: place.2, problem: "\(number)", remedy: "r")
        }
        #expect(ConfigurationMistakes(all).sorted.map(\.problem) == ["3", "2", "4", "1", "0"])
    }
}
