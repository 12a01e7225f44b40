internal import Dispatch
public import TokenEngine

/// Four threads on which responses are read and requests made; one provider has one of them.
public struct ReadingLanes: ResponseLanes {
    private let lanes = Lanes("responses", count: 4)

    public init() {}

    public func run<Value: Sendable>(
        provider: String, credential: String, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await lanes.run(key: credential, holder: provider, body)
    }
}
