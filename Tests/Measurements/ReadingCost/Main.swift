import Glibc
import TokenConfiguration
import TokenFormats
import TokenProviders
import TokenSlots

/// Reads every file of a directory as the body of a response, by several profiles: for counting
/// instructions (Tests/Measurements/reading-cost).
@main
struct ReadingCost {
    static func main() {
        guard CommandLine.arguments.count == 2, let profiles = try? profiles() else {
            fatalError("usage: evertoken-reading-cost DIRECTORY")
        }
        var (files, bytes, granted) = (0, 0, 0)
        for body in bodies(in: CommandLine.arguments[1]) {
            files += 1
            bytes += body.count
            for profile in profiles {
                for status in [200, 400] {
                    granted += read(RawResponse(status: status, body: body), profile) ? 1 : 0
                }
            }
        }
        print(
            "files \(files), bytes \(bytes), readings \(files * profiles.count * 2), "
                + "granted \(granted)")
    }

    /// All that an attempt does with a response.
    private static func read(_ raw: RawResponse, _ profile: ProviderProfile) -> Bool {
        let sentAt = Moment(
            uptime: Uptime(.seconds(1)), wall: WallTime(epochSeconds: 1_795_000_000), bootID: "b")
        let record = SlotRecord(
            sequence: 1, state: .intent, attemptID: "a", kind: .refresh,
            step: profile.refresh.first?.id ?? "", sentAt: sentAt, grant: CredentialRecord())
        var grant = record.grant
        let reading = record.reading(of: raw, profile: profile)
        grant.apply(reading, to: record, roundTrip: .zero, profile: profile)
        return grant.access != nil
    }

    private static func profiles() throws -> [ProviderProfile] {
        let custom = #"""
            {"request": {"url": "https://id.example/t"},
             "response": {
               "access_token": ["/access_token", {"path": "/scope", "regex": "([a-z]+)$"}],
               "expires": [{"from": "/expires_in", "as": "text_duration"},
                 {"from": "/expires_in", "as": "auto"}],
               "keep": {"s": "/scope", "e": "/error_description"}},
             "errors": [{"if": [{"path": "/error", "matches": "(a|b|aa)*c"}], "class": "reauth"}]}
            """#
        let shipped = ["febbox", "xee", "google"]
        let credentials = (shipped + ["custom"]).map {
            #""\#($0)": {"provider": "\#($0)", "client_id": "c", "client_secret": "s","#
                + #" "refresh_token": "r"}"#
        }
        let text = """
            {"providers": {"custom": \(custom)},
             "credentials": {\(credentials.joined(separator: ","))}}
            """
        return try Configuration.read(
            main: ConfigurationFile(path: "cost", bytes: Array(text.utf8), mode: 0o600)
        ).credentials.map(\.profile)
    }

    private static func bodies(in folder: String) -> [[UInt8]] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().compactMap { content(of: "\(folder)/\($0)") }
    }

    private static func content(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        return Array(bytes.prefix(fread(&bytes, 1, bytes.count, file)))
    }
}
