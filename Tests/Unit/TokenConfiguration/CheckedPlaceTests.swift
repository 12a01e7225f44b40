import Testing

@testable import TokenConfiguration
@testable import TokenFormats

@Suite("The words of findings") struct FindingWordTests {
    private let user = CheckedUser(name: "evertoken", group: "evertoken")

    private func text(_ kind: PlaceKind, _ cause: CheckCause) -> String {
        CheckedPlace(credential: "crm", key: "client_secret", path: "/etc/evertoken/s", kind: kind)
            .finding(cause).text
    }
    private let secret = PlaceKind.secret(.line, isExact: false)

    @Test("a missing secret is told with the command that makes it, as the operator needs it")
    func missing() {
        #expect(
            text(secret, .missing(secret, user))
                == "crm.client_secret: /etc/evertoken/s does not exist; create it: install -o root "
                + "-g evertoken -m 0640 /dev/stdin /etc/evertoken/s")
        let caller = CheckedUser(name: "me", group: nil)
        #expect(
            text(secret, .missing(secret, caller)).hasSuffix(
                "create it: install -m 0600 /dev/stdin /etc/evertoken/s"))
    }

    @Test("an unreadable one with the file or the directory to open, and for whom")
    func unreadable() {
        #expect(
            text(secret, .unreadable(user))
                == "crm.client_secret: /etc/evertoken/s cannot be read by the user evertoken; run: "
                + "chgrp evertoken /etc/evertoken/s && chmod g+r /etc/evertoken/s")
        #expect(
            text(secret, .closed(directory: "/etc/evertoken", user)).hasSuffix(
                "who may not enter /etc/evertoken; run: chgrp evertoken /etc/evertoken && chmod "
                    + "g+x /etc/evertoken"))
    }

    @Test("a path that a shell would take apart is quoted in the command")
    func quoted() {
        let place = CheckedPlace(
            credential: nil, key: "ca_file", path: "/etc/my cas/$x", kind: secret)
        #expect(place.finding(.unreadable(user)).text.contains("chmod g+r '/etc/my cas/$x'"))
    }

    @Test("only paths of sockets and one directory for both are errors")
    func severities() {
        let places = CheckedDirectories(
            token: "/run/e/./", state: "/run//e",
            sockets: [
                ("control_socket", "/" + String(repeating: "x", count: 107)),
                ("credential_socket", "/" + String(repeating: "x", count: 106)),
            ])
        #expect(places.findings.map(\.key) == ["token_dir", "control_socket"])
        #expect(places.findings.allSatisfy { $0.severity == .error })
        #expect(CheckCause.unreadable(user).severity == .warning)
        let fine = CheckedDirectories(token: "/run/e", state: "/var/lib/e", sockets: [])
        #expect(fine.findings == [])
    }

    @Test("a missing initial refresh token says nothing once there are tokens; others do")
    func moot() {
        let finding = { (key: String, cause: CheckCause) in
            CheckFinding(credential: "crm", key: key, file: "/s", cause: cause)
        }
        let missing = CheckCause.missing(secret, user)
        #expect(finding("refresh_token", missing).isMootWithTokens)
        #expect(!finding("client_secret", missing).isMootWithTokens)
        #expect(!finding("refresh_token", .unreadable(user)).isMootWithTokens)
    }
}

@Suite("Places of a configuration and what stands there") struct ConfiguredPlaceTests {
    @Test("every place is looked at once, by its own rules")
    func places() throws {
        let whole = #""ca_file": "ca.pem", "#
        let tls =
            #""url": "https://id.example/token", "client_auth": "tls_client_auth", "tls": "#
            + #"{"certificate": "/c/${t}.crt", "private_key": "${key}", "ca_file": "/own.pem"}"#
        let more =
            #", "variables": {"t": "one", "key": {"file": "key.pem"}}, "#
            + #""refresh_token": {"command": ["/usr/bin/pass", "x"]}, "#
            + #""on_change": [{"exec": ["/bin/true"]}, {"exec": ["logger", "x"]}], "#
            + #""outputs": [{"path": "crm/a"}, {"path": "/abs"}, "#
            + #"{"path": "crm/b", "write": "in-place"}]"#
        let configuration = try checkedConfiguration(crmEntry(more), provider: tls, whole: whole)
        let places = CheckedPlaces(
            configuration.credentials, caFile: configuration.caFile, base: "/etc/evertoken",
            tokenDirectory: "/run/evertoken")
        let told = places.all.map { "\($0.credential ?? "-") \($0.key) \($0.path) \($0.kind)" }
        let expected: [(String, PlaceKind)] = [
            ("- ca_file /etc/evertoken/ca.pem", .authorities),
            ("crm client_secret /", .variable("S")),
            ("crm refresh_token /usr/bin/pass", .program),
            ("crm variables.key /etc/evertoken/key.pem", .secretPEM(.privateKey)),
            ("crm tls.ca_file /own.pem", .authorities),
            ("crm tls.certificate /c/one.crt", .certificate),
            ("crm on_change[0] /bin/true", .program),
            ("crm outputs /run/evertoken/crm/a", .output),
            ("crm outputs /abs", .output),
        ]
        #expect(told == expected.map { "\($0.0) \($0.1)" })
        #expect(places.findings.map(\.text).map { $0.prefix(26) } == ["crm.on_change[1]: logger n"])
    }

    private static let block = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    private static let key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"

    @Test("PEM files are told from what people put in their place")
    func pem() {
        let cases: [(String, PEMText.Kind, PEMText.Fault?)] = [
            (Self.block, .certificate, nil), ("# mine\n" + Self.block, .certificate, nil),
            (Self.key, .privateKey, nil), (Self.key + Self.block, .certificate, nil),
            (Self.block + Self.key, .privateKey, nil), (#"{"kty": "EC"}"#, .privateKey, nil),
            (Self.key.replacing("PRIVATE", with: "RSA PRIVATE"), .privateKey, nil),
            ("", .certificate, .empty), (" \n", .privateKey, .empty),
            (Self.key, .certificate, .absent), (Self.block, .privateKey, .absent),
            ("CHANGEME", .certificate, .absent), (#"{"a": 1}"#, .certificate, .absent),
            (String(Self.block.dropLast(27)), .certificate, .cut),
            (Self.key.replacing("PRIVATE", with: "ENCRYPTED PRIVATE"), .privateKey, .encrypted),
            (
                Self.key.replacing("MIIB", with: "Proc-Type: 4,ENCRYPTED\n\nMIIB"), .privateKey,
                .encrypted
            ),
            ("0\u{82}\u{01}\u{02}", .certificate, .binary),
        ]
        for (text, kind, fault) in cases {
            #expect(
                PEMText.fault(of: Array(text.utf8), as: kind)
                    == fault.map { CheckCause.notPEM(kind, $0) }, "\(text)")
        }
    }

    @Test("a secret's text is judged as the daemon reads it")
    func secrets() {
        let line = PlaceKind.secret(.line, isExact: false)
        #expect(line.fault(of: Array("s\n".utf8)) == nil)
        #expect(line.fault(of: []) == .unusable("is empty; put the secret there"))
        #expect(line.fault(of: Array("s \n".utf8)) == .trimmed("blanks, line feeds after it"))
        #expect(line.fault(of: Array("a\nb".utf8))?.severity == .warning)
        #expect(PlaceKind.secret(.lines, isExact: false).fault(of: Array("a\nb".utf8)) == nil)
    }
}
