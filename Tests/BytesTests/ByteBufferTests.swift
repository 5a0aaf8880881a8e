// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import Testing

@Suite struct ByteBufferTests {
    @Test("A buffer holds what a plain array would, whatever is done to it", arguments: 1...20)
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let buffer = ByteBuffer(capacity: random.below(600))
        var model: [UInt8] = []
        for step in 0..<2000 {
            switch random.below(9) {
            case 0:
                let byte = UInt8(random.below(256))
                buffer.append(byte)
                model.append(byte)
            case 1, 2:
                let bytes = random.bytes(random.below(random.oneIn(10) ? 3000 : 40))
                buffer.append(bytes)
                model += bytes
            case 3, 4, 5:
                let count = random.below(model.count + 1)
                buffer.consume(count)
                model.removeFirst(count)
            case 6:
                let count = random.below(model.count + 1)
                buffer.truncate(to: count)
                model.removeLast(model.count - count)
            case 7:
                let bytes = random.bytes(random.below(300))
                let written = random.below(bytes.count + 1)
                // SAFETY: the space is at least as large as asked for.
                _ = unsafe buffer.withUnsafeSpace(minimum: bytes.count) { space in
                    for index in 0..<written { unsafe space[index] = bytes[index] }
                    return written
                }
                model += bytes.prefix(written)
            default:
                if random.oneIn(20) {
                    buffer.clear()
                    model = []
                } else {
                    buffer.reserve(random.below(500))
                }
            }
            let isEqual = buffer.array == model && buffer.count == model.count
            #expect(isEqual, "seed \(seed), step \(step)")
            guard isEqual else { return }
        }
    }

    @Test("Consumed space at the front is used again instead of growing")
    func reuse() {
        let buffer = ByteBuffer(capacity: 1024)
        for _ in 0..<1000 {
            buffer.append([UInt8](repeating: 7, count: 700))
            buffer.consume(600)
            buffer.consume(100)
        }
        #expect(buffer.capacity == 1024)
        for _ in 0..<100 {
            buffer.append([UInt8](repeating: 7, count: 100))
            if buffer.count > 300 { buffer.consume(100) }
        }
        #expect(buffer.capacity == 1024)
    }

    @Test("A byte is found by its offset from the first readable one")
    func subscripting() {
        let buffer = ByteBuffer("hello")
        buffer.consume(1)
        #expect(buffer[0] == UInt8(ascii: "e"))
        #expect(buffer[3] == UInt8(ascii: "o"))
        let middle = buffer.withBytes(in: 1..<3) { String(copying: $0) }
        #expect(middle == "ll")
    }

    @Test("Appending a buffer copies its readable bytes only")
    func appendBuffer() {
        let source = ByteBuffer("abcdef")
        source.consume(2)
        let target = ByteBuffer("x")
        target.append(source)
        #expect(target.text == "xcdef")
        #expect(source.text == "cdef")
    }

    @Test("Bytes that are not UTF-8 show as replacement characters")
    func brokenText() {
        #expect(ByteBuffer([0x61, 0xFF, 0x62]).text == "a\u{FFFD}b")
    }

    @Test("Reading outside of the readable bytes ends the process")
    func trapOutside() async {
        await #expect(processExitsWith: .failure) {
            let buffer = ByteBuffer("abc")
            buffer.consume(1)
            _ = buffer[2]
        }
        await #expect(processExitsWith: .failure) {
            ByteBuffer("abc").consume(4)
        }
        await #expect(processExitsWith: .failure) {
            let buffer = ByteBuffer("abc")
            buffer.append(buffer)
        }
    }
}

@Suite struct NumberTests {
    static let decimals: [Int] = [
        0, 1, 9, 10, 99, 100, 12345, -1, -10, .max, .min, 1_000_000_007,
    ]

    @Test("Decimal digits are those of String", arguments: decimals)
    func decimal(value: Int) {
        let buffer = ByteBuffer()
        buffer.append(decimal: value)
        #expect(buffer.text == String(value))
    }

    @Test("The largest unsigned number fits")
    func decimalMax() {
        let buffer = ByteBuffer()
        buffer.append(decimal: UInt.max)
        #expect(buffer.text == String(UInt.max))
    }

    static let hexadecimals: [UInt] = [0, 1, 15, 16, 255, 256, 0xABCDEF, 1 << 60, .max]

    @Test("Hexadecimal digits are lower case without leading zeros", arguments: hexadecimals)
    func hexadecimal(value: UInt) {
        let buffer = ByteBuffer()
        buffer.append(hexadecimal: value)
        #expect(buffer.text == String(value, radix: 16))
    }

    @Test("Random numbers read back as they were written", arguments: 1...5)
    func randomNumbers(seed: UInt64) {
        var random = SplitMix(seed: seed)
        for _ in 0..<500 {
            let value = UInt(random.next() >> UInt64(random.below(64)))
            let buffer = ByteBuffer()
            buffer.append(decimal: value)
            buffer.append(" ")
            buffer.append(hexadecimal: value)
            #expect(buffer.text == "\(value) \(String(value, radix: 16))", "seed \(seed)")
        }
    }

    @Test("Little-endian integers read back, lowest byte first")
    func littleEndian() {
        let buffer = ByteBuffer()
        buffer.append(littleEndian: UInt16(0x0102))
        buffer.append(littleEndian: UInt32(0x0304_0506))
        buffer.append(littleEndian: UInt64.max - 1)
        #expect(buffer.array.prefix(6) == [2, 1, 6, 5, 4, 3])
        let (small, middle, large) = buffer.withBytes { bytes in
            (
                bytes.integer(at: 0, UInt16.self), bytes.integer(at: 2, UInt32.self),
                bytes.integer(at: 6, UInt64.self)
            )
        }
        #expect(small == 0x0102)
        #expect(middle == 0x0304_0506)
        #expect(large == UInt64.max - 1)
    }
}
