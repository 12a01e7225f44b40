import Crypto
import Testing

@testable import TokenProviders
@testable import TokenSlots

@Suite("What makes a slot one") struct SlotFormatTests {
    @Test("a later version's slot is damaged to this one, though its checksum is right")
    func laterVersion() throws {
        let name = Array(SHA256.hash(data: Array("mail".utf8)))
        func sealed(version: UInt8) throws -> [UInt8] {
            var bytes = try SlotTests.slot(SlotTests.record(1, "RT"))
            bytes[8] = version
            let length = Int(bytes[16]) | Int(bytes[17]) << 8
            let sum = SHA256.hash(data: Array(bytes[..<24]) + name + bytes[56..<56 + length])
            bytes.replaceSubrange(24..<56, with: Array(sum))
            return bytes
        }
        #expect(try SlotPair.state(of: sealed(version: 3), credential: "mail") == .damaged)
        #expect(try SlotContents(bytes: sealed(version: 1), credential: "mail") != nil)
    }

    @Test("a device's sign-in is a sign-in to a version that knows no devices")
    func device() throws {
        var record = SlotTests.record(1, "RT")
        record.kind = .deviceCode
        let bytes = try SlotTests.slot(record)
        #expect(try #require(SlotContents(bytes: bytes, credential: "mail")).record == record)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains(#""kind":"authorization_code""#) && !text.contains("device_code"))
    }

    @Test("of two valid slots the higher sequence rules, whichever it is in")
    func winner() throws {
        func state(_ sequence: UInt64) throws -> SlotPair.State {
            SlotPair.state(
                of: try SlotTests.slot(SlotTests.record(sequence, "RT-\(sequence)")),
                credential: "mail")
        }
        let first = try SlotPair(a: state(8), b: state(7)).winner
        #expect(first?.index == .a && first?.contents.record.sequence == 8)
        let second = try SlotPair(a: state(8), b: state(9)).winner
        #expect(second?.index == .b && second?.contents.record.sequence == 9)
    }

    @Test("whole blocks are written, so that none has to be read first")
    func wholeBlocks() throws {
        for length in [1, 100, 511, 512, 513] {
            let record = SlotTests.record(1, String(repeating: "x", count: length))
            let head = SlotLayout.encode(record, credential: "mail", slotSize: SlotTests.size)
            #expect(try #require(head).count % 512 == 0)
            var answer = SlotTests.answer
            answer.body = [UInt8](repeating: 0x61, count: length)
            let tail = SlotLayout.encode(
                answer, attemptID: "a", roundTrip: .zero, credential: "mail",
                slotSize: SlotTests.size)
            #expect(tail.count % 512 == 0)
        }
    }
}
