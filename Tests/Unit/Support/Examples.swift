@testable import TokenConfiguration
@testable import TokenFormats
@testable import TokenProviders
@testable import TokenSlots

/// Configurations and answers for many tests.
enum Examples {
    /// A credential of a configuration whose `providers` and `credentials` are given as JSON text.
    static func credential(
        provider: String = "as", providers: String = rfc, extra: String = ""
    ) throws -> CredentialConfiguration {
        let text = """
            {"providers": {\(providers)},
             "credentials": {"mail": {"provider": "\(provider)", "client_id": "id",
               "client_secret": "client-secret-value"\(extra)}}}
            """
        let configuration = try Configuration.read(
            main: ConfigurationFile(path: "test.json", bytes: Array(text.utf8), mode: 0o600))
        return configuration.credentials[0]
    }

    static let rfc = #""as": {"request": {"url": "https://id.example/token"}}"#

    static func rfc(lifecycle: String) -> String {
        #""as": {"request": {"url": "https://id.example/token"}, "lifecycle": "# + lifecycle + "}"
    }

    /// Credentials of these names at one provider, each with a refresh token of its own.
    static func configuration(
        of names: [String], client: String = "id", lifecycle: String = "{}"
    ) throws -> Configuration {
        let credentials = names.map { name in
            """
            "\(name)": {"provider": "as", "client_id": "\(client)", "client_secret": "s",
                        "refresh_token": "RT-\(name)"}
            """
        }
        let text = """
            {"providers": {\(rfc(lifecycle: lifecycle))},
             "credentials": {\(credentials.joined(separator: ","))}}
            """
        return try Configuration.read(
            main: ConfigurationFile(path: "t", bytes: Array(text.utf8), mode: 0o600))
    }

    static func answer(
        _ status: Int, _ body: String, headers: [(String, String)] = []
    ) -> RawResponse {
        RawResponse(
            status: status, headers: headers.map { HeaderField($0.0, $0.1) },
            body: Array(body.utf8))
    }

    /// Both tokens, granted at noon for an hour.
    static var held: CredentialRecord {
        var grant = CredentialRecord()
        grant.refreshToken = Secret("RT")
        grant.access = GrantedAccess(token: Secret("AT"), sentAt: noon, lifetime: .seconds(3600))
        return grant
    }

    static let noon = Moment(
        uptime: Uptime(.seconds(43_200)), wall: WallTime(epochSeconds: 1_795_000_000),
        bootID: "boot-1")

    static func nonce(_ uuid: String = "11111111-2222-4333-8444-555555555555") -> RequestNonce {
        RequestNonce(
            uuid: uuid, random: String(repeating: "r", count: 64),
            now: WallTime(epochSeconds: 1_795_000_000))
    }
}

extension ResponseOutcome {
    var token: TokenResponse? { try? result.get() }
    var failure: Refusal? {
        if case .failure(let refusal) = result { refusal } else { nil }
    }
}
