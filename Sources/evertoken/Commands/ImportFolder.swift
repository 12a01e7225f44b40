internal import ArgumentParser
internal import Glibc
internal import TokenAdapters
internal import TokenControl
internal import TokenFormats
internal import TokenSlots

/// Imports tokens of many credentials, one file `NAME.json` each. Every file is read and checked
/// before the first is imported, so that a mistake changes nothing.
struct ImportFolder {
    let path: String
    let access: StateAccess
    /// The names of the configured credentials.
    let known: [String]

    func run() throws {
        let now = SystemClock().now().wall
        let readings = try read(now: now)
        var worst: ExitCode?
        for (name, reading) in readings {
            let tokens = reading.tokens.aged(by: now.duration(to: SystemClock().now().wall))
            let reply = try access.request(.order(try checkedName(name), .adopt(tokens)))
            if reply.status / 100 == 2 {
                print("\(name): imported")
            } else {
                worst = access.failure(reply)
            }
        }
        if let worst { throw worst }
    }

    private func read(now: WallTime) throws -> [(name: String, reading: ImportReading)] {
        var readings: [(name: String, reading: ImportReading)] = []
        var mistakes: [String] = []
        for file in try files() {
            let name = String(file.dropLast(".json".count))
            guard known.contains(name) else {
                mistakes.append("\(file): there is no credential \"\(name)\"")
                continue
            }
            do throws(RequestError) {
                let reading = try ImportReading(bytes(of: file), now: now)
                for note in reading.notes { printError("note: \(name): \(note)") }
                readings.append((name, reading))
            } catch { mistakes.append(importMistake(error, in: file)) }
        }
        mistakes += twice(readings)
        for mistake in mistakes { printError("evertoken: " + mistake) }
        if !mistakes.isEmpty { throw fail(EX_DATAERR, "nothing was imported; correct these") }
        if readings.isEmpty {
            throw fail(EX_DATAERR, "\(path) holds no file NAME.json; nothing was imported")
        }
        return readings
    }

    /// Finds files with the same refresh token: each credential would spend it for the other.
    private func twice(_ readings: [(name: String, reading: ImportReading)]) -> [String] {
        var owners: [Secret: String] = [:]
        return readings.compactMap { name, reading in
            guard let token = reading.tokens.refreshToken else { return nil }
            guard let owner = owners.updateValue(name, forKey: token) else { return nil }
            return "\(name).json holds the same refresh token as \(owner).json"
        }
    }

    private func files() throws -> [String] {
        guard let folder = opendir(path) else { throw unreadable(path) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard !name.hasPrefix(".") else { continue }
            if name.hasSuffix(".json") {
                names.append(name)
            } else {
                printError("note: \(name) is passed over; only NAME.json is read")
            }
        }
        return names.sorted()
    }

    private func bytes(of file: String) throws(RequestError) -> [UInt8] {
        let descriptor = open("\(path)/\(file)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        var about = stat()
        guard descriptor >= 0, fstat(descriptor, &about) == 0 else {
            throw RequestError(problem: "cannot be opened", remedy: "let it be readable")
                .of("this")
        }
        defer { close(descriptor) }
        guard about.st_mode & S_IFMT == S_IFREG else {
            throw RequestError(problem: "is not a regular file", remedy: "take it away").of("this")
        }
        return readToEnd(descriptor)
    }

    private func unreadable(_ path: String) -> ExitCode {
        fail(EX_DATAERR, "cannot open \(path): \(String(cString: strerror(errno)))")
    }
}
