import Foundation
import Testing

@testable import TokenAdapters

@Suite("Whether a disk can be believed") struct WriteProbeTests {
    @Test("I5: what does not come back as it was written was not written")
    func readBack() throws {
        let folder = try Folder()
        let path = folder.path + "/file"
        _ = FileManager.default.createFile(atPath: path, contents: Data([1, 2, 3]))
        let file = open(path, O_RDWR)
        defer { close(file) }
        try syncAndReadBack([2, 3], file, at: 1, what: "it")
        #expect(throws: SystemError.self) {
            try syncAndReadBack([1, 2, 4], file, at: 0, what: "it")
        }
        #expect(throws: SystemError.self) {
            try syncAndReadBack([1, 2, 3, 4], file, at: 0, what: "it")
        }
    }
}
