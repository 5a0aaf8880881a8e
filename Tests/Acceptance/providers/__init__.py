# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the providers: their wire formats, their strictness and their failures."""

from .server import ProviderServer

__all__ = ["ProviderServer"]
