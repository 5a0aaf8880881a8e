// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import Testing

private struct Sample: Equatable {
    enum Kind: UInt8 { case one = 1, two }

    var number = 0
    var small: UInt8 = 0
    var negative: Int32 = 0
    var truth = false
    var text = ""
    var maybe: String?
    var count: UInt64?
    var list: [Int] = []
    var nested: [[String]] = []
    var kind = Kind.one

    mutating func code(_ coder: inout StateCoder) {
        coder.code(&number)
        coder.code(&small)
        coder.code(&negative)
        coder.code(&truth)
        coder.code(&text)
        coder.code(&maybe)
        coder.code(&count)
        coder.code(list: &list)
        coder.code(list: &nested, new: []) { inner, coder in
            coder.code(list: &inner, new: "") { $1.code(&$0) }
        }
        coder.code(&kind)
    }

    static let full = Sample(
        number: -7,
        small: 255,
        negative: .min,
        truth: true,
        text: "Mauersegler, 雨燕",
        maybe: "",
        count: .max,
        list: [1, -1, .max, .min],
        nested: [[], ["a"], ["b", ""]],
        kind: .two
    )

    var bytes: [UInt8] {
        var coder = StateCoder()
        var copy = self
        copy.code(&coder)
        return coder.bytes
    }
}

@Suite struct StateCoderTests {
    @Test("What is written is read back", arguments: [true, false])
    func roundTrip(isFull: Bool) {
        let sample = isFull ? Sample.full : Sample()
        var coder = StateCoder(reading: sample.bytes)
        var read = Sample(number: 99, text: "other", maybe: "x", list: [5])
        read.code(&coder)
        #expect(coder.isExhausted)
        #expect(read == sample)
    }

    @Test("A state that is cut anywhere, or has more behind it, is refused")
    func cuts() {
        let bytes = Sample.full.bytes
        for length in 0..<bytes.count {
            var coder = StateCoder(reading: Array(bytes.prefix(length)))
            var read = Sample()
            read.code(&coder)
            #expect(!coder.isExhausted, "\(length) bytes")
        }
        var coder = StateCoder(reading: bytes + [0])
        var read = Sample()
        read.code(&coder)
        #expect(!coder.isExhausted)
    }

    @Test("Values that their types do not have are refused")
    func foreignValues() {
        var coder = StateCoder()
        var large = 256
        coder.code(&large)
        var reader = StateCoder(reading: coder.bytes)
        var small: UInt8 = 3
        reader.code(&small)
        #expect(reader.isBroken && small == 3)

        coder = StateCoder()
        var raw: UInt8 = 9
        coder.code(&raw)
        reader = StateCoder(reading: coder.bytes)
        var kind = Sample.Kind.one
        reader.code(&kind)
        #expect(reader.isBroken && kind == .one)
    }

    @Test("Damage neither crashes nor asks for memory that is not there", arguments: 1...20)
    func damage(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let bytes = Sample.full.bytes
        for _ in 0..<500 {
            var damaged = bytes
            for _ in 0...random.below(3) {
                damaged[random.below(damaged.count)] = UInt8(random.below(256))
            }
            var coder = StateCoder(reading: damaged)
            var read = Sample()
            read.code(&coder)
            #expect(read.list.count <= damaged.count && read.nested.count <= damaged.count)
        }
    }
}
