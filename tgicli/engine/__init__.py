"""The engine: continuous batching on llama.cpp. One thread; no asyncio, no JSON."""
