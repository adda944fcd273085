"""HTTP in front of any core.Backend; it knows neither llama.cpp nor which backend answers."""
