/// A large value that is seldom there: one pointer in what holds it, and an allocation only where
/// there is a value. Copies share it.
@propertyWrapper package struct Rare<Value: Sendable>: Sendable {
    private indirect enum Box: Sendable { case value(Value) }
    private var box: Box?

    /// Without a value.
    package init() {}
    package init(_ value: Value?) { box = value.map { .value($0) } }
    /// The same, for a property.
    package init(wrappedValue: Value?) { self.init(wrappedValue) }

    /// `nil` where there is none.
    package var value: Value? {
        if case .value(let value)? = box { value } else { nil }
    }
    /// The same, for a property.
    package var wrappedValue: Value? {
        get { value }
        set { box = newValue.map { .value($0) } }
    }
}

extension Rare: Equatable where Value: Equatable {
    package static func == (left: Self, right: Self) -> Bool { left.value == right.value }
}
