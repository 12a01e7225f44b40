package import TokenFormats
internal import TokenScheduling

/// A program of `on_change` that failed for the newest token, for the status.
package struct FailingHook: Sendable, Equatable {
    /// The program's path, without its arguments.
    package var program: String
    /// The last failure: a status, a signal, a time-out.
    package var problem: String
    /// Consecutive failures.
    package var failures: Int
    /// When the last run ended.
    package var at: WallTime?
    /// `nil` while it runs or is queued.
    package var nextTryAt: WallTime?

    init(_ failure: HookFailure, now: Moment) {
        (program, problem) = (failure.program, failure.problem)
        (failures, at) = (failure.failures, failure.at)
        nextTryAt = failure.nextTryAt.map { now.wall(at: $0) }
    }

    /// Every key is always present.
    package var json: JSONNode {
        .object([
            ("program", .string(program)), ("problem", .string(problem)),
            ("failures", .integer(Int64(failures))), ("at", .orNull(at)),
            ("next_try_at", .orNull(nextTryAt)),
        ])
    }

    /// Takes what it can use.
    package init(json: JSONNode) {
        (program, problem) = (json["program"]?.text ?? "", json["problem"]?.text ?? "")
        (failures, at) = (json.count("failures") ?? 1, json.time("at"))
        nextTryAt = json.time("next_try_at")
    }
}
