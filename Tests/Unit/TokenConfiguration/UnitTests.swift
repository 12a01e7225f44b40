import Testing

@testable import TokenConfiguration
@testable import TokenFormats

@Suite("Units and the addresses they ask from") struct UnitTests {
    private static func read(_ text: String) -> UnitCredential? {
        UnitCredential(address: Array(text.utf8))
    }

    @Test("an address of systemd names a unit and a credential")
    func good() {
        let expected = [
            "\0adf9d86b6eda275e/unit/foobar.service/credx": ("foobar.service", "credx"),
            "\u{0}0/unit/a.mount/t": ("a.mount", "t"),
            "\0ffffffffffffffff/unit/report@a-b\\x2dc@d.service/a b.c": (
                "report@a-b\\x2dc@d.service", "a b.c"
            ),
            "\u{0}1/unit/web.socket/..a": ("web.socket", "..a"),
        ]
        for (text, names) in expected {
            #expect(Self.read(text) == UnitCredential(unit: names.0, id: names.1), "\(text)")
        }
        let longest = String(repeating: "x", count: UnitCredential.maximumNames - 9)
        let names = Self.read("\0ffffffffffffffff/unit/\(longest).service/i")
        #expect(names?.unit.utf8.count == UnitCredential.maximumNames - 1)
    }

    @Test(
        "every other address names nothing",
        arguments: [
            "", "\0", "/", "\0/", "\0////", "/run/evertoken/credentials.sock",
            // Missing parts, or one too many.
            "\u{0}1/unit/a.service", "\u{0}1/unit/a.service/", "\u{0}1/unit//t",
            "\u{0}1//a.service/t", "\0/unit/a.service/t", "\u{0}1/unit/a.service/t/",
            "\u{0}1/unit/a.service/t/t", "\u{0}1/unit//a.service/t", "\u{0}1/unit/a/b.service/t",
            "a1/unit/a.service/t", "1/unit/a.service/t", "\0\u{0}1/unit/a.service/t",
            // Not a random number, or another kind of client.
            "\0x/unit/a.service/t", "\0A/unit/a.service/t", "\0-1/unit/a.service/t",
            "\0 1/unit/a.service/t", "\0fffffffffffffffff/unit/a.service/t",
            "\u{0}1/user/a.service/t", "\u{0}1/UNIT/a.service/t", "\u{0}1/unit /a.service/t",
            // Names that no requesting unit can have.
            "\u{0}1/unit/a/t", "\u{0}1/unit/.service/t", "\u{0}1/unit/a.timer/t",
            "\u{0}1/unit/a.service.d/t", "\u{0}1/unit/a@.service/t", "\u{0}1/unit/@a.service/t",
            "\u{0}1/unit/a@*.service/t", "\u{0}1/unit/*.service/t", "\u{0}1/unit/a b.service/t",
            "\u{0}1/unit/ä.service/t", "\u{0}1/unit/a\0.service/t", "\u{0}1/unit/a%.service/t",
            "\u{0}1/unit/a\n.service/t", "\u{0}1/unit/../t",
            // Names that no credential can have.
            "\u{0}1/unit/a.service/.", "\u{0}1/unit/a.service/..", "\u{0}1/unit/a.service/a:b",
            "\u{0}1/unit/a.service/t\0", "\u{0}1/unit/a.service/\n", "\u{0}1/unit/a.service/é",
            "\u{0}1/unit/a.service/t\u{7F}",
        ])
    func bad(text: String) {
        #expect(Self.read(text) == nil)
    }

    @Test("neither random bytes nor one byte that is changed, added or missing gets through")
    func fuzz() {
        var random = RandomSource(seed: 27373)
        func byte() -> UInt8 { UInt8(truncatingIfNeeded: random.next()) }
        let right = Array("\u{0}1f2e3d/unit/backup.service/token".utf8)
        let policy = UnitPolicy([])
        for _ in 0..<20_000 {
            let noise = (0..<Int(byte()) % 130).map { _ in byte() }
            #expect(UnitCredential(address: noise) == nil)
            var near = right
            let place = Int(byte()) % near.count
            switch byte() % 3 {
            case 0: near[place] = byte()
            case 1: near.insert(byte(), at: place)
            default: near.remove(at: place)
            }
            // An accepted address gives exactly the names in it.
            guard let found = UnitCredential(address: near) else { continue }
            let end = Array("/unit/\(found.unit)/\(found.id)".utf8)
            #expect(Array(near.suffix(end.count)) == end)
            #expect(policy.entry(for: found) == nil)
        }
        #expect(UnitCredential(address: right + [UInt8](repeating: 0x61, count: 76)) == nil)
    }

    @Test("a pattern means every instance of its template and nothing else")
    func patterns() throws {
        let any = try #require(UnitPattern("report@*.service"))
        for unit in ["report@a.service", "report@*.service".replacing("*", with: "b.c@d")] {
            #expect(any.matches(unit), "\(unit)")
        }
        for unit in [
            "report.service", "report@.service", "report2@a.service", "my-report@a.service",
            "report@a.socket", "report@a.service.socket",
        ] {
            #expect(!any.matches(unit), "\(unit)")
        }
        let one = try #require(UnitPattern("report@a.service"))
        #expect(any.overlaps(one) && one.overlaps(any) && any.overlaps(any))
        let socket = try #require(UnitPattern("report@*.socket"))
        #expect(!any.overlaps(socket) && one.matches("report@a.service"))
        #expect(!one.matches("report@ab.service"))
    }

    private static func credential(_ units: String) -> String {
        #"{"provider": "xee", "client_id": "i", "client_secret": {"env": "S"}, "units": "#
            + "\(units)}"
    }

    @Test("what a configuration says of a unit, and what it need not say")
    func reading() throws {
        let text = """
            {"credential_socket": "/run/own.sock", "credentials": {"crm": \(Self.credential("""
                ["backup.service", {"unit": "report@*.service", "id": "token", "format": "json",
                  "min_ttl": "5m", "timeout": "2s"}]
                """))}}
            """
        let configuration = try ConfigurationTests.read(text).get()
        #expect(configuration.credentialSocket == "/run/own.sock")
        let units = configuration.credentials[0].units
        #expect(units.map(\.unit.text) == ["backup.service", "report@*.service"])
        #expect(units.map(\.id) == ["crm", "token"])
        #expect(units.map(\.format) == [.raw, .json])
        #expect(units.map(\.minimumLife) == [.seconds(60), .seconds(300)])
        #expect(units.map(\.timeout) == [.seconds(30), .seconds(2)])
        let policy = UnitPolicy(configuration.credentials)
        let wanted = UnitCredential(unit: "report@x.service", id: "token")
        #expect(policy.entry(for: wanted)?.credential == "crm")
        #expect(policy.entry(for: UnitCredential(unit: "report@x.service", id: "crm")) == nil)
    }

    @Test("two credentials for one unit and id are a mistake that names both, at its place")
    func claims() {
        let text = """
            {"credentials": {
              "car": \(Self.credential(#"[{"unit": "a@b.service", "id": "t"}]"#)),
              "crm": \(Self.credential(#"["c.service", {"unit": "a@*.service", "id": "t"}]"#))
            }}
            """
        let found = ConfigurationTests.mistakes(text)
        #expect(found.map(\.path) == ["credentials.crm.units[1]"])
        #expect(found.first?.line == 3 && found.first?.column == 102)
        #expect(found.first?.problem.contains(#"answers for "crm" and for "car""#) == true)
    }

    @Test("a slip in a unit's name is told with what to write")
    func remedies() {
        func remedy(_ unit: String) -> String? {
            ConfigurationTests.mistakes(
                #"{"credentials": {"crm": \#(Self.credential("[\"\(unit)\"]"))}}"#
            ).first?.remedy
        }
        #expect(remedy("backup") == "write \"backup.service\"")
        #expect(remedy("a@.service") == "write \"a@*.service\" for all instances")
        #expect(remedy("a.timer")?.contains("\"backup.service\"") == true)
    }
}
