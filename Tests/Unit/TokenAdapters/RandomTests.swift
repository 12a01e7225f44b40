import Glibc
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenFormats
@testable import TokenProviders

@Suite("Random numbers of the kernel")
struct RandomTests {
    /// A kernel that counts the requested bytes and returns 1, 2, 3…
    private final class Kernel: Sendable {
        let questions = Mutex<[Int]>([])

        func random(
            most: Int = .max, interrupted: Int = 0
        ) -> SystemRandom {
            SystemRandom { buffer in
                self.questions.withLock { questions in
                    questions.append(buffer.count)
                    guard questions.count > interrupted else {
                        errno = EINTR
                        return -1
                    }
                    let count = min(most, buffer.count)
                    for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index + 1) }
                    return count
                }
            }
        }

        var asked: [Int] { questions.withLock { $0 } }
    }

    @Test("one question to the kernel, however many bytes are wanted", arguments: [1, 16, 80, 256])
    func once(count: Int) {
        let kernel = Kernel()
        #expect(kernel.random().bytes(count) == (1...count).map { UInt8(truncatingIfNeeded: $0) })
        #expect(kernel.asked == [count])
    }

    @Test("one question for all that a request's nonce holds")
    func nonce() {
        let kernel = Kernel()
        let nonce = RequestNonce(random: kernel.random().bytes, now: WallTime(.zero))
        #expect(kernel.asked == [80])
        #expect(nonce.uuid == "01020304-0506-4708-890a-0b0c0d0e0f10")
        #expect(nonce.random.count == 64)
        #expect(nonce.random.hasPrefix("RSTUVWXYZabc"))
    }

    @Test("what the kernel gave too little, or was interrupted in, is asked for again")
    func short() {
        let kernel = Kernel()
        #expect(kernel.random(most: 3, interrupted: 1).bytes(8) == [1, 2, 3, 1, 2, 3, 1, 2])
        #expect(kernel.asked == [8, 8, 5, 2])
    }

    @Test("the kernel's own bytes differ from one question to the next")
    func real() {
        let random = SystemRandom()
        #expect(random.bytes(0) == [])
        #expect(Set((0..<100).map { _ in random.bytes(16) }).count == 100)
    }
}
