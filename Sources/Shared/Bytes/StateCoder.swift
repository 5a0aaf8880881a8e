// SPDX-License-Identifier: Apache-2.0

/// Writes values one after the other, or reads them back in the same order.
///
/// One function per type does both, so writing and reading cannot disagree. Integers take 8 bytes,
/// little endian; texts and lists begin with their length. After damage every value reads as it was
/// before, and `isBroken` says so.
package struct StateCoder {
    package enum Mode: Equatable {
        case writing, reading
    }

    package let mode: Mode
    package private(set) var bytes: [UInt8]
    /// Something could not be read, or something was left over.
    package private(set) var isBroken = false
    private var at = 0

    package init() {
        mode = .writing
        bytes = []
    }

    package init(reading bytes: [UInt8]) {
        mode = .reading
        self.bytes = bytes
    }

    /// Whether everything was read; call at the end of reading.
    package var isExhausted: Bool { !isBroken && at == bytes.count }

    /// Gives up reading: a value makes no sense.
    package mutating func fail() { isBroken = true }

    package mutating func code<Value: FixedWidthInteger>(_ value: inout Value) {
        switch mode {
        case .writing:
            let word = UInt64(truncatingIfNeeded: value)
            for shift in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift)))
            }
        case .reading:
            guard !isBroken, bytes.count - at >= 8 else {
                isBroken = true
                return
            }
            var word: UInt64 = 0
            for shift in 0..<8 { word |= UInt64(bytes[at + shift]) << UInt64(8 * shift) }
            at += 8
            let read = Value(truncatingIfNeeded: word)
            // A value that does not fit its type was never written.
            guard UInt64(truncatingIfNeeded: read) == word else {
                isBroken = true
                return
            }
            value = read
        }
    }

    package mutating func code(_ value: inout Bool) {
        var word: UInt8 = value ? 1 : 0
        code(&word)
        value = word == 1
    }

    package mutating func code(_ value: inout String) {
        var content = Array(value.utf8)
        code(list: &content, new: 0) { byte, coder in coder.code(byte: &byte) }
        if mode == .reading, !isBroken { value = String(decoding: content, as: UTF8.self) }
    }

    private mutating func code(byte: inout UInt8) {
        switch mode {
        case .writing: bytes.append(byte)
        case .reading:
            guard !isBroken, at < bytes.count else {
                isBroken = true
                return
            }
            byte = bytes[at]
            at += 1
        }
    }

    /// A list; `new` is what its elements begin as when they are read.
    package mutating func code<Element>(
        list: inout [Element],
        new: @autoclosure () -> Element,
        _ each: (inout Element, inout StateCoder) -> Void
    ) {
        var count = list.count
        code(&count)
        switch mode {
        case .writing:
            for index in list.indices { each(&list[index], &self) }
        case .reading:
            // Every element takes a byte at least, so a damaged count cannot ask for much memory.
            guard !isBroken, count >= 0, count <= bytes.count - at else {
                isBroken = true
                return
            }
            var read: [Element] = []
            read.reserveCapacity(count)
            for _ in 0..<count {
                var element = new()
                each(&element, &self)
                guard !isBroken else { return }
                read.append(element)
            }
            list = read
        }
    }

    package mutating func code<Value: FixedWidthInteger>(list: inout [Value]) {
        code(list: &list, new: 0) { value, coder in coder.code(&value) }
    }

    package mutating func code<Value: FixedWidthInteger>(_ value: inout Value?) {
        code(optional: &value, new: 0) { value, coder in coder.code(&value) }
    }

    package mutating func code(_ value: inout String?) {
        code(optional: &value, new: "") { value, coder in coder.code(&value) }
    }

    package mutating func code<Value>(
        optional value: inout Value?,
        new: @autoclosure () -> Value,
        _ body: (inout Value, inout StateCoder) -> Void
    ) {
        var exists = value != nil
        code(&exists)
        guard exists, !isBroken else {
            if mode == .reading { value = nil }
            return
        }
        var content = value ?? new()
        body(&content, &self)
        if mode == .reading, !isBroken { value = content }
    }

    /// A case of a closed set, by its number.
    package mutating func code<Value: RawRepresentable>(_ value: inout Value)
    where Value.RawValue: FixedWidthInteger {
        var raw = value.rawValue
        code(&raw)
        guard mode == .reading, !isBroken else { return }
        guard let read = Value(rawValue: raw) else {
            isBroken = true
            return
        }
        value = read
    }
}
