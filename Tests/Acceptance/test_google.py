# SPDX-License-Identifier: Apache-2.0
"""Google's SDK over every upstream."""

import httpx2
import pytest
from google import genai
from google.genai import errors, types
from providers.embeddings import vector
from scenes import (ARGUMENTS, PDF, PNG, PNG_SEEN, SCHEMA, SECOND, TARGETS, THINKERS, UNICODE_MARK)
from servers import CLIENT_KEY
from test_openai_other import EMBEDDERS, SIZED

WEATHER = types.FunctionDeclaration(name="weather", description="Weather",
                                    parameters_json_schema=SCHEMA)
CLOCK = types.FunctionDeclaration(name="clock", parameters=types.Schema(
    type="OBJECT", properties={"zone": types.Schema(type="STRING")}))
TOOLS = [types.Tool(function_declarations=[WEATHER, CLOCK])]
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture(params=TARGETS)
def model(request):
    return TARGETS[request.param]


def config(**more):
    return types.GenerateContentConfig(automatic_function_calling=MANUAL, **more)


def ask(client, model, contents, **more):
    return client.models.generate_content(model=model, contents=contents, config=config(**more))


def stream(client, model, contents, **more):
    return list(client.models.generate_content_stream(model=model, contents=contents,
                                                      config=config(**more)))


def text_of(chunks):
    return "".join(chunk.text or "" for chunk in chunks)


def test_text(google, model):
    answer = ask(google, model, "Hello, swift!", system_instruction="Be brief.")
    assert answer.text == "You said: Hello, swift! | System: Be brief."
    (candidate,) = answer.candidates
    assert candidate.finish_reason == types.FinishReason.STOP
    assert candidate.content.role == "model"
    usage = answer.usage_metadata
    assert usage.prompt_token_count == 20
    assert usage.candidates_token_count > 5
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


def test_stream(google, model):
    whole = ask(google, model, "Hello, swift!")
    chunks = stream(google, model, "Hello, swift!")
    assert text_of(chunks) == whole.text == "You said: Hello, swift!"
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates
            and chunk.candidates[0].finish_reason] == [types.FinishReason.STOP]
    last = chunks[-1].usage_metadata
    assert last.candidates_token_count == whole.usage_metadata.candidates_token_count
    assert last.prompt_token_count == whole.usage_metadata.prompt_token_count


def test_stream_as_an_array(gateway, providers, model):
    """Without `alt=sse` a stream is one JSON array."""
    body = {"contents": [{"parts": [{"text": "Hello"}]}]}
    answer = httpx2.post(f"{gateway.origin}/v1beta/models/{model}:streamGenerateContent", json=body,
                         headers={"x-goog-api-key": CLIENT_KEY}, timeout=20)
    assert answer.headers["content-type"].startswith("application/json")
    texts = [part.get("text", "") for chunk in answer.json()
             for candidate in chunk.get("candidates", [])
             for part in candidate.get("content", {}).get("parts", [])]
    assert "".join(texts) == "You said: Hello"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_versions(gateway, providers, version):
    options = types.HttpOptions(base_url=gateway.origin, api_version=version)
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        assert ask(client, "claude-sonnet-4-5", "Hello").text == "You said: Hello"


def test_unicode(google, model):
    text = f"{UNICODE_MARK} é\u00ad\u202e"
    assert ask(google, model, text).text == f"You said: {text}"
    whole = ask(google, model, "[unicode]").text
    assert whole.count(UNICODE_MARK) == 20
    assert text_of(stream(google, model, "[unicode]")) == whole


def test_chat(google, model):
    chat = google.chats.create(model=model)
    assert chat.send_message("First").text.startswith("You said: First")
    assert "Turns: 3" in chat.send_message("Second").text


def test_media(google, model):
    image = types.Part.from_bytes(data=PNG, mime_type="image/png")
    assert PNG_SEEN in ask(google, model, [image, "Look"]).text


@pytest.mark.parametrize("name", ["sap-claude", "sap-converse", "sap-gemini", "openai", "anthropic",
                                  "gemini", "bedrock"])
def test_document(google, name):
    part = types.Part.from_bytes(data=PDF, mime_type="application/pdf")
    assert "application/pdf of 15 bytes" in ask(google, TARGETS[name], [part, "Read"]).text


def test_function_call(google, model):
    answer = ask(google, model, "[tool]", tools=TOOLS)
    (call,) = answer.function_calls
    assert (call.name, call.args) == ("weather", ARGUMENTS)
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    chunks = stream(google, model, "[tool]", tools=TOOLS)
    (call,) = [call for chunk in chunks for call in chunk.function_calls or []]
    assert (call.name, call.args) == ("weather", ARGUMENTS)


def test_parallel_function_calls(google, model):
    one, two = ask(google, model, "[tools]", tools=TOOLS).function_calls
    assert (one.name, two.name, two.args) == ("weather", "clock", {"zone": "Köln \"1\""})
    chunks = stream(google, model, "[tools]", tools=TOOLS)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.name for call in calls] == ["weather", "clock"]


def test_function_results(google, model):
    """The content of the SDK goes back as it is."""
    begin = types.Content(role="user", parts=[types.Part.from_text(text="[tools]")])
    answer = ask(google, model, [begin], tools=TOOLS)
    results = [types.Part.from_function_response(name=name, response={"result": text})
               for name, text in (("weather", "Rain"), ("clock", "Noon"))]
    answer = ask(google, model, [begin, answer.candidates[0].content,
                                 types.Content(role="user", parts=results)], tools=TOOLS)
    assert "The tool said: " in answer.text
    assert answer.text.index("Rain") < answer.text.index("Noon")


@pytest.mark.parametrize("mode, names, called", [
    ("ANY", None, "weather"), ("NONE", None, None), ("ANY", ["clock"], "clock")])
def test_function_calling_mode(google, model, mode, names, called):
    choice = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(
        mode=mode, allowed_function_names=names))
    answer = ask(google, model, "Hello", tools=TOOLS, tool_config=choice)
    assert [call.name for call in answer.function_calls or []] == ([called] if called else [])


def test_automatic_function_calling(google, model):
    def weather(city: str) -> str:
        """Weather of a city."""
        return f"Rain in {city}"

    answer = google.models.generate_content(model=model, contents="[tool]",
                                            config=types.GenerateContentConfig(tools=[weather]))
    assert "The tool said: " in answer.text and "Rain in" in answer.text


def test_structured_output(google, model):
    answer = ask(google, model, "A bird", response_mime_type="application/json",
                 response_schema={"type": "OBJECT", "properties": {
                     "name": {"type": "STRING"}, "legs": {"type": "INTEGER"}},
                     "required": ["name", "legs"]})
    assert answer.parsed == {"name": "Köln \"0\"", "legs": 40}


@pytest.mark.parametrize("name", THINKERS)
def test_thoughts(google, name):
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=2000)
    whole = ask(google, TARGETS[name], "Hello", thinking_config=thinking)
    parts = whole.candidates[0].content.parts
    assert "".join(part.text for part in parts if part.thought) == "Swifts sleep while they fly."
    assert whole.text == "You said: Hello"
    chunks = stream(google, TARGETS[name], "Hello", thinking_config=thinking)
    parts = [part for chunk in chunks for candidate in chunk.candidates or []
             for part in candidate.content.parts or []]
    assert "".join(part.text or "" for part in parts if part.thought) == \
        "Swifts sleep while they fly."
    assert "".join(part.text or "" for part in parts if not part.thought) == "You said: Hello"


def test_finish_reasons(google, model):
    answer = ask(google, model, "[length]", max_output_tokens=40)
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    answer = ask(google, model, "[refusal]")
    assert answer.candidates[0].finish_reason == types.FinishReason.SAFETY
    answer = ask(google, model, "one END two", stop_sequences=["END"])
    assert answer.text.startswith("You said: one ")


def test_sampling(google, model):
    answer = ask(google, model, "Hello", temperature=0.5, top_p=0.9, top_k=5, seed=7,
                 max_output_tokens=100, presence_penalty=0.1)
    assert answer.text == "You said: Hello"


def test_safety_settings(google, model):
    answer = ask(google, model, "Hello", safety_settings=[types.SafetySetting(
        category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")])
    assert answer.text == "You said: Hello"


def test_count_tokens(google, model):
    small = google.models.count_tokens(model=model, contents="Hello").total_tokens
    large = google.models.count_tokens(model=model, contents="Hello " * 500).total_tokens
    assert 0 < small <= large
    assert small < large or model.startswith("gemini/")


@pytest.mark.parametrize("name", EMBEDDERS)
def test_embed_content(google, name):
    answer = google.models.embed_content(model=EMBEDDERS[name], contents=["alpha", "beta"])
    assert [item.values for item in answer.embeddings] == [vector("alpha", 8), vector("beta", 8)]


@pytest.mark.parametrize("name", SIZED)
def test_embedding_size(google, name):
    answer = google.models.embed_content(
        model=EMBEDDERS[name], contents="alpha",
        config=types.EmbedContentConfig(output_dimensionality=256))
    assert len(answer.embeddings[0].values) == 256


def test_models(google):
    names = [model.name for model in google.models.list()]
    assert "models/claude-sonnet-4-5" in names and "models/sap/gpt-4.1" in names
    assert google.models.get(model="claude-sonnet-4-5").name == "models/claude-sonnet-4-5"


@pytest.mark.parametrize("word, code, status", [
    ("400", 400, "INVALID_ARGUMENT"), ("401", 502, "UNAVAILABLE"), ("404", 404, "NOT_FOUND"),
    ("429", 429, "RESOURCE_EXHAUSTED"), ("500", 502, None), ("503", 503, "UNAVAILABLE")])
def test_errors(google, model, word, code, status):
    for call in (ask, stream):
        with pytest.raises(errors.APIError) as failure:
            call(google, model, f"[{word}]")
        assert failure.value.code in (code, int(word) if word == "500" else code)
        assert status in (None, failure.value.status)
        assert failure.value.message


def test_failure_in_a_stream(google, model):
    text = ""
    with pytest.raises(errors.APIError):
        for chunk in google.models.generate_content_stream(
                model=model, contents="[error] some more words to say"):
            text += chunk.text or ""
    assert text.startswith("You said:")


def test_keys_and_models(gateway, providers, google):
    options = types.HttpOptions(base_url=gateway.origin)
    with genai.Client(api_key="sk-wrong", http_options=options) as client:
        with pytest.raises(errors.ClientError) as failure:
            ask(client, "claude-sonnet-4-5", "Hello")
    assert (failure.value.code, failure.value.status) == (401, "UNAUTHENTICATED")
    with pytest.raises(errors.ClientError) as failure:
        ask(google, "no-such-model", "Hello")
    assert (failure.value.code, failure.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body, place", [
    ({"contents": "x"}, "contents"), ({"contents": []}, "contents"),
    ({"contents": [{"role": "wizard", "parts": [{"text": "x"}]}]}, "role"),
    ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "%%"}}]}]}, "data"),
    ({"contents": [{"parts": [{"text": 5}]}]}, "text"),
])
@pytest.mark.parametrize("name", [name for name in TARGETS if "gemini" not in name])
def test_bad_requests(gateway, providers, name, body, place):
    answer = httpx2.post(f"{gateway.origin}/v1beta/models/{TARGETS[name]}:generateContent",
                         json=body, headers={"x-goog-api-key": CLIENT_KEY}, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert place in answer.json()["error"]["message"]
