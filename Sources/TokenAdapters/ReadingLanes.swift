internal import Dispatch
public import TokenEngine

/// Four threads that read responses and render requests; one provider may use one of them.
public struct ReadingLanes: ResponseLanes {
    private let lanes = Lanes("responses", count: 4)

    /// Starts no thread before the first response.
    public init() {}

    /// As `ResponseLanes` says: a credential's work keeps its order, a provider holds one lane.
    public func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await lanes.run(key: credential, holder: provider, body)
    }
}
