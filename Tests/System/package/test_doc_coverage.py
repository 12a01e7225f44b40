"""The share of the API that carries a doc comment, and that its count can be trusted: of a small
sample, declaration by declaration."""

import subprocess
import sys
import unittest

from evertest.basics import ROOT, temporary_directory
from evertest.suite import Suite

SUITE = Suite(minutes=0.2)
PROGRAM = ROOT / "Tests" / "doc-coverage"
SAMPLE = '''\
public import Glibc

/// Commented.
public struct Told: Sendable {
    public var bare: Int
    /// Commented, above an attribute.
    @inlinable
    public func told() -> String {
        """
        public var text: Int
        """
    }
    // No doc comment.
    package init() {}
    func internalOnly() {}
    public private(set) var alsoBare = 0
}

public protocol Bare {
    /// Commented.
    func told()
    mutating func bare(_ a: Int)
    static var alsoBare: Int { get }
}

extension Told {
    /// Commented.
    @discardableResult public static func == (a: Told, b: Told) -> Bool { true }
    private func alsoInternal() {}
}
'''


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], text=True, capture_output=True, timeout=60,
                          check=False)


class DocCoverageTest(unittest.TestCase):
    def sample(self):
        """A folder of two targets: one with the sample, one that is commented throughout."""
        folder = temporary_directory(self) / "Sources"
        for target, text in (("First", SAMPLE), ("Second", "/// One.\npublic enum One {}\n")):
            (folder / target / "Room").mkdir(parents=True)
            (folder / target / "Room" / "File.swift").write_text(text)
        return folder

    def test_the_api_carries_comments_on_seven_tenths(self):
        done = run()
        print(done.stdout, file=sys.stderr)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_public_and_package_declarations_and_requirements_are_counted_and_nothing_else(self):
        done = run("--list", "--least", "0", "--sources", self.sample())
        self.assertEqual(done.stdout.splitlines(), [
            "Sources/First/Room/File.swift:5: var bare",
            "Sources/First/Room/File.swift:14: init",
            "Sources/First/Room/File.swift:16: var alsoBare",
            "Sources/First/Room/File.swift:19: protocol Bare",
            "Sources/First/Room/File.swift:22: func bare",
            "Sources/First/Room/File.swift:23: var alsoBare",
            "First             40.0 %     4 of   10",
            "Second           100.0 %     1 of    1",
            "all               45.5 %     5 of   11"])
        self.assertEqual(done.returncode, 0)

    def test_too_few_comments_are_a_failure_that_says_how_to_find_them(self):
        folder = self.sample()
        done = run("--least", "46", "--sources", folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--list", done.stderr)
        self.assertEqual(run("--least", "45", "--sources", folder).returncode, 0)

    def test_a_folder_without_declarations_is_a_mistake(self):
        empty = temporary_directory(self)
        self.assertEqual(run("--sources", empty).returncode, 2)


if __name__ == "__main__":
    unittest.main()
