"""Flushes, locks, links, and the places of files."""

from mutants import mutant, without

SLOTS = "TokenAdapters/State/SlotDirectory.swift"
ORIGIN = "TokenAdapters/State/SlotDirectory+Origin.swift"
NOTE = "TokenAdapters/State/OriginNote.swift"
FILES = "TokenAdapters/State/SlotFiles.swift"
MARK = "TokenAdapters/State/SlotMark.swift"
MACHINE = "TokenAdapters/Time/MachineIdentity.swift"
MARKS = "TokenSlots/Records/SlotMarks.swift"
HEALTH = "TokenAdapters/State/WriteProbe.swift"
ATOMIC = "TokenAdapters/Posix/AtomicFile.swift"
OUTPUTS = "TokenAdapters/Outputs/OutputDirectory.swift"
LOCKS = "TokenAdapters/Posix/OpenDirectory.swift"
MAKING = "TokenAdapters/Posix/DirectoryMaking.swift"
LINUX = "CLinux/CLinux.c"
START = "fault_flushes:at_the_first_start"
BEFORE = "fault_flushes:before_the_first_record"
PROBE = "fault_injected:failing_once_is_followed_by_a_probe"
READ_BACK = "fault_flushes:counts_as_damaged_and_is_read_back"
ZEROS = "fault_flushes:written_again_after_a_probe"
LINK = "fault_links:slot_that_is_a_link"

MUTANTS = [
    # The slots.
    mutant(1, FILES, "fdatasync of a slot's write",
           'guard fdatasync(file) == 0 else { throw SystemError("save',
           'guard $M || fdatasync(file) == 0 else { throw SystemError("save', START),
    without(2, SLOTS, "fsync of a new slot", "fsync(file) == 0, ", START, BEFORE),
    without(3, SLOTS, "fsync of a new slot's folder", "fsync(folder) == 0 else", START, BEFORE),
    mutant(4, SLOTS, "fsync of the state directory after a new folder",
           "!isProven, fsync(self.directory) != 0", "!$M, !isProven, fsync(self.directory) != 0",
           START, BEFORE),
    mutant(5, SLOTS, "fdatasync of slots before recovery believes them",
           "guard fdatasync(file) == 0 else {\n", "guard $M || fdatasync(file) == 0 else {\n",
           "fault_flushes:left_in_memory"),
    without(6, MAKING, "fsync of the directory that the state is in", "fsync(parent) == 0", START),
    mutant(7, SLOTS, "zeros in a new slot, in place of a hole", "if size < slotSize {",
           "if $M, size < slotSize, ftruncate(file, off_t(slotSize)) == 0 {\n"
           "            } else if size < slotSize {", "SlotDirectoryTests/roundTrip"),
    mutant(8, SLOTS, "zeros written again whose flush failed",
           "guard bytes.allSatisfy({ $0 == 0 }) else { return }",
           "guard !$M, bytes.allSatisfy({ $0 == 0 }) else { return }", ZEROS),
    mutant(9, SLOTS, "fsync again of what a former process made",
           "if size < slotSize || !isProven {", "if size < slotSize || (!isProven && !$M) {",
           BEFORE),
    # Links.
    mutant(10, SLOTS, "O_NOFOLLOW where a slot is opened or made",
           "index.fileName, O_RDWR | O_CREAT | O_NOFOLLOW",
           "index.fileName, O_RDWR | O_CREAT | ($M ? 0 : O_NOFOLLOW)",
           "fault_links:behind_a_link"),
    mutant(11, SLOTS, "O_NOFOLLOW where a slot is read", "O_RDONLY | O_NOFOLLOW, 0)",
           "O_RDONLY | ($M ? 0 : O_NOFOLLOW), 0)", "fault_links:read_through_a_link"),
    mutant(12, LOCKS, "O_NOFOLLOW of the locks", "access | O_CREAT | O_NOFOLLOW",
           "access | O_CREAT | ($M ? 0 : O_NOFOLLOW)", "fault_links:lock_that_is_a_link"),
    mutant(13, LINUX, "O_NOFOLLOW of folders on the way",
           "O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC",
           "O_RDONLY | O_DIRECTORY | ($M ? 0 : O_NOFOLLOW) | O_CLOEXEC",
           "SlotDirectoryTests/symlink", "OutputDirectoryTests/links"),
    mutant(14, ORIGIN, "O_NOFOLLOW where slots are erased", "O_RDWR | O_NOFOLLOW",
           "O_RDWR | ($M ? 0 : O_NOFOLLOW)", "TraceFileTests/erasedLink"),
    mutant(15, NOTE, "O_NOFOLLOW of the origin's note", "O_RDONLY | O_NOFOLLOW",
           "O_RDONLY | ($M ? 0 : O_NOFOLLOW)", "fault_links:note_of_its_origin"),
    mutant(16, HEALTH, "O_NOFOLLOW of the probe", "O_RDWR | O_CREAT | O_NOFOLLOW",
           "O_RDWR | O_CREAT | ($M ? 0 : O_NOFOLLOW)", "fault_links:probe_that_is_a_link"),
    mutant(17, ATOMIC, "O_NOFOLLOW where a token file is compared", "O_RDONLY | O_NOFOLLOW",
           "O_RDONLY | ($M ? 0 : O_NOFOLLOW)", "PlaceTests/linkToTheSame"),
    # Locks.
    mutant(18, SLOTS, "flock of state/.lock", 'try takeLock(named: ".lock",',
           'try takeLock(named: $M ? ".unused" : ".lock",',
           "test_exclusion:held_by_somebody_else"),
    mutant(19, SLOTS, "flock of the state directory",
           "flock(directory, LOCK_EX | LOCK_NB) != 0",
           "!$M && flock(directory, LOCK_EX | LOCK_NB) != 0",
           "test_exclusion:deleted_while_it_is_held"),
    without(20, LOCKS, "flock of the token directory's lock",
            "flock(lock, LOCK_EX | LOCK_NB) == 0", "PlaceTests/lock",
            "test_exclusion:token_directory_of"),
    # After a failure.
    mutant(21, FILES, "reading back of what is written after a failure",
           "if self.isVerified || self.health.isSuspect {",
           "if !$M && (self.isVerified || self.health.isSuspect) {", READ_BACK),
    mutant(22, FILES, "distrust of the disk after a failed write",
           "self.health.noteFailure()", "if !$M { self.health.noteFailure() }", PROBE),
    mutant(23, SLOTS, "distrust of the disk after an error while a slot is made",
           "close(file)\n            if error.code", "close(file)\n            if !$M, error.code",
           ZEROS),
    mutant(45, SLOTS, "distrust of the disk after an error of its directories",
           "let error = SystemError(what)\n        if error.code",
           "let error = SystemError(what)\n        if !$M, error.code",
           "fault_flushes:directory_whose_flush_failed"),
    mutant(24, HEALTH, "the probe before anything is sent", "guard seen.isSuspect",
           "guard !$M, seen.isSuspect", PROBE),
    without(25, HEALTH, "fdatasync before a read-back", "fdatasync(file) == 0", PROBE),
    mutant(26, HEALTH, "forgetting of cached pages before a read-back",
           "clinux_forget_cached_pages(file)", "if !$M { clinux_forget_cached_pages(file) }",
           READ_BACK),
    without(27, HEALTH, "comparison of what was read back", "found == bytes",
            "WriteProbeTests/readBack"),
    # Token files.
    mutant(28, ATOMIC, "fsync of a file before its rename",
           'guard fsync(file) == 0 else { throw SystemError("save',
           'guard $M || fsync(file) == 0 else { throw SystemError("save', START),
    mutant(29, ATOMIC, "fsync of the folder after a rename",
           'guard fsync(directory) == 0 else { throw SystemError("save',
           'guard $M || fsync(directory) == 0 else { throw SystemError("save', START),
    mutant(30, ATOMIC, "fsync of the folder of a file that is right already",
           "guard fsync(directory) == 0 else {\n", "guard $M || fsync(directory) == 0 else {\n",
           "fault_flushes:right_already"),
    mutant(31, ATOMIC, "fsync of a file that is right already",
           "content == bytes && fsync(file) == 0",
           "content == bytes && ($M || fsync(file) == 0)", "fault_flushes:right_already"),
    mutant(32, ATOMIC, "rename, instead of writing in place",
           "let temporary = Self.temporary(name)",
           "let temporary = $M ? name : Self.temporary(name)",
           "OutputDirectoryTests/readers"),
    mutant(33, ATOMIC, "mode before rename", "guard fchmod(file, mode) == 0 else",
           "guard $M || fchmod(file, mode) == 0 else", "test_outputs:only_ever_see_whole_files",
           also=(("guard renameat(directory, temporary, directory, name) == 0 else {",
                  "let isPlaced = renameat(directory, temporary, directory, name) == 0\n"
                  "        if $M {\n"
                  "            let late = clinux_openat(directory, name, O_RDONLY, 0)\n"
                  "            fchmod(late, mode)\n"
                  "            close(late)\n"
                  "        }\n"
                  "        guard isPlaced else {"),)),
    mutant(34, ATOMIC, "owner and group", "guard !isOwned || !isGrouped else",
           "guard !$M, !isOwned || !isGrouped else", "PlaceTests/inherited",
           "test_outputs:owner_group_and_mode"),
    without(35, OUTPUTS, "fsync of the token directory after a new folder",
            "fsync(root) == 0 else", START),
    mutant(36, OUTPUTS, "fsync of a folder after a withdrawal", "fsync(folder)\n",
           "if !$M { fsync(folder) }\n", "fault_flushes:stays_removed"),
    # What is erased or set aside.
    without(37, ORIGIN, "fsync of the zeros over an erased slot",
            "fsync(file) == 0, unlinkat", "fault_flushes:stays_removed"),
    mutant(38, ORIGIN, "zeros over an erased slot", "        try writeAll(\n",
           "        if !$M { try writeAll(\n", "fault_flushes:stays_removed",
           also=(("to: file, at: 0, what: name)\n", "to: file, at: 0, what: name) }\n"),)),
    without(39, ORIGIN, "fsync of the state directory after an erasure",
            "fsync(self.directory) == 0", "fault_flushes:stays_removed"),
    mutant(40, ORIGIN, "fsync after slots were set aside", "guard fsync(folder) == 0 else",
           "guard $M || fsync(folder) == 0 else", "fault_flushes:set_aside"),
    # The origin of the state.
    mutant(41, NOTE, "inode and birth of the slots", "return isReplaced",
           "return isReplaced && !$M", "test_rollback:restored_backup"),
    mutant(42, NOTE, "the machine's identity", "machine.isIdentity && noted",
           "!$M && machine.isIdentity && noted", "OriginNoteTests/machines",
           "test_machine_id:block_copy"),
    mutant(43, SLOTS, "the note left alone of slots that came from setAsideToken",
           "if origin == .own", "if $M || origin == .own",
           "test_rollback:restored_backup"),
    mutant(44, ORIGIN, "unreadable slots set aside", "guard pair.isUnreadable",
           "guard !$M, pair.isUnreadable", "test_rollback:set_aside_by_accept"),
    mutant(285, MACHINE, "mounts over the file of the machine's id", "isMountRoot == true ||",
           "(isMountRoot == true && !$M) ||", "MachineIdentityTests/passing"),
    mutant(286, NOTE, "the noted id kept through boots without one",
           "if !machine.isIdentity { machine", "if !$M, !machine.isIdentity { machine",
           "OriginNoteTests/passingIDs"),
    mutant(287, MARKS, "a slot older than its mark", "mark > contents.record.sequence else",
           "mark > contents.record.sequence, !$M else", "SlotMarksTests/restored"),
    mutant(288, MARK, "the end of the mark before", "for mark in marks where mark != sequence {",
           "for mark in marks where mark != sequence && !$M {", "SlotMarkTests/commits"),
    mutant(289, ORIGIN, "the end of marks where a state is accepted",
           "try SlotMark.clear(SlotMark.all(of: file), of: file, name)",
           "try SlotMark.clear($M ? [] : SlotMark.all(of: file), of: file, name)",
           "SlotMarkTests/wentBack"),
]
