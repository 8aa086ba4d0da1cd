"""Who does what when: LangGraph state, nodes and subgraphs. No prompts, no parsing, no torch."""

import os

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # must be set before langgraph is imported
