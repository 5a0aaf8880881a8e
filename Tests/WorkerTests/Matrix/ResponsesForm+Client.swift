// SPDX-License-Identifier: Apache-2.0
import Support

extension ResponsesForm {
    // MARK: What a client got

    static func told(in body: JSONValue, _ problems: inout [String]) -> Told {
        var told = Told()
        problems.check(body["object"]?.string == "response", "another object")
        problems.check(body["id"]?.string?.hasPrefix("resp_") == true, "the id of no response")
        problems.check(body["error"]?.isNull != false, "an error: \(body.compact)")
        var ids: Set<String> = []
        for item in body["output"]?.array ?? [] {
            let id = item["id"]?.string ?? ""
            problems.check(ids.insert(id).inserted, "the item id '\(id)' twice")
            switch item["type"]?.string {
            case "reasoning":
                problems.check(item["summary"]?.array != nil, "reasoning without a summary")
                for part in item["summary"]?.array ?? [] {
                    told.thoughts += part["text"]?.string ?? ""
                }
                for part in item["content"]?.array ?? [] {
                    told.thoughts += part["text"]?.string ?? ""
                }
            case "message":
                problems.check(item["role"]?.string == "assistant", "a message of another role")
                for part in item["content"]?.array ?? [] {
                    told.text += part["text"]?.string ?? part["refusal"]?.string ?? ""
                    if part["type"]?.string == "refusal" { told.finish = .refusal }
                    let hasNotes = part["annotations"]?.array != nil
                    problems.check(
                        part["type"]?.string != "output_text" || hasNotes,
                        "a text without annotations"
                    )
                }
            case "function_call":
                told.finish = .calls
                told.calls.append(
                    Call(
                        id: item["call_id"]?.string ?? "",
                        name: item["name"]?.string ?? "",
                        arguments: problems.json(item["arguments"]?.string ?? "no text")
                    )
                )
            case let other: problems.append("an item of the type '\(other ?? "")'")
            }
        }
        let reason = body["incomplete_details"]?["reason"]?.string
        switch (body["status"]?.string, reason) {
        case ("completed", nil): break
        case ("incomplete", "max_output_tokens"): told.finish = .length
        case ("incomplete", "content_filter"): told.finish = .refusal
        case (let status, let reason):
            problems.append("the status \(status ?? "none") with \(reason ?? "no reason")")
        }
        let usage = body["usage"] ?? .null
        told.usage = Told.Usage(
            input: usage["input_tokens"]?.int ?? -1,
            cached: usage["input_tokens_details"]?["cached_tokens"]?.int ?? 0,
            output: usage["output_tokens"]?.int ?? -1,
            thoughts: usage["output_tokens_details"]?["reasoning_tokens"]?.int ?? 0
        )
        problems.check(
            usage["total_tokens"]?.int == told.usage.input + told.usage.output,
            "a wrong sum of tokens"
        )
        return told
    }

    /// What a stream has told about one item.
    private struct Building {
        var item: JSONValue
        /// By kind of text and index inside of the item.
        var texts: [String: String] = [:]
        var isDone = false

        var whole: String { texts.sorted { $0.key < $1.key }.map(\.value).joined() }
    }

    /// The answer that a stream tells, in the order that coding agents rely on.
    static func told(events: [ClientEvent], _ problems: inout [String]) -> Told {
        var building: [Building] = []
        var terminal: JSONValue?
        for (index, event) in events.enumerated() {
            problems.check(event.data != "[DONE]", "a [DONE]")
            let json = problems.json(event.data)
            let type = json["type"]?.string ?? ""
            problems.check(event.name == type, "the name \(event.name ?? "none") of \(type)")
            let number = json["sequence_number"]?.int ?? -1
            problems.check(number == index, "the number \(number) of event \(index)")
            problems.check(terminal == nil, "an event behind the terminal one")
            switch type {
            case "response.created": problems.check(index == 0, "created at \(index)")
            case "response.in_progress": problems.check(index == 1, "in_progress at \(index)")
            case "response.output_item.added":
                let place = json["output_index"]?.int ?? -1
                problems.check(place == building.count, "the item index \(place)")
                building.append(Building(item: json["item"] ?? .null))
            case "response.output_item.done":
                let place = json["output_index"]?.int ?? -1
                guard building.indices.contains(place) else { continue }
                let id = json["item"]?["id"]
                problems.check(id == building[place].item["id"], "an item that changed its id")
                building[place].item = json["item"] ?? .null
                building[place].isDone = true
            case "response.completed", "response.incomplete", "response.failed":
                terminal = json["response"] ?? .null
            default: take(json, type, &building, &problems)
            }
        }
        guard let terminal else {
            problems.append("no terminal event")
            return Told()
        }
        problems.check(building.allSatisfy(\.isDone), "an item that is not done")
        problems.check(
            terminal["output"]?.array == building.map(\.item),
            "another output than was streamed: \(terminal["output"]?.compact ?? "none")"
        )
        let told = told(in: terminal, &problems)
        var streamed = Told()
        for some in building {
            switch some.item["type"]?.string {
            case "reasoning": streamed.thoughts += some.whole
            case "message": streamed.text += some.whole
            default:
                problems.check(
                    some.whole == some.item["arguments"]?.string,
                    "other arguments than were streamed: \(some.whole)"
                )
            }
        }
        problems.check(streamed.text == told.text, "another text than was streamed")
        problems.check(streamed.thoughts == told.thoughts, "other thoughts than were streamed")
        return told
    }

    private static func take(
        _ json: JSONValue,
        _ type: String,
        _ building: inout [Building],
        _ problems: inout [String]
    ) {
        let place = json["output_index"]?.int ?? -1
        guard building.indices.contains(place) else {
            problems.append("\(type) of an item that was not added")
            return
        }
        let id = json["item_id"]
        problems.check(id == building[place].item["id"], "\(type) with the id of another item")
        problems.check(!building[place].isDone, "\(type) behind the end of its item")
        let index = json["content_index"]?.int ?? json["summary_index"]?.int ?? 0
        let key = "\(index)"
        if type.hasSuffix(".delta") {
            building[place].texts[key, default: ""] += json["delta"]?.string ?? ""
        } else if type.hasSuffix(".done"), !type.hasSuffix("_part.done") {
            let whole =
                json["text"]?.string ?? json["arguments"]?.string ?? json["refusal"]?.string
            problems.check(whole == building[place].texts[key] ?? "", "\(type) with another text")
        } else if !type.hasSuffix("_part.added"), !type.hasSuffix("_part.done") {
            problems.append("an event of the type '\(type)'")
        }
    }
}
