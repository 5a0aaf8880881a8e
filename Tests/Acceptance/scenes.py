# SPDX-License-Identifier: Apache-2.0
"""What the tests of all SDKs have in common: who answers, and what is asked."""

import base64
import struct
import zlib

# Name of a test, model for the client. All formats and hosts, and the models with rules of their
# own.
TARGETS = {
    "sap-gpt": "sap/gpt-4.1",
    "sap-gpt5": "sap/gpt-5.4",
    "sap-claude": "sap/anthropic--claude-4.5-sonnet",
    "sap-opus": "sap/anthropic--claude-4.8-opus",
    "sap-converse": "converse-claude",
    "sap-nova": "sap/amazon--nova-pro",
    "sap-gemini": "sap/gemini-2.5-pro",
    "sap-gemini3": "sap/gemini-3.5-flash",
    "sap-mistral": "sap/mistralai--mistral-large-instruct",
    "orchestration": "orchestration/gpt-4.1",
    "openai": "openai/gpt-4.1",
    "compatible": "compatible/llama-4",
    "azure": "azure/gpt-4.1",
    "anthropic": "anthropic/claude-sonnet-4-5-20250929",
    "gemini": "gemini/gemini-2.5-flash",
    "bedrock": "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock-nova": "bedrock/eu.amazon.nova-pro-v1:0",
}
# Those that tell what they think, and how.
THINKERS = ["sap-claude", "sap-opus", "sap-converse", "sap-gemini", "sap-gemini3", "anthropic",
            "gemini", "bedrock"]
# Claude keeps a signature with its thoughts.
SIGNING = ["sap-claude", "sap-opus", "sap-converse", "anthropic", "bedrock"]

SCHEMA = {"type": "object", "properties": {
    "city": {"type": "string", "description": "Name \"of\" a city"},
    "days": {"type": "integer", "minimum": 1},
    "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city", "days"], "additionalProperties": False}
ARGUMENTS = {"city": "Köln \"0\"", "days": 40, "unit": "celsius"}
SECOND = {"type": "object", "properties": {"zone": {"type": "string"}}}
EMPTY = {"type": "object", "properties": {}}

UNICODE_MARK = "世界 🐦‍⬛ naïve \u2028 \"quoted\" 'it's' back\\slash \t tab {'a': None}"


def _png():
    def block(kind, data):
        text = kind + data
        return struct.pack(">I", len(data)) + text + struct.pack(">I", zlib.crc32(text))
    return (b"\x89PNG\r\n\x1a\n" + block(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
            + block(b"IDAT", zlib.compress(b"\0\xff\0\0")) + block(b"IEND", b""))


PNG = _png()
PNG_BASE64 = base64.b64encode(PNG).decode()
PNG_SEEN = f"I see image/png of {len(PNG)} bytes"
PDF = b"%PDF-1.4\n%%EOF\n"
PDF_BASE64 = base64.b64encode(PDF).decode()
