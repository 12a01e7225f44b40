import Testing

@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders

@Suite("Times and durations as endpoints write them") struct TimeTextTests {
    @Test(
        "a date by its pattern",
        arguments: [
            ("yyyyMMddHHmmssSSSZ", "20250507190837000+0800", 1_746_616_117),
            ("yyyy-MM-dd HH:mm:ss", "2026-01-02 03:04:05", 1_767_323_045),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-01-02T03:04:05+00:00", 1_767_323_045),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2026-01-02T03:04:05.678Z", 1_767_323_045),
            ("EEE, dd MMM yyyy HH:mm:ss z", "Fri, 02 Jan 2026 03:04:05 GMT", 1_767_323_045),
            ("M/d/yyyy h:mm:ss a", "1/2/2026 3:04:05 AM", 1_767_323_045),
            ("M/d/yyyy h:mm:ss a", "1/2/2026 3:04:05 PM", 1_767_366_245),
            ("yyyy-MM-dd HH:mm:ssZ", "2026-01-02 03:04:05-0330", 1_767_335_645),
        ])
    func dates(pattern: String, text: String, expected: Int64) throws {
        #expect(try #require(DateTimePattern(pattern)).epochSeconds(of: text) == expected)
    }

    @Test("the zone of the profile rules where the text has none")
    func zone() throws {
        let pattern = try #require(DateTimePattern("yyyy-MM-dd HH:mm:ss"))
        let offset = try #require(DateTimePattern.offset(of: "+08:00"))
        #expect(
            pattern.epochSeconds(of: "2026-01-02 11:04:05", offset: offset) == 1_767_323_045)
        #expect(DateTimePattern.offset(of: "UTC") == 0)
        #expect(DateTimePattern.offset(of: "-0330") == -12_600)
        for wrong in ["", "Asia/Shanghai", "+8", "+24:00", "+08:60", "+08:00x"] {
            #expect(DateTimePattern.offset(of: wrong) == nil, "\(wrong)")
        }
    }

    @Test(
        "what does not fit is no date",
        arguments: [
            "", "2026-01-02", "2026-01-02 03:04:05 ", "2026-13-02 03:04:05", "2026-01-02 25:04:05",
            "2026-01-0２ 03:04:05", "x026-01-02 03:04:05", "2026-01-02T03:04:05",
        ])
    func noDates(text: String) throws {
        let pattern = try #require(DateTimePattern("yyyy-MM-dd HH:mm:ss"))
        #expect(pattern.epochSeconds(of: text) == nil)
    }

    @Test(
        "a pattern with an unknown letter is refused",
        arguments: ["", "yy-MM-dd", "yyyy-QQ", "'open", "yyyy-MM-dd VV", "ZZZZ"])
    func patterns(text: String) { #expect(DateTimePattern(text) == nil) }

    @Test("what is written can be read again, in any zone")
    func roundTrip() throws {
        for text in [
            "yyyyMMddHHmmssZ", "EEE, dd MMM yyyy HH:mm:ss XXX", "EEEE d/M/yyyy h:m:s a X",
            "yyyy-MM-dd'T'HH:mm:ssXXX",
        ] {
            let pattern = try #require(DateTimePattern(text))
            for offset in [0, 28_800, -12_600] {
                for seconds in [Int64(0), 1_767_323_045, 4_102_444_799, 951_825_600] {
                    let written = pattern.text(of: WallTime(epochSeconds: seconds), offset: offset)
                    #expect(pattern.epochSeconds(of: written) == seconds, "\(text) \(written)")
                }
            }
        }
    }

    @Test(
        "durations",
        arguments: [
            ("PT1H", 3600), ("P1DT12H30M", 131_400), ("P2W", 1_209_600), ("PT0.5S", 0),
            ("P1Y", 31_536_000),
        ])
    func iso(text: String, seconds: Int64) {
        #expect(DurationText.iso8601(text)?.components.seconds == seconds)
    }

    @Test("no ISO 8601 durations", arguments: ["", "P", "PT", "1H", "PT1", "PTH", "P1H", "PT1D"])
    func noISO(text: String) { #expect(DurationText.iso8601(text) == nil) }

    @Test(
        "durations in words",
        arguments: [
            ("2h", 7200), ("1 day", 86_400), ("90 minutes", 5400), ("1h 30m", 5400),
            ("1 Hour, 1 second", 3601), ("1500ms", 1),
        ])
    func words(text: String, seconds: Int64) {
        #expect(DurationText.words(text)?.components.seconds == seconds)
    }

    @Test("no durations", arguments: ["", "3600", "h", "2 fortnights", "1h x", "99999999999y"])
    func noWords(text: String) { #expect(DurationText.words(text) == nil) }

    @Test("days:hours:minutes")
    func days() {
        #expect(DurationText.daysHoursMinutes("177:05:38") == .seconds(15_313_080))
        for wrong in ["", "1:2", "1:24:00", "1:00:60", "-1:00:00", "1:00:00:00", "a:00:00"] {
            #expect(DurationText.daysHoursMinutes(wrong) == nil, "\(wrong)")
        }
    }

    @Test("now() in a zone, and with quoted letters")
    func now() throws {
        let template = try Template("${now('yyyy-MM-dd''T''HH:mm:ssXXX', '+08:00')}")
        let context = TemplateContext(nonce: CatalogueFixture.nonce)
        #expect(template.text(in: context) == "2026-01-02T11:04:05+08:00")
    }

    @Test(
        "what a function can never take is a mistake of the template",
        arguments: [
            "${now('QQ')}", "${now('yyyy-MM-dd', 'Asia/Tokyo')}", "${random(100)}", "${random(0)}",
            "${hash('sha3', 'x')}", "${hmac('sha265', client_secret, 'x')}",
        ])
    func mistakes(text: String) { #expect(throws: RequestError.self) { try Template(text) } }

    @Test("a value that a function cannot take stops the request; an unset one is left out")
    func badValues() throws {
        let request = try Examples.credential(
            providers: """
                "as": {"request": {"url": "https://id.example/token",
                                   "params": {"n": "${int(shop)}"}}}
                """
        ).profile.refresh[0].request
        var context = TemplateContext(nonce: CatalogueFixture.nonce)
        _ = try request.render(in: context)
        context.values["shop"] = "12"
        _ = try request.render(in: context)
        context.values["shop"] = "twelve"
        let error = #expect(throws: RequestError.self) { try request.render(in: context) }
        #expect(error?.problem == "int() cannot take the value of shop")
    }
}

@Suite("Durations for people") struct DescribedDurationTests {
    @Test(
        "are the nearest of the units that they show",
        arguments: [
            (Duration.seconds(-5), "0 s"), (.zero, "0 s"), (.milliseconds(1900), "1 s"),
            (.seconds(59), "59 s"), (.seconds(60), "1 min"), (.seconds(89), "1 min"),
            (.seconds(90), "2 min"), (.seconds(720), "12 min"), (.seconds(3569), "59 min"),
            (.seconds(3570), "1 h"), (.milliseconds(3_599_999), "1 h"), (.seconds(3600), "1 h"),
            (.seconds(3900), "1 h 5 min"), (.seconds(7169), "1 h 59 min"), (.seconds(7199), "2 h"),
            (.seconds(86_399), "1 d"), (.seconds(86_400), "1 d"), (.seconds(86_369), "23 h 59 min"),
            (.seconds(129_600), "1 d 12 h"), (.seconds(172_799), "2 d"),
            (.seconds(864_000 - 1), "10 d"), (.seconds(60 * 86_400 - 1), "60 d"),
        ])
    func nearest(_ duration: Duration, _ words: String) { #expect(describe(duration) == words) }
}
