#if canImport(Glibc)
    import Glibc
#endif

/// libFuzzer's entry point (LLVM documentation): checks one input against every property of the
/// target that `EVERTOKEN_FUZZ` names.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let broken: (String) -> Void = { problem in fatalError(problem) }
    switch target {
    case "profiles": ProfileProperties(broken: broken).check(bytes)
    case "configuration": ReaderProperties(broken: broken).checkConfiguration(bytes)
    case "slots": ReaderProperties(broken: broken).checkSlot(bytes)
    case "control": checkControlRequest(bytes, broken)
    case "responses":
        let properties = ResponseProperties(broken: broken)
        withinBudget(bytes.count, broken) { properties.check(bytes) }
    default: fatalError("EVERTOKEN_FUZZ names no target")
    }
    return 0
}

/// Limits the processor time for an input of this size. libFuzzer's counters do not see the
/// standard library, where the cost was, so a clock measures it; twice, because a machine may stall
/// once. The budget is relative: the same work for a body of many members, the most expensive input
/// for a linear reader, was timed on this machine with these sanitizers.
private func withinBudget(_ count: Int, _ broken: (String) -> Void, _ work: () -> Void) {
    let budget = 0.1 + 4 * secondsPerByte * Double(count)
    let isOver = processorTime(work) > budget && processorTime(work) > budget
    if isOver { broken("\(count) bytes cost more than \(budget) s twice") }
}

/// Seconds that a byte of an ordinary object costs for all work of the target.
private let secondsPerByte: Double = {
    let members = (0..<4000).map { "\"\($0)\":0" }.joined(separator: ",")
    let body = Array(#"{"access_token":"at","expires_in":60,\#(members)}"#.utf8)
    let properties = ResponseProperties { problem in fatalError(problem) }
    return processorTime { properties.check(body) } / Double(body.count)
}()

/// Seconds of this single thread: the fuzzer has no other.
private func processorTime(_ work: () -> Void) -> Double {
    let start = clock()
    work()
    return Double(clock() - start) / 1e6
}

private let target = getenv("EVERTOKEN_FUZZ").map { String(cString: $0) } ?? ""

/// A request on the control socket must be parsed equally however its bytes are split, and within
/// its limits; an import must not quote what it refuses.
private func checkControlRequest(_ bytes: [UInt8], _ broken: (String) -> Void) {
    let cut = Int(bytes.first ?? 0) % 64
    let message = Array(bytes.dropFirst())
    var whole = HTTPRequestParser()
    var pieces = HTTPRequestParser()
    let atOnce = whole.take(message)
    _ = pieces.take(message.prefix(cut))
    let later = pieces.take(message.dropFirst(cut))
    switch (atOnce, later) {
    case (.complete(let one), .complete(let other)):
        if one.path != other.path || one.body != other.body || one.query != other.query {
            broken("the pieces of a request make another one")
        }
        if one.body.count > HTTPRequestParser.maximumBody { broken("a body over its bound") }
        do throws(RequestError) {
            let tokens = try ImportedTokens.read(one.body, now: WallTime(epochSeconds: 0))
            if tokens.accessToken == nil, tokens.refreshToken == nil { broken("nothing imported") }
        } catch {
            if (error.problem + error.remedy).contains("CANARY7") {
                broken("a refusal that quotes")
            }
        }
    case (.refused, .refused), (.incomplete, .incomplete): break
    // A head that ends in the first piece may be refused before the rest arrives.
    case (.complete, _), (.refused, _), (.incomplete, _): broken("the pieces fare otherwise")
    }
}
