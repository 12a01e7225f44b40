internal import ArgumentParser
internal import Dispatch
internal import Glibc
internal import Synchronization
internal import TokenConfiguration
internal import TokenControl
internal import TokenFormats

/// `evertoken check --live`: the daemon tests each provider, and this prints the results.
struct LiveChecks {
    let client: ControlClient
    /// Concurrent requests; the daemon has its own limit for all clients.
    private static let lanes = 4

    /// Prints a table and returns the exit status: 78 if a local setting is wrong, 75 if the
    /// provider or the path to it fails, 0 otherwise.
    ///
    /// - Parameter names: The credentials; empty means all configured ones.
    func run(_ names: [String]) throws -> Int32 {
        var names = names
        if names.isEmpty {
            names = try client.successful(.status()).credentialNames
        }
        let requests = try names.map { ControlRequest.check(try checkedName($0)) }
        let replies = Replies(count: names.count)
        let queues = (0..<Self.lanes).map { DispatchQueue(label: "evertoken.check.\($0)") }
        let group = DispatchGroup()
        for (index, request) in requests.enumerated() {
            queues[index % Self.lanes].async(group: group) { [client] in
                replies.note(index) { () throws(ControlClient.Unanswered) in
                    try client.quietRequest(request, timeout: 90)
                }
            }
        }
        group.wait()
        return try show(names, replies.all)
    }

    private typealias Answer = Result<ControlClient.Reply, ControlClient.Unanswered>

    private final class Replies: Sendable {
        private let replies: Mutex<[Answer?]>
        init(count: Int) { replies = Mutex(Array(repeating: nil, count: count)) }

        func note(
            _ index: Int, _ ask: () throws(ControlClient.Unanswered) -> ControlClient.Reply
        ) {
            let answer = Answer(catching: ask)
            replies.withLock { $0[index] = answer }
        }
        var all: [Answer?] { replies.withLock { $0 } }
    }

    private func show(_ names: [String], _ answers: [Answer?]) throws -> Int32 {
        let width = (names.map(\.utf8.count) + ["CREDENTIAL".count]).max() ?? 0
        let pad = TextStyle.plain.fitted
        print("\(pad("CREDENTIAL", width))  STEP        RESULT")
        var worst = EX_OK
        for (name, answer) in zip(names, answers) {
            switch answer {
            case nil: continue
            case .failure(let error): throw client.failure(error)
            case .success(let reply):
                guard case .checked(let report) = reply.message.content else {
                    throw client.failure(reply.message)
                }
                for (index, line) in report.steps.enumerated() {
                    let outcome = line.outcome?.known
                    worst = Self.worse(worst, outcome)
                    let step = pad(line.step.text, 10)
                    let result = outcome.map { $0.words(line.text) } ?? line.text
                    print("\(pad(index == 0 ? name : "", width))  \(step)  \(result)")
                    if let remedy = line.remedy {
                        print(String(repeating: " ", count: width + 14) + "  " + remedy)
                    }
                }
            }
        }
        return worst
    }

    private static func worse(_ status: Int32, _ outcome: LiveCheck.Outcome?) -> Int32 {
        switch outcome {
        case .wrongHere?: EX_CONFIG
        case .wrongThere? where status == EX_OK: EX_TEMPFAIL
        default: status
        }
    }
}

extension LiveCheck.Outcome {
    fileprivate func words(_ text: String) -> String {
        switch self {
        case .fine: "ok: " + text
        case .notTried: "not tried: " + text
        case .wrongHere, .wrongThere: "WRONG: " + text
        }
    }
}
