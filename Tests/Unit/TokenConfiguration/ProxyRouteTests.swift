import Testing

@testable import TokenConfiguration
@testable import TokenProviders

@Suite("Which proxy a request goes through") struct ProxyRouteTests {
    private func matches(_ exception: String, _ host: String) throws -> Bool {
        try #require(ProxyException(exception), "\(exception)").matches("https://\(host)/token?a=b")
    }

    @Test(
        "an entry of no_proxy means these hosts",
        arguments: [
            ("id.example", ["id.example", "ID.Example", "id.example.", "a.id.example:8443"]),
            (".example", ["id.example", "a.b.example"]), ("*.example", ["id.example"]),
            ("*", ["id.example", "10.0.0.1", "[::1]"]), ("10.1.2.3", ["10.1.2.3", "10.1.2.3:99"]),
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"]), ("0.0.0.0/0", ["8.8.8.8"]),
            ("192.168.128.0/17", ["192.168.128.1", "192.168.255.1"]),
            ("fd00::/8", ["[fd12:3456::1]", "[FD00::]:8443"]), ("[fd00::1]", ["[fd00::1]"]),
            ("fd00::1", ["[fd00:0:0:0:0:0:0:1]"]), ("::ffff:10.0.0.1", ["[::ffff:a00:1]"]),
            ("id.example:8443", ["id.example:8443"]), ("id.example:443", ["id.example"]),
            ("[fd00::1]:8443", ["[fd00::1]:8443"]), ("a_b.internal", ["a_b.internal"]),
        ])
    func meant(exception: String, hosts: [String]) throws {
        for host in hosts { #expect(try matches(exception, host), "\(exception) \(host)") }
    }

    @Test(
        "and no others",
        arguments: [
            ("id.example", ["xid.example", "example", "id.example.org"]),
            (".example", ["example", "xexample"]), ("10.1.2.3", ["10.1.2.30", "10.1.2.3.example"]),
            ("10.0.0.0/8", ["11.0.0.0", "10.0.0.0.example", "010.0.0.1", "[a00::]"]),
            ("192.168.128.0/17", ["192.168.127.255"]), ("fd00::/8", ["[fe00::1]", "253.0.0.1"]),
            ("id.example:8443", ["id.example", "id.example:443", "id.example:84430"]),
        ])
    func others(exception: String, hosts: [String]) throws {
        for host in hosts { #expect(try !matches(exception, host), "\(exception) \(host)") }
    }

    @Test(
        "what is none of these is a mistake",
        arguments: [
            "", ".", "*.", "a..b", "https://id.example", "id.example/path", "10.0.0.0/33",
            "10.0.0/8", "fd00::/129", "a:b:c", "id.example:0", "id.example:x", "[fd00::1",
            "[id.example]", "a b", "id.*.example", "10.0.0.0/+8", "::1::", "1:2:3:4:5:6:7:8:9",
        ])
    func mistakes(text: String) { #expect(ProxyException(text) == nil) }

    private static let everywhere = #", "proxy": "http://all.example:1""#

    private func proxy(
        credential: String, provider: String, whole: String, url: String = "https://id.example/t"
    ) throws -> String? {
        let text = """
            {"providers": {"as": {"request": {"url": "https://id.example/t"\(provider)}}},
             "credentials": {"c": {"provider": "as", "client_id": "i", "client_secret": "s"\
            \(credential)}}\(whole)}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "c.json", bytes: Array(text.utf8), mode: 0o600))
        let credential = configuration.credentials[0]
        return credential.proxy.proxy(
            to: url, provider: credential.profile.refresh[0].request.proxy)
    }

    @Test("the credential's goes before the provider's, and that before the one for all")
    func order() throws {
        let own = #", "proxy": "http://own.example:1""#
        let provider = #", "proxy": "socks5h://provider.example:1""#
        let whole = Self.everywhere
        let cases: [(String, String, String, String?)] = [
            ("", "", "", nil), ("", "", whole, "http://all.example:1"),
            ("", provider, whole, "socks5h://provider.example:1"),
            (own, provider, whole, "http://own.example:1"), (own, "", "", "http://own.example:1"),
            (#", "proxy": "none""#, provider, whole, nil), ("", #", "proxy": "none""#, whole, nil),
        ]
        for (credential, provider, whole, expected) in cases {
            #expect(
                try proxy(credential: credential, provider: provider, whole: whole) == expected)
        }
    }

    @Test("no_proxy holds for each of them; a credential's own list replaces the one for all")
    func exceptions() throws {
        let whole = Self.everywhere + #", "no_proxy": [".example", "10.0.0.0/8"]"#
        let provider = #", "proxy": "http://provider.example:1""#
        #expect(try proxy(credential: "", provider: "", whole: whole) == nil)
        #expect(try proxy(credential: "", provider: provider, whole: whole) == nil)
        #expect(
            try proxy(credential: #", "no_proxy": []"#, provider: provider, whole: whole)
                == "http://provider.example:1")
        #expect(
            try proxy(credential: #", "no_proxy": ["other"]"#, provider: "", whole: whole)
                == "http://all.example:1")
        for (url, isStraight) in [
            ("https://10.1.1.1/t", true), ("https://id.org/t", false), ("http://[::1]:9/t", true),
        ] {
            let found = try proxy(credential: "", provider: "", whole: whole, url: url)
            #expect((found == nil) == isStraight, "\(url)")
        }
    }

    @Test("what is no proxy or no host is told with its place, a password not at all")
    func refused() {
        let text = """
            {"no_proxy": ["10.0.0.0/40", 1], "proxy": "none",
             "providers": {"as": {"request": {"url": "https://id.example/t", "proxy": "ftp://x"}},
               "step": {"steps": [
                 {"id": "a", "request": {"url": "https://id.example/t", "proxy": "http://u:s3c@p"},
                  "response": {"access_token": "/a"}},
                 {"id": "b", "request": {"url": "https://id.example/t"},
                  "response": {"access_token": "/a"}}]}},
             "credentials": {"c": {"provider": "as", "client_id": "i", "client_secret": "s",
               "proxy": "http://u:s3c@p:1", "no_proxy": "id.example"}}}
            """
        guard
            case .failure(let mistakes) = Result(catching: {
                try Configuration.read(
                    main: ConfigurationFile(path: "c", bytes: Array(text.utf8), mode: 0o644))
            })
        else {
            Issue.record("it was accepted")
            return
        }
        let said = "\(mistakes)"
        for place in [
            " no_proxy[0]:", " no_proxy[1]:", " proxy:", "providers.as.request.proxy:",
            "providers.step.steps[0].request.proxy:", "credentials.c.proxy:",
            "credentials.c.no_proxy:",
        ] {
            #expect(said.contains(place), "\(place) in \(said)")
        }
        #expect(!said.contains("s3c"))
    }
}
