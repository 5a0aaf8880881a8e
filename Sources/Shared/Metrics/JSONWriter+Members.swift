// SPDX-License-Identifier: Apache-2.0

import JSON

/// Members and containers as the status document needs them: null for what is not known.
extension JSONWriter {
    mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        object(body)
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    mutating func array(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        beginArray()
        body(&self)
        endArray()
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        beginArray()
        body(&self)
        endArray()
    }

    mutating func member(_ name: StaticString, _ text: StaticString) {
        self.name(name)
        value("\(text)")
    }

    mutating func member(_ name: StaticString, _ text: String?) {
        self.name(name)
        if let text { value(text) } else { null() }
    }

    mutating func member(_ name: StaticString, _ number: Int?) {
        self.name(name)
        if let number { value(number) } else { null() }
    }

    mutating func member(_ name: StaticString, _ number: UInt64?) {
        self.name(name)
        if let number { value(UInt(number)) } else { null() }
    }

    mutating func milliseconds(_ name: StaticString, _ nanoseconds: UInt64?) {
        self.name(name)
        if let nanoseconds { value(milliseconds: nanoseconds) } else { null() }
    }

    /// Nanoseconds as milliseconds with microseconds behind the point.
    mutating func value(milliseconds nanoseconds: UInt64) {
        value(Double(nanoseconds / 1000) / 1000)
    }

    /// Nanoseconds as seconds with milliseconds behind the point.
    mutating func seconds(_ name: StaticString, _ nanoseconds: UInt64?) {
        thousandths(name, nanoseconds.map { $0 / 1_000_000 })
    }

    mutating func thousandths(_ name: StaticString, _ number: UInt64?) {
        self.name(name)
        if let number { value(Double(number) / 1000) } else { null() }
    }

    /// A counter per case, under the names that `label` gives.
    mutating func counts<Key>(
        _ counts: FleetSnapshot.Counts<Key>,
        _ label: (Key) -> StaticString
    ) {
        for key in Key.allCases { member(label(key), counts[key]) }
    }
}
