"""Results of other load generators: `vllm bench serve`, guidellm and AIPerf."""
