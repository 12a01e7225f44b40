/// libFuzzer's entry: one input, every property (`-fsanitize=fuzzer`, LLVM documentation).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzProfiles(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    ProfileProperties { problem in fatalError(problem) }.check(bytes)
    return 0
}
