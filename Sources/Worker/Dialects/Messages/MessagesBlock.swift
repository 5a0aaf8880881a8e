// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// What the types of content blocks say.
enum MessagesBlock {
    /// Types of blocks that only tools have which Anthropic runs.
    private static let typesOfServerTools: [StaticString] = [
        "server_tool_use", "web_search_tool_result", "web_fetch_tool_result",
        "code_execution_tool_result", "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result", "tool_search_tool_result", "mcp_tool_use",
        "mcp_tool_result", "container_upload", "advisor_tool_result", "compaction",
    ]

    /// Whether blocks of this type are of no use to a model elsewhere.
    static func isOfServerTool(
        _ type: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for known in typesOfServerTools where tape.equals(type, known, in: bytes) { return true }
        return false
    }

    /// Text for a block inside of a tool's result that other formats, and older models, do not know.
    static func text(
        ofUnknown node: JSONNode,
        _ type: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        if let type, tape.equals(type, "tool_reference", in: bytes),
            let name = tape.member("tool_name", of: node, in: bytes),
            let text = tape.string(of: name, in: bytes)
        {
            return "[tool_ref] \(text)"
        }
        if let text = tape.string(of: node, in: bytes) { return text }
        return String(copying: bytes.extracting(tape.valueRange(of: node)))
    }
}
