package import TokenFormats

/// A text with `${…}` in it (ProfileRules 2): variables, `'strings'`, whole numbers
/// and a closed set of pure functions. No conditions, no loops.
package struct Template: Sendable, Equatable {
    enum Segment: Sendable, Equatable {
        case text(String)
        case expression(TemplateExpression)
    }
    let segments: [Segment]

    /// - Throws: ``RequestError`` for an unclosed `${`, an unknown function or a wrong count of
    ///   arguments.
    package init(_ text: String) throws(RequestError) {
        var segments: [Segment] = []
        var rest = Substring(text)
        while let start = rest.firstRange(of: "${") {
            if start.lowerBound > rest.startIndex {
                segments.append(.text(String(rest[..<start.lowerBound])))
            }
            var parser = TemplateParser(rest[start.upperBound...])
            segments.append(.expression(try parser.parse()))
            rest = parser.rest
        }
        if !rest.isEmpty { segments.append(.text(String(rest))) }
        self.segments = segments
    }

    /// `${name}`.
    init(variable name: String) { segments = [.expression(.variable(name))] }

    /// The template's value: `nil` when a variable it names is unset, so that the parameter or
    /// header it stands for is left out. A template that is exactly one `${…}` keeps its JSON type
    /// (ProfileRules 3).
    package func value(in context: TemplateContext) -> JSONNode? {
        if case .expression(let only)? = segments.first, segments.count == 1 {
            return only.value(in: context)
        }
        return text(in: context).map { .string($0) }
    }

    /// The template as text, `nil` when a variable it names is unset.
    ///
    /// - Parameters:
    ///   - context: Values and nonce.
    ///   - encoding: applied to each interpolation, given the text so far.
    package func text(
        in context: TemplateContext,
        encoding: (_ soFar: String, _ value: String) -> String = { $1 }
    ) -> String? {
        var result = ""
        for segment in segments {
            switch segment {
            case .text(let text): result += text
            case .expression(let expression):
                guard let value = expression.value(in: context)?.canonicalText else { return nil }
                result += encoding(result, value)
            }
        }
        return result
    }

    /// The literal text outside of `${…}`.
    var literalText: String {
        segments.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    }

    /// The text, if it contains no `${…}`.
    var constant: String? {
        switch segments.first {
        case nil: ""
        case .text(let text)? where segments.count == 1: text
        default: nil
        }
    }

    /// The function call that fails for the present values. Unlike an unset variable, a failed call
    /// must not just omit the value.
    func failure(in context: TemplateContext) -> FailedCall? {
        for case .expression(let expression) in segments {
            if let failed = expression.failure(in: context) { return failed }
        }
        return nil
    }

    /// The rendered text up to the point where `isPast` returns true, `nil` when one of its
    /// variables is unset; and the variables of that part.
    func start(
        in context: TemplateContext, until isPast: (_ soFar: String) -> Bool
    ) -> (text: String?, variables: Set<String>) {
        var (soFar, isWhole) = ("", true)
        var names: Set<String> = []
        for segment in segments where !isPast(soFar) {
            switch segment {
            case .text(let text): soFar += text
            case .expression(let expression):
                names.formUnion(expression.variables)
                let value = expression.value(in: context)?.canonicalText
                isWhole = isWhole && value != nil
                soFar += value ?? ""
            }
        }
        return (isWhole ? soFar : nil, names)
    }

    /// Every variable the template names, such as `client_id` or `keep.instance_url`.
    package var variables: Set<String> {
        segments.reduce(into: []) { names, segment in
            if case .expression(let expression) = segment { names.formUnion(expression.variables) }
        }
    }
}

extension Template {
    /// The provider's values that the template inserts unquoted: a shell that reads the file would
    /// execute commands in them.
    package var unquotedTexts: [String] {
        let names = segments.reduce(into: Set<String>()) { names, segment in
            if case .expression(let expression) = segment { names.formUnion(expression.untamed) }
        }
        return names.filter {
            ["scope", "token_type"].contains($0) || $0.hasPrefix("keep.")
        }.sorted()
    }
}

/// A function call whose arguments it cannot accept.
struct FailedCall {
    var function: TemplateFunction
    var arguments: [String]
}

indirect enum TemplateExpression: Sendable, Equatable {
    case variable(String)
    case literal(String)
    case number(Int)
    case call(TemplateFunction, [TemplateExpression])

    func value(in context: TemplateContext) -> JSONNode? {
        switch self {
        case .variable(let name): return context.values[name]
        case .literal(let text): return .string(text)
        case .number(let number): return .integer(Int64(number))
        case .call(let function, let arguments):
            var values: [String] = []
            for argument in arguments {
                guard let text = argument.value(in: context)?.canonicalText else { return nil }
                values.append(text)
            }
            if let mask = context.mask, function != .concat,
                let masked = mask.result(of: values)
            {
                return .string(masked)
            }
            return function.apply(values, context.nonce)
        }
    }

    /// The function call in it that fails for the present values, if any.
    func failure(in context: TemplateContext) -> FailedCall? {
        guard case .call(let function, let arguments) = self else { return nil }
        for argument in arguments {
            if let failed = argument.failure(in: context) { return failed }
        }
        let values = arguments.compactMap { $0.value(in: context)?.canonicalText }
        guard values.count == arguments.count, value(in: context) == nil else { return nil }
        return FailedCall(function: function, arguments: values)
    }

    /// Variables that the result contains unquoted.
    fileprivate var untamed: Set<String> {
        switch self {
        case .variable(let name): [name]
        case .literal, .number: []
        case .call(let function, let arguments):
            function.tames ? [] : arguments.reduce(into: []) { $0.formUnion($1.untamed) }
        }
    }

    var variables: Set<String> {
        switch self {
        case .variable(let name): [name]
        case .literal, .number: []
        case .call(_, let arguments): arguments.reduce(into: []) { $0.formUnion($1.variables) }
        }
    }
}

/// Recursive descent parser for the text between `${` and `}`.
private struct TemplateParser {
    private(set) var rest: Substring

    init(_ rest: Substring) { self.rest = rest }

    mutating func parse() throws(RequestError) -> TemplateExpression {
        let expression = try self.expression(depth: 0)
        guard take("}") else { throw syntax("'}' is missing") }
        return expression
    }

    private func syntax(_ problem: String) -> RequestError {
        RequestError(
            problem: "is not a valid template: \(problem)",
            remedy: "write ${name} or ${function(argument, 'text')}")
    }

    private mutating func skipSpace() { rest = rest.drop { $0 == " " } }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func expression(depth: Int) throws(RequestError) -> TemplateExpression {
        guard depth < 16 else { throw syntax("nested too deeply") }
        skipSpace()
        if rest.first == "'" { return .literal(try quoted()) }
        let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
        guard !word.isEmpty else { throw syntax("a name is missing") }
        rest = rest[word.endIndex...]
        if let number = Int(word) { return .number(number) }
        guard take("(") else { return .variable(String(word)) }
        guard let function = TemplateFunction(rawValue: String(word)) else {
            let near = nearest(String(word), among: TemplateFunction.allCases.map(\.rawValue))
            throw RequestError(
                problem: "has no function named \(word)",
                remedy: near.map { "write \($0)(…)" }
                    ?? "use \(TemplateFunction.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var arguments: [TemplateExpression] = []
        if !take(")") {
            repeat { arguments.append(try expression(depth: depth + 1)) } while take(",")
            guard take(")") else { throw syntax("')' is missing") }
        }
        guard function.argumentCounts ~= arguments.count else {
            throw RequestError(
                problem: "gives \(word) \(arguments.count) arguments", remedy: function.usage)
        }
        let fixed = arguments.map { argument -> String? in
            switch argument {
            case .literal(let text): text
            case .number(let number): String(number)
            case .variable, .call: nil
            }
        }
        if let remedy = function.mistake(in: fixed) {
            throw RequestError(problem: "gives \(word) what it cannot take", remedy: remedy)
        }
        return .call(function, arguments)
    }

    /// Reads `'it''s'` as `it's`.
    private mutating func quoted() throws(RequestError) -> String {
        var text = ""
        rest.removeFirst()
        while let character = rest.popFirst() {
            if character == "'" {
                guard rest.first == "'" else { return text }
                rest.removeFirst()
            }
            text.append(character)
        }
        throw syntax("a quote is not closed")
    }
}
