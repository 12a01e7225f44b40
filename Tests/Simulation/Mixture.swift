internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats
internal import TokenProviders
internal import TokenScheduling
internal import TokenSlots

/// How many credentials of a kind a fleet has, and how long their access tokens live.
struct Share {
    let kind: ProviderKind
    let lifetime: Duration
    let count: Int

    init(_ kind: ProviderKind, _ lifetime: Duration, _ count: Int) {
        (self.kind, self.lifetime, self.count) = (kind, lifetime, count)
    }

    private static func hours(_ kind: ProviderKind, _ hours: Int64, _ count: Int) -> Share {
        Share(kind, .seconds(hours * 3600), count)
    }

    /// A hundred credentials.
    static let mixture = [
        hours(.strict, 1, 6), hours(.strict, 8, 20), hours(.strict, 24, 24), hours(.grace, 24, 10),
        hours(.fixed, 24, 10), hours(.fixed, 720, 4), hours(.machine, 12, 10), hours(.steps, 24, 8),
        hours(.limited, 24, 8),
    ]
}

private let providers = """
    "strict": {"request": {"url": "https://sim.example/token"},
      "lifecycle": {"refresh_token": "rotating"}},
    "grace": {"extends": "strict", "lifecycle": {"reuse_grace": "30s"}},
    "fixed": {"request": {"url": "https://sim.example/token"}},
    "machine": {"extends": "client_credentials",
      "request": {"url": "https://sim.example/token", "client_auth": "client_secret_post"}},
    "mute": {"extends": "machine"}, "worst": {"extends": "machine"},
    "stuck": {"extends": "machine"},
    "limited": {"extends": "strict",
      "lifecycle": {"rate_limit": "3/10s", "rate_limit_key": "client"}},
    "steps": {"lifecycle": {"refresh_token": "rotating"}, "steps": [
      {"id": "oauth", "extends": "refresh_token", "request": {"url": "https://sim.example/token"}},
      {"id": "session", "request": {"url": "https://sim.example/session",
        "params": {"session_for": "${steps.oauth.access_token}"}},
       "response": {"access_token": "/access_token", "expires": {"from": "/expires_in"}}}]}
    """

/// The configuration of these credentials, and their accounts at the providers.
///
/// - Parameters:
///   - shares: The credentials.
///   - neighbours: Additional credentials of hostile providers; tokens then live ten minutes.
func makeFleet(
    of shares: [Share], beside neighbours: [String]
) throws -> (Configuration, [String: Account], [String]) {
    var (entries, names): ([String], [String]) = ([], [])
    var accounts: [String: Account] = [:]
    for name in neighbours {
        accounts[name] = Account(name: name, kind: .machine, lifetime: .seconds(600))
        let provider = name.split(separator: "-")[0]
        entries.append(
            #""\#(name)": {"provider": "\#(provider)", "client_id": "\#(name)", "#
                + #""client_secret": "s", "refresh": {"retry": {"max": "2s"}}}"#)
    }
    for part in shares {
        for _ in 0..<part.count {
            let name = "\(part.kind.rawValue)-\(names.count)"
            names.append(name)
            let account = Account(
                name: name, kind: part.kind,
                lifetime: neighbours.isEmpty ? part.lifetime : .seconds(600))
            accounts[name] = account
            let client = part.kind == .limited ? "limited" : name
            let seed = part.kind == .machine ? "" : #", "refresh_token": "\#(account.live)""#
            entries.append(
                #""\#(name)": {"provider": "\#(part.kind.rawValue)", "client_id": "\#(client)", "#
                    + #""client_secret": "s"\#(seed)}"#)
        }
    }
    let text =
        #"{"providers": {\#(providers)}, "credentials": {"#
        + entries.joined(separator: ",\n") + "}}"
    let configuration = try Configuration.read(
        main: ConfigurationFile(path: "simulation.json", bytes: Array(text.utf8), mode: 0o600))
    return (configuration, accounts, names)
}
