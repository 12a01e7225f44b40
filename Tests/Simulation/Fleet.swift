import TokenCore

/// How many credentials of which kind, with the lifetimes of their tokens in hours.
private let mixture: [(kind: ProviderKind, hours: Int64, count: Int)] = [
    (.strict, 1, 6), (.strict, 8, 20), (.strict, 24, 24), (.grace, 24, 10), (.fixed, 24, 10),
    (.fixed, 720, 4), (.machine, 12, 10), (.steps, 24, 8), (.limited, 24, 8),
]

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

/// The configuration of a hundred credentials, and their accounts at the providers.
///
/// - Parameter neighbours: Additional credentials of hostile providers; tokens then live ten
///   minutes.
func makeFleet(
    beside neighbours: [String] = []
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
    for part in mixture {
        for _ in 0..<part.count {
            let name = "\(part.kind.rawValue)-\(names.count)"
            names.append(name)
            let hours = Duration.seconds(part.hours * 3600)
            let account = Account(
                name: name, kind: part.kind,
                lifetime: neighbours.isEmpty ? hours : .seconds(600))
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
