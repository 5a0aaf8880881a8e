// SPDX-License-Identifier: Apache-2.0

/// What each client format calls the members of a conversation.
enum FieldNames {
    static func name(of field: ConversationField, in format: WireFormat) -> String {
        switch format {
        case .chat, .completions: chat(field)
        case .responses: responses(field)
        case .messages, .converse: messages(field)
        case .gemini: gemini(field)
        }
    }

    private static func chat(_ field: ConversationField) -> String {
        switch field {
        case .maxTokens: "max_completion_tokens"
        case .temperature: "temperature"
        case .topP: "top_p"
        case .topK: "top_k"
        case .seed: "seed"
        case .presencePenalty: "presence_penalty"
        case .frequencyPenalty: "frequency_penalty"
        case .stop: "stop"
        case .candidates: "n"
        case .logprobs: "logprobs"
        case .topLogprobs: "top_logprobs"
        case .reasoning: "reasoning_effort"
        case .responseFormat: "response_format"
        case .user: "user"
        case .tools: "tools"
        case .toolChoice: "tool_choice"
        case .parallelToolCalls: "parallel_tool_calls"
        case .toolStrict: "tools[].function.strict"
        case .cacheControl: "cache_control"
        case .thinkingHistory: "messages[].reasoning_content"
        case .imageDetail: "messages[].content[].image_url.detail"
        case .prefill: "messages[-1]"
        }
    }

    private static func responses(_ field: ConversationField) -> String {
        switch field {
        case .maxTokens: "max_output_tokens"
        case .reasoning: "reasoning"
        case .responseFormat: "text.format"
        case .toolStrict: "tools[].strict"
        case .thinkingHistory: "input[].reasoning"
        case .imageDetail: "input[].content[].detail"
        case .prefill: "input[-1]"
        default: chat(field)
        }
    }

    private static func messages(_ field: ConversationField) -> String {
        switch field {
        case .maxTokens: "max_tokens"
        case .stop: "stop_sequences"
        case .reasoning: "thinking"
        case .responseFormat: "output_config.format"
        case .user: "metadata.user_id"
        case .parallelToolCalls: "tool_choice.disable_parallel_tool_use"
        case .toolStrict: "tools[].strict"
        case .thinkingHistory: "messages[].content[].thinking"
        case .imageDetail: "messages[].content[].detail"
        default: chat(field)
        }
    }

    private static func gemini(_ field: ConversationField) -> String {
        switch field {
        case .maxTokens: "generationConfig.maxOutputTokens"
        case .temperature: "generationConfig.temperature"
        case .topP: "generationConfig.topP"
        case .topK: "generationConfig.topK"
        case .seed: "generationConfig.seed"
        case .presencePenalty: "generationConfig.presencePenalty"
        case .frequencyPenalty: "generationConfig.frequencyPenalty"
        case .stop: "generationConfig.stopSequences"
        case .candidates: "generationConfig.candidateCount"
        case .logprobs: "generationConfig.responseLogprobs"
        case .topLogprobs: "generationConfig.logprobs"
        case .reasoning: "generationConfig.thinkingConfig"
        case .responseFormat: "generationConfig.responseMimeType"
        case .toolChoice: "toolConfig.functionCallingConfig"
        case .thinkingHistory: "contents[].parts[].thought"
        case .prefill: "contents[-1]"
        default: chat(field)
        }
    }
}
