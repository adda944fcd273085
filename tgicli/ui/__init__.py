"""Everything a person looks at: streams, live answers, progress."""
