internal import Dispatch
internal import TokenEngine

/// Four threads that read responses and render requests; one provider may use one of them.
package struct ReadingLanes: ResponseLanes {
    private let lanes = Lanes("responses", count: 4)

    /// Starts no thread before the first response.
    package init() {}

    /// As `ResponseLanes` says: a credential's work keeps its order, a provider holds one lane.
    package func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await lanes.run(key: credential, holder: provider, body)
    }
}
