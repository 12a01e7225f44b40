import Dispatch
import Synchronization
import Testing

@testable import TokenAdapters
@testable import TokenFormats
@testable import TokenScheduling

@Suite("Which job may start") struct LaneScheduleTests {
    private typealias Schedule = LaneSchedule<Int>

    private func start(_ schedule: inout Schedule) -> [(Int, Schedule.Ticket)] {
        var started: [(Int, Schedule.Ticket)] = []
        while let (job, ticket) = schedule.next() { started.append((job, ticket)) }
        return started
    }

    @Test("one holder has its share of the lanes, whatever it adds; others have the rest")
    func share() {
        var schedule = Schedule(lanes: 8, share: 2)
        for job in 0..<1000 { schedule.add(job, .init(key: "k\(job)", holder: "hostile")) }
        #expect(start(&schedule).count == 2)
        schedule.add(1000, .init(key: "mine", holder: "other"))
        #expect(start(&schedule).map(\.0) == [1000])
    }

    @Test("jobs of one key run one after the other, in order, for any holder")
    func order() {
        var schedule = Schedule(lanes: 8, share: 8)
        for job in 0..<3 { schedule.add(job, .init(key: "crm", holder: "program \(job % 2)")) }
        for job in 0..<3 {
            let started = start(&schedule)
            #expect(started.map(\.0) == [job])
            for (_, ticket) in started { schedule.finished(ticket) }
        }
        #expect(schedule.isIdle)
    }

    @Test("behind a running job only so many wait: the oldest goes, the newest stays")
    func dropping() {
        var schedule = Schedule(lanes: 1, share: 1)
        schedule.add(0, .init(key: "crm", holder: "a"))
        let first = start(&schedule)
        var dropped = 0
        for job in 1...5 {
            schedule.add(job, .init(key: "crm", holder: "a"))
            dropped += schedule.dropOldest(of: "crm", beyond: 2) == nil ? 0 : 1
        }
        #expect(dropped == 3)
        var rest: [Int] = []
        var ended = first
        while !ended.isEmpty {
            for (_, ticket) in ended { schedule.finished(ticket) }
            ended = start(&schedule)
            rest += ended.map(\.0)
        }
        #expect(rest == [4, 5])
    }

    @Test("in any order of events every job runs once, and no bound is ever passed")
    func anyOrder() {
        for seed in 0..<200 {
            var random = RandomSource(seed: UInt64(seed))
            func roll(_ count: Int) -> Int { Int(random.next(upperBound: UInt64(count))) }
            let (lanes, share) = (1 + roll(6), 1 + roll(4))
            var schedule = Schedule(lanes: lanes, share: share)
            var running: [(Int, Schedule.Ticket)] = []
            var (added, ran) = (0, Set<Int>())
            var lastOfKey: [String: Int] = [:]
            for step in 0..<400 {
                if step < 200, roll(2) == 0 {
                    schedule.add(
                        added,
                        .init(key: "k\(roll(6))", holder: "h\(roll(3))"))
                    added += 1
                } else if !running.isEmpty {
                    schedule.finished(running.remove(at: roll(running.count)).1)
                }
                for (job, ticket) in start(&schedule) {
                    #expect(ran.insert(job).inserted)
                    #expect(lastOfKey[ticket.key].map { $0 < job } ?? true, "seed \(seed)")
                    lastOfKey[ticket.key] = job
                    running.append((job, ticket))
                }
                let most = Dictionary(grouping: running, by: \.1.holder).values.map(\.count).max()
                #expect(running.count <= lanes && most ?? 0 <= min(share, lanes), "seed \(seed)")
                #expect(Set(running.map(\.1.key)).count == running.count, "seed \(seed)")
            }
            while !running.isEmpty {
                schedule.finished(running.removeLast().1)
                for (job, ticket) in start(&schedule) {
                    ran.insert(job)
                    running.append((job, ticket))
                }
            }
            #expect(ran.count == added && schedule.isIdle, "seed \(seed)")
        }
    }
}

@Suite("Lanes", .timeLimit(.minutes(20))) struct LanesTests {
    @Test("what hangs holds its holder's share; others run, and a caller waits as long as it wants")
    func hanging() async {
        let lanes = Lanes("test", count: 4)
        let gate = DispatchSemaphore(value: 0)
        for job in 0..<10 {
            lanes.start(key: "dead \(job)", holder: "dead mount") { gate.wait() }
        }
        let value = await lanes.run(key: "a", holder: "tmpfs") { 7 }
        #expect(value == 7)
        let late = await lanes.run(
            key: "b", holder: "dead mount", within: .milliseconds(100)
        ) { 8 }
        #expect(late == nil)
        for _ in 0..<10 { gate.signal() }
        let early = await lanes.run(key: "c", holder: "dead mount", within: .seconds(60)) { 9 }
        #expect(early == 9)
    }
}

@Suite("Mounts") struct MountTableTests {
    @Test("the longest mount point above a path holds it, whole names only")
    func points() {
        let table = """
            21 1 8:1 / / rw - ext4 /dev/sda1 rw
            22 21 0:20 / /run rw - tmpfs tmpfs rw
            30 22 0:33 / /run/user\\040files rw - nfs server:/x rw
            """
        #expect(
            MountTable.points(Array(table.utf8)) == ["/run/user files", "/run", "/"])
        let mounts = MountTable()
        #expect(mounts.point(of: "/proc/self/stat") == "/proc")
        #expect(mounts.point(of: "/procession") == "/")
    }
}
